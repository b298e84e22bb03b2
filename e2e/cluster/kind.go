package cluster

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/e2e-framework/third_party/kind"
)

const (
	// kindVersion is that of kind, where it has to be installed.
	kindVersion = "v0.33.0"
	// envNodeImage names the image of a kind cluster's nodes; kind has one of its own.
	envNodeImage = "KIND_NODE_IMAGE"
	// kindGPUs is how many GPUs each worker of a kind cluster pretends to have.
	kindGPUs = "16"
	// controlPlaneLabel is on nodes that run the control plane.
	controlPlaneLabel = "node-role.kubernetes.io/control-plane"
)

// Images that `make test-images` builds.
const (
	// OperatorImage has the operator and the init container; deploy names it.
	OperatorImage = "grove.io/grove:dev"
	// NextOperatorImage is the same, as another version would be named.
	NextOperatorImage = "grove.io/grove:next"
	// WorkloadImage has e2e/workload, which the pods of tests run.
	WorkloadImage = "grove.io/workload:dev"
	// NextWorkloadImage is another image with the same program, and SameWorkloadImage another name of that one.
	NextWorkloadImage = "grove.io/workload:next"
	SameWorkloadImage = "grove.io/workload:same"
)

// OperatorName is the name of the operator's Deployment, lease, ServiceAccount and roles, and OperatorNamespace where deploy puts them.
const OperatorName, OperatorNamespace = "grove-operator", "grove-system"

// Kind is a cluster of real kubelets, whose nodes are containers of this machine. It needs docker and kubectl, and installs kind if
// there is none.
type Kind struct {
	// Name is the cluster's name.
	Name string
	// Kubeconfig is the path of a kubeconfig with all rights, once the cluster has been created.
	Kubeconfig string

	root     string
	provider *kind.Cluster
	progress io.Writer
}

// NewKind returns a kind cluster that may exist already. Progress receives a line for each step that takes long. The caller's working
// directory must be inside the repository.
func NewKind(ctx context.Context, name string, progress io.Writer) (*Kind, error) {
	root, _, err := repository(ctx)
	if err != nil {
		return nil, err
	}
	provider := kind.NewCluster(name)
	provider.WithPath("kind").WithVersion(kindVersion)
	if image := os.Getenv(envNodeImage); image != "" {
		provider.WithOpts(kind.WithImage(image))
	}
	return &Kind{Name: name, root: root, provider: provider, progress: progress}, nil
}

// Create creates the cluster as kind-config.yaml says, unless it exists, with fake GPUs and with the image of the operator. A
// context for kubectl is added to a kubeconfig: the user's, if the path is empty.
func (k *Kind) Create(ctx context.Context, kubeconfig string) (err error) {
	args := []string{"--config", filepath.Join(k.root, "kind-config.yaml"), "--wait", startTimeout.String()}
	if kubeconfig != "" {
		args = append(args, "--kubeconfig", kubeconfig)
	}
	k.say("Creating the kind cluster %s.", k.Name)
	if k.Kubeconfig, err = k.provider.Create(ctx, args...); err != nil {
		return err
	}
	if err := k.LoadImage(ctx, OperatorImage); err != nil {
		return err
	}
	if err := k.labelZones(ctx); err != nil {
		return err
	}
	return k.AddGPUs(ctx)
}

// LoadImage copies an image from docker to all nodes.
func (k *Kind) LoadImage(ctx context.Context, image string) error {
	k.say("Loading the image %s.", image)
	return k.provider.LoadImage(ctx, image)
}

// labelZones labels the workers with their zones as the sample wants it. A kubelet may not do that itself.
func (k *Kind) labelZones(ctx context.Context) error {
	return k.patchWorkers(ctx, func(node *corev1.Node) string {
		return fmt.Sprintf(`{"metadata": {"labels": {%q: %q}}}`, labelZone, node.Labels[corev1.LabelTopologyZone])
	})
}

// AddGPUs makes the workers offer GPUs. A kubelet that starts anew forgets them.
func (k *Kind) AddGPUs(ctx context.Context) error {
	return k.patchWorkers(ctx, func(*corev1.Node) string {
		return fmt.Sprintf(`{"status": {"capacity": {%[1]q: %[2]q}, "allocatable": {%[1]q: %[2]q}}}`, ResourceGPU, kindGPUs)
	}, "status")
}

// patchWorkers applies a JSON merge patch to each worker.
func (k *Kind) patchWorkers(ctx context.Context, patch func(*corev1.Node) string, subresources ...string) error {
	config, err := k.RESTConfig()
	if err != nil {
		return err
	}
	client, err := corev1client.NewForConfig(config)
	if err != nil {
		return err
	}
	workers, err := client.Nodes().List(ctx, metav1.ListOptions{LabelSelector: "!" + controlPlaneLabel})
	if err != nil {
		return err
	}
	for i := range workers.Items {
		worker := &workers.Items[i]
		if _, err := client.Nodes().Patch(ctx, worker.Name, types.MergePatchType, []byte(patch(worker)), metav1.PatchOptions{}, subresources...); err != nil {
			return fmt.Errorf("patching node %s: %w", worker.Name, err)
		}
	}
	return nil
}

// Install installs Grove from deploy with an image of the operator, or upgrades it, and waits until the operator runs.
func (k *Kind) Install(ctx context.Context, image string) error {
	k.say("Installing Grove from deploy, with the image %s.", image)
	manifests, err := k.Kubectl(ctx, "kustomize", filepath.Join(k.root, "deploy"))
	if err != nil {
		return err
	}
	manifests = strings.ReplaceAll(manifests, "image: "+OperatorImage+"\n", "image: "+image+"\n")
	if _, err := Output(k.kubectl(ctx, manifests, "apply", "--server-side", "-f", "-")); err != nil {
		return err
	}
	_, err = k.Kubectl(ctx, "--namespace="+OperatorNamespace, "rollout", "status", "deployment/"+OperatorName, "--timeout=3m")
	return err
}

// RESTConfig returns a configuration for clients with all rights and without a rate limit of their own.
func (k *Kind) RESTConfig() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", k.Kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	return config, nil
}

// Kubectl runs kubectl, and returns what it wrote to stdout.
func (k *Kind) Kubectl(ctx context.Context, args ...string) (string, error) {
	out, err := Output(k.kubectl(ctx, "", args...))
	return string(out), err
}

func (k *Kind) kubectl(ctx context.Context, stdin string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "kubectl", args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+k.Kubeconfig)
	cmd.Stdin = strings.NewReader(stdin)
	return cmd
}

// OnNode runs a command on a node.
func (k *Kind) OnNode(ctx context.Context, node string, command ...string) error {
	_, err := Output(exec.CommandContext(ctx, "docker", append([]string{"exec", node}, command...)...))
	return err
}

// ExportLogs writes the logs of nodes and pods to a directory.
func (k *Kind) ExportLogs(ctx context.Context, dir string) error {
	k.say("Logs of the cluster go to %s.", dir)
	return k.provider.ExportLogs(ctx, dir)
}

// Delete deletes the cluster; there may be none.
func (k *Kind) Delete(ctx context.Context) error {
	k.say("Deleting the kind cluster %s.", k.Name)
	return k.provider.Destroy(ctx)
}

func (k *Kind) say(format string, args ...any) { fmt.Fprintf(k.progress, format+"\n", args...) }
