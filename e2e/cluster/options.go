package cluster

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// Options says how a local cluster differs from the default one.
type Options struct {
	// APIServerOnly starts etcd and kube-apiserver alone: enough for admission, and quicker.
	APIServerOnly bool
	// Gangs is what kube-scheduler can do for gangs. Default: GangsAll.
	Gangs GangSupport
	// Audit writes an audit log of level Metadata, to be found at Cluster.AuditLog.
	Audit bool
	// StockClientLimits leaves kube-controller-manager and kube-scheduler their default client rate limits.
	StockClientLimits bool
	// Progress receives a line for each step that takes long. Default: nothing is printed.
	Progress io.Writer
}

// GangSupport is what kube-scheduler can do for gangs: a set of feature gates, and of API versions that are served.
type GangSupport struct {
	featureGates, runtimeConfig string
}

var (
	// GangsAll is everything that Kubernetes 1.37 has: gangs, topology, and groups of groups.
	GangsAll = GangSupport{
		featureGates:  "GenericWorkload=true,TopologyAwareWorkloadScheduling=true,CompositePodGroup=true",
		runtimeConfig: "scheduling.k8s.io/v1beta1=true,scheduling.k8s.io/v1alpha3=true",
	}
	// GangsFlat is gangs alone.
	GangsFlat = GangSupport{featureGates: "GenericWorkload=true", runtimeConfig: "scheduling.k8s.io/v1beta1=true"}
	// GangsNone is Kubernetes as it comes.
	GangsNone = GangSupport{featureGates: "GenericWorkload=false", runtimeConfig: "scheduling.k8s.io/v1beta1=false"}
)

// auditPolicy logs who asked for what, without contents, each request once at its end and each watch at its beginning too.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

// unthrottled lifts the client-side limits of the control plane (20 requests per second in kube-controller-manager, 50
// in kube-scheduler), which would otherwise be what tests wait for.
const unthrottled = "10000"

// ports are those that the processes of one cluster listen on.
type ports struct {
	etcd, etcdPeer, apiServer, controllerManager, scheduler, kwok int
}

// kwokctlConfig is the file for `kwokctl create cluster --config`: where the programs are, and how to run them.
func kwokctlConfig(opts Options, bin, auditPolicyPath, kwokKubeconfig string, p ports) ([]byte, error) {
	options := map[string]any{
		"runtime":                     "binary",
		"bindAddress":                 "127.0.0.1",
		"securePort":                  true,
		"kubeAuthorization":           true,
		"kubeAdmission":               true,
		"components":                  components(opts),
		"etcdBinary":                  filepath.Join(bin, "etcd"),
		"kubeApiserverBinary":         filepath.Join(bin, "kube-apiserver"),
		"kubeControllerManagerBinary": filepath.Join(bin, "kube-controller-manager"),
		"kubeSchedulerBinary":         filepath.Join(bin, "kube-scheduler"),
		"kwokControllerBinary":        filepath.Join(bin, "kwok"),
		"kubectlBinary":               filepath.Join(bin, "kubectl"),
		"etcdPort":                    p.etcd,
		"etcdPeerPort":                p.etcdPeer,
		"kubeApiserverPort":           p.apiServer,
		"kubeControllerManagerPort":   p.controllerManager,
		"kubeSchedulerPort":           p.scheduler,
		"kwokControllerPort":          p.kwok,
	}
	gangs := cmp.Or(opts.Gangs, GangsAll)
	options["kubeFeatureGates"], options["kubeRuntimeConfig"] = gangs.featureGates, gangs.runtimeConfig
	if opts.Audit {
		options["kubeAuditPolicy"] = auditPolicyPath
	}
	kwokctl := map[string]any{
		"apiVersion":        "config.kwok.x-k8s.io/v1alpha1",
		"kind":              "KwokctlConfiguration",
		"options":           options,
		"componentsPatches": componentPatches(opts, kwokKubeconfig),
	}
	return yamlDocuments(kwokctl, kwokConfig)
}

// AnnotationNobody, with its value, on a pod leaves its status to a test: no fake kubelet runs it.
const (
	AnnotationNobody      = "kwok.x-k8s.io/status"
	AnnotationNobodyValue = "custom"
)

// kwokConfig lets the fake kubelets work on many pods at once. kwokctl passes it on without kwok's defaults, so that
// whatever is left out here is zero, and kwok does not start.
var kwokConfig = map[string]any{
	"apiVersion": "config.kwok.x-k8s.io/v1alpha1",
	"kind":       "KwokConfiguration",
	"options": map[string]any{
		"cidr":                          "10.0.0.0/16",
		"podPlayStageParallelism":       32,
		"nodePlayStageParallelism":      8,
		"nodeLeaseParallelism":          4,
		"podsOnNodeSyncParallelism":     4,
		"enablePodsOnNodeSyncListPager": true,
		// Pods annotated so have nobody who runs them but the test.
		"disregardStatusWithAnnotationSelector": AnnotationNobody + "=" + AnnotationNobodyValue,
	},
}

func components(opts Options) []string {
	if opts.APIServerOnly {
		return []string{"etcd", "kube-apiserver"}
	}
	return []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok-controller"}
}

func componentPatches(opts Options, kwokKubeconfig string) []map[string]any {
	// On a busy machine the two lose their lease, and end.
	alone := map[string]string{"leader-elect": "false"}
	if !opts.StockClientLimits {
		alone["kube-api-qps"], alone["kube-api-burst"] = unthrottled, unthrottled
	}
	controllerManager := maps.Clone(alone)
	controllerManager["horizontal-pod-autoscaler-sync-period"] = "1s" // by default an autoscaler looks every 15 s
	// Of the plugins that aren't enabled by default, this one is in OpenShift, and asks for more rights.
	apiServer := map[string]string{"enable-admission-plugins": "OwnerReferencesPermissionEnforcement"}
	if opts.Audit {
		apiServer["audit-log-maxsize"] = "10240" // MiB; by default the log is rotated at 100 MiB
	}
	return []map[string]any{
		componentPatch("etcd", map[string]string{"unsafe-no-fsync": "true"}), // the data is thrown away anyway
		componentPatch("kube-apiserver", apiServer),
		componentPatch("kube-controller-manager", controllerManager),
		componentPatch("kube-scheduler", alone),
		componentPatch("kwok-controller", map[string]string{"kubeconfig": kwokKubeconfig}),
	}
}

func componentPatch(name string, args map[string]string) map[string]any {
	extraArgs := []map[string]any{}
	for key, value := range args {
		extraArgs = append(extraArgs, map[string]any{"key": key, "value": value})
	}
	return map[string]any{"name": name, "extraArgs": extraArgs}
}

func yamlDocuments(docs ...any) ([]byte, error) {
	texts := make([]string, len(docs))
	for i, doc := range docs {
		text, err := yaml.Marshal(doc)
		if err != nil {
			return nil, err
		}
		texts[i] = string(text)
	}
	return []byte(strings.Join(texts, "---\n")), nil
}

// choosePorts gives each process a random free port. kwokctl would count down from a fixed one, the same for two
// clusters that start at once; and ports that the kernel chooses may be taken by an outgoing connection meanwhile.
func choosePorts() (ports, error) {
	var p ports
	for _, port := range []*int{&p.etcd, &p.etcdPeer, &p.apiServer, &p.controllerManager, &p.scheduler, &p.kwok} {
		free, err := freePort()
		if err != nil {
			return p, err
		}
		*port = free
	}
	return p, nil
}

// freePort returns a random port of the loopback address that nobody listens on, below the range of outgoing connections.
func freePort() (int, error) {
	const lowest, highest, attempts = 10000, 32000, 100
	for range attempts {
		port := lowest + rand.IntN(highest-lowest)
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, listener.Close()
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d in %d attempts", lowest, highest, attempts)
}
