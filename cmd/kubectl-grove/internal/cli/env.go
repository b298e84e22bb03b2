// Package cli is what the verbs of kubectl grove share: streams, clients, output formats, colours, completion and exit codes.
package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	metrics "k8s.io/metrics/pkg/client/clientset/versioned"

	"grove.io/grove/apis/client/clientset/versioned"
)

// Env is what a verb runs with. Tests replace Connect and Now.
type Env struct {
	genericiooptions.IOStreams
	Config *Config
	// Connect makes clients of what Config says.
	Connect func() (*Clients, error)
	// Now is the time.
	Now func() time.Time
	// Palette colours words, or doesn't.
	Palette Palette
	// Live tells whether the output is a terminal, on which a picture can be redrawn.
	Live bool
}

// Config is which cluster, user and namespace a kubeconfig and the flags of kubectl say. It is client-go's, since cli-runtime's ConfigFlags bring
// kustomize with them, which would double the program.
type Config struct {
	rules     *clientcmd.ClientConfigLoadingRules
	overrides clientcmd.ConfigOverrides
}

// AddFlags adds the flags of kubectl to those of a command.
func (c *Config) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&c.rules.ExplicitPath, clientcmd.RecommendedConfigPathFlag, "", "Path to the kubeconfig file to use for CLI requests.")
	clientcmd.BindOverrideFlags(&c.overrides, flags, clientcmd.RecommendedConfigOverrideFlags(""))
}

// Load reads the kubeconfig.
func (c *Config) Load() clientcmd.ClientConfig {
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(c.rules, &c.overrides)
}

// Clients reach one cluster.
type Clients struct {
	Core    kubernetes.Interface
	Grove   versioned.Interface
	Metrics metrics.Interface
	Dynamic dynamic.Interface
	// Namespace is that of the flags or of the kubeconfig's context.
	Namespace string
}

// NewEnv is an environment with some streams, whose clients are made of the flags of kubectl.
func NewEnv(in io.Reader, out, errOut io.Writer) *Env {
	live := isTerminal(out)
	env := &Env{
		IOStreams: genericiooptions.IOStreams{In: in, Out: out, ErrOut: errOut},
		Config:    &Config{rules: clientcmd.NewDefaultClientConfigLoadingRules()},
		Now:       time.Now,
		Palette:   Palette{Colours: live && coloursWanted()},
		Live:      live,
	}
	env.Connect = env.connect
	return env
}

// A person waits for the answers, so requests aren't held back: the API server has its own means against too many.
const clientQPS, clientBurst = 100, 200

func (e *Env) connect() (*Clients, error) {
	kubeconfig := e.Config.Load()
	config, err := kubeconfig.ClientConfig()
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = clientQPS, clientBurst
	config.UserAgent = "kubectl-grove"
	clients := &Clients{}
	if clients.Namespace, _, err = kubeconfig.Namespace(); err != nil {
		return nil, err
	}
	if clients.Core, err = kubernetes.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("clients can't be made: %w", err)
	}
	if clients.Grove, err = versioned.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("clients can't be made: %w", err)
	}
	if clients.Metrics, err = metrics.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("clients can't be made: %w", err)
	}
	if clients.Dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("clients can't be made: %w", err)
	}
	return clients, nil
}
