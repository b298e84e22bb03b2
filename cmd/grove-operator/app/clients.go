package app

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"

	"golang.org/x/sync/semaphore"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"grove.io/grove/apis/client/clientset/versioned"
	"grove.io/grove/apis/grove/v1alpha1"
)

// userAgent begins the name by which audit logs and priority levels know the operator.
const userAgent = "grove-operator"

// oldestServer is the first Kubernetes release whose CRDs may use all that Grove's validation rules do.
var oldestServer = version.MajorMinor(1, 33)

// clients are the operator's connections to one API server.
type clients struct {
	// grove and kube share the limit of requests in flight.
	grove versioned.Interface
	kube  kubernetes.Interface
	// unlimited is for leases and reviews of tokens, which mustn't wait behind the work's requests.
	unlimited kubernetes.Interface
}

// connect makes the clients, and checks that the API server answers and serves what the operator needs.
func connect(o Options) (clients, error) {
	config, err := restConfig(o)
	if err != nil {
		return clients{}, err
	}
	made, err := newClients(config, o.MaxRequestsInFlight)
	if err != nil {
		return clients{}, fmt.Errorf("the API server can't be used: %w", err)
	}
	return made, checkServer(made.kube.Discovery(), config.Host)
}

// restConfig says how to reach the API server. Requests aren't slowed down by the client: a number of them in flight is all
// that it bounds, and the API server may ask for more patience, which client-go has.
func restConfig(o Options) (*rest.Config, error) {
	config, err := loadConfig(o.Kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	config.UserAgent = fmt.Sprintf("%s/%s (%s/%s)", userAgent, buildVersion(), runtime.GOOS, runtime.GOARCH)
	return config, nil
}

func newClients(config *rest.Config, inFlight int) (made clients, err error) {
	if made.unlimited, err = newKube(config); err != nil {
		return clients{}, err
	}
	limited := rest.CopyConfig(config)
	slots := semaphore.NewWeighted(int64(inFlight))
	limited.Wrap(func(next http.RoundTripper) http.RoundTripper { return &limitInFlight{next: next, slots: slots} })
	if made.kube, err = newKube(limited); err != nil {
		return clients{}, err
	}
	made.grove, err = versioned.NewForConfig(limited)
	return made, err
}

// newKube makes a client for Kubernetes' own kinds, which the API server serves as protobuf, too.
func newKube(config *rest.Config) (kubernetes.Interface, error) {
	config = rest.CopyConfig(config)
	config.ContentType = apiruntime.ContentTypeProtobuf
	config.AcceptContentTypes = apiruntime.ContentTypeProtobuf + "," + apiruntime.ContentTypeJSON
	return kubernetes.NewForConfig(config)
}

func loadConfig(kubeconfig string) (*rest.Config, error) {
	if kubeconfig != "" {
		config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
		if err != nil {
			return nil, fmt.Errorf("--kubeconfig %s: %w", kubeconfig, err)
		}
		return config, nil
	}
	config, err := rest.InClusterConfig()
	if errors.Is(err, rest.ErrNotInCluster) {
		return nil, errors.New("not running in a cluster: give --kubeconfig")
	}
	return config, err
}

// buildVersion is the version of the module that the program was built from, as Go recorded it.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}

// checkServer tells in one line what the API server lacks.
func checkServer(server discovery.DiscoveryInterface, host string) error {
	info, err := server.ServerVersion()
	if err != nil {
		return fmt.Errorf("the API server at %s doesn't answer: %w", host, err)
	}
	running, err := version.ParseGeneric(info.GitVersion)
	if err != nil {
		return fmt.Errorf("the API server at %s has a version that can't be read: %w", host, err)
	}
	if running.LessThan(oldestServer) {
		return fmt.Errorf("the API server at %s is Kubernetes %s; Grove needs %s or newer", host, info.GitVersion, oldestServer)
	}
	if _, err := server.ServerResourcesForGroupVersion(v1alpha1.SchemeGroupVersion.String()); err != nil {
		return fmt.Errorf("the API server at %s doesn't serve %s (%w): install the CustomResourceDefinitions with kubectl apply --server-side -f crds/",
			host, v1alpha1.SchemeGroupVersion, err)
	}
	return nil
}
