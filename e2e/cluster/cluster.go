// Package cluster starts real Kubernetes control planes with fake nodes on this machine: for tests, benchmarks and the
// demo. Nothing is downloaded but Go modules, nothing needs root, a container runtime or a network.
package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"grove.io/grove/e2e/kubebuild"
)

// startTimeout bounds the start of the processes, without the build. An idle machine needs 4 s.
const startTimeout = 2 * time.Minute

// restartAfter is how long the controllers may take before those processes that have ended are started again.
const restartAfter = 10 * time.Second

// Cluster is a running control plane. It ends with Stop, or with the process that started it.
type Cluster struct {
	// Name is random.
	Name string
	// BinDir holds kubectl, kwokctl and the control plane's programs.
	BinDir string
	// Kubeconfig is the path of a kubeconfig with all rights.
	Kubeconfig string
	// AuditLog is the path of the audit log, empty without Options.Audit.
	AuditLog string
	// Logs is the directory of the processes' logs.
	Logs string

	dir    string
	config *rest.Config
	keeper *keeper
}

// Start builds the control plane if need be (see ControlPlane), starts one, and returns when its API is served and its
// controllers run. Any number can run side by side: each has its own ports and its own directory, and none touches the
// user's kubeconfig.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	if opts.Progress == nil {
		opts.Progress = io.Discard
	}
	bin, err := kubebuild.ControlPlane(ctx, opts.Progress)
	if err != nil {
		return nil, fmt.Errorf("build the control plane: %w", err)
	}
	c, err := newCluster(bin)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := c.start(ctx, opts); err != nil {
		err = fmt.Errorf("start cluster %s: %w%s", c.Name, err, c.failedLogs())
		return nil, errors.Join(err, c.Stop(context.WithoutCancel(ctx)))
	}
	return c, nil
}

func newCluster(bin string) (*Cluster, error) {
	dir, err := os.MkdirTemp("", "grove-cluster-")
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(dir, "pids"), 0o755); err != nil {
		return nil, err
	}
	keeper, err := startKeeper(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	name := "grove-" + rand.String(5)
	workdir := filepath.Join(dir, "clusters", name)
	return &Cluster{
		Name:       name,
		BinDir:     bin,
		Kubeconfig: filepath.Join(workdir, "kubeconfig.yaml"),
		Logs:       filepath.Join(workdir, "logs"),
		dir:        dir,
		keeper:     keeper,
	}, nil
}

func (c *Cluster) start(ctx context.Context, opts Options) error {
	if err := c.create(ctx, opts); err != nil {
		return err
	}
	if opts.Audit {
		c.AuditLog = filepath.Join(c.Logs, "audit.log")
	}
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1 // the API server's own limits suffice
	config.UserAgent = "grove-e2e"
	c.config = config
	if opts.APIServerOnly {
		return nil
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	if err := keepKwokFromLivePods(ctx, client); err != nil {
		return err
	}
	return c.waitForControllers(ctx, client)
}

// create lets kwokctl start the processes, and waits until the API is served.
func (c *Cluster) create(ctx context.Context, opts Options) error {
	config, err := c.writeConfig(opts)
	if err != nil {
		return err
	}
	return c.kwokctl(ctx, "create", "cluster", "--name", c.Name, "--config", config, "--kubeconfig", "", "--wait", startTimeout.String())
}

func (c *Cluster) kwokctl(ctx context.Context, args ...string) error {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(c.BinDir, "kwokctl"), args...)
	cmd.Env = c.environ("KWOK_WORKDIR="+c.dir, "KUBECONFIG="+filepath.Join(c.dir, "unused-kubeconfig"))
	cmd.Stdout, cmd.Stderr = &out, &out
	finished, err := startKept(cmd, c.dir, "kwokctl")
	if err != nil {
		return err
	}
	if err := finished(); err != nil {
		return fmt.Errorf("kwokctl %s: %w\n%s", args[0], err, out.String())
	}
	return nil
}

func (c *Cluster) writeConfig(opts Options) (string, error) {
	ports, err := choosePorts()
	if err != nil {
		return "", err
	}
	policy := filepath.Join(c.dir, "audit-policy.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o644); err != nil {
		return "", err
	}
	kwokKubeconfig, err := c.writeKwokKubeconfig(ports.apiServer)
	if err != nil {
		return "", err
	}
	config, err := kwokctlConfig(opts, c.BinDir, policy, kwokKubeconfig, ports)
	if err != nil {
		return "", err
	}
	path := filepath.Join(c.dir, "kwokctl.yaml")
	return path, os.WriteFile(path, config, 0o644)
}

// waitForControllers waits for the ServiceAccount without which no pod is admitted: kube-controller-manager makes it. On a busy machine
// that ends before the API is served, since it waits for 10 s only; kwokctl starts what has ended, and leaves the rest alone.
func (c *Cluster) waitForControllers(ctx context.Context, client kubernetes.Interface) error {
	for {
		err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, restartAfter, true, func(ctx context.Context) (bool, error) {
			_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
			return err == nil, ignoreNotFound(err)
		})
		switch {
		case err == nil:
			return nil
		case !wait.Interrupted(err) || ctx.Err() != nil:
			return fmt.Errorf("wait for kube-controller-manager's first ServiceAccount: %w", err)
		}
		if err := c.kwokctl(ctx, "start", "cluster", "--name", c.Name); err != nil {
			return err
		}
	}
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// RESTConfig returns a copy of the configuration for clients with all rights and without a rate limit of their own.
func (c *Cluster) RESTConfig() *rest.Config { return rest.CopyConfig(c.config) }

// Kubectl runs the cluster's kubectl, and returns what it wrote to stdout.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) (string, error) {
	return c.Run(ctx, filepath.Join(c.BinDir, "kubectl"), args...)
}

// Run runs a program with all rights in the cluster, and returns what it wrote to stdout.
func (c *Cluster) Run(ctx context.Context, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = c.environ("KUBECONFIG=" + c.Kubeconfig)
	out, err := Output(cmd)
	return string(out), err
}

// Shell runs a script by bash, with the cluster's kubectl, and returns what it wrote to stdout.
func (c *Cluster) Shell(ctx context.Context, script string) (string, error) {
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	cmd.Env = c.environ("KUBECONFIG="+c.Kubeconfig, "PATH="+c.BinDir+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := Output(cmd)
	return string(out), err
}

// environ is this process's environment with changes that keep programs away from the user's ~/.kube.
func (c *Cluster) environ(changes ...string) []string {
	return append(append(os.Environ(), "KUBECACHEDIR="+filepath.Join(c.dir, "kubectl-cache")), changes...)
}

// Stop ends the cluster's processes and the operators started by StartOperator, and removes all files. The second call does nothing.
func (c *Cluster) Stop(ctx context.Context) error {
	if !exists(c.dir) {
		return nil
	}
	if err := c.keeper.release(ctx); err != nil {
		return fmt.Errorf("stop cluster %s: %w", c.Name, err)
	}
	return nil
}

// failedLogs returns the last lines of each log, for the message of a failure.
func (c *Cluster) failedLogs() string {
	logs, err := filepath.Glob(filepath.Join(c.Logs, "*.log"))
	if err != nil {
		return ""
	}
	var text strings.Builder
	for _, log := range logs {
		if filepath.Base(log) != "audit.log" {
			fmt.Fprintf(&text, "\n--- %s\n%s", filepath.Base(log), lastLines(log, 8))
		}
	}
	return text.String()
}

func lastLines(path string, n int) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
