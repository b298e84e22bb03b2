// Package local runs the end-to-end cases on a local control plane with fake nodes, or on a cluster that exists.
package local

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/e2e-framework/pkg/env"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/e2e/cases"
	"grove.io/grove/e2e/cluster"
	"grove.io/grove/e2e/suites"
)

var testenv types.Environment

// parallelCases is how many cases run at a time.
const parallelCases = "8"

// provider is where the suite runs.
type provider interface {
	// start returns what the cases work with.
	start(ctx context.Context, kubeconfig string) (*cases.Env, error)
	stop(ctx context.Context) error
}

var providers = map[string]provider{
	"local":    &localProvider{},
	"existing": existingProvider{},
}

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	name := flag.String("provider", "local", "where to run: local starts a control plane with fake nodes and an operator; "+
		"existing uses the cluster of -kubeconfig or $KUBECONFIG, with Grove installed")
	cfg, err := envconf.NewFromFlags()
	if err != nil {
		return 1, err
	}
	if testing.Short() {
		fmt.Println("e2e: skipped by -short: needs a cluster")
		return 0, nil
	}
	provider, ok := providers[*name]
	if !ok {
		return 1, fmt.Errorf("unknown -provider %q: local or existing", *name)
	}
	ctx, cancel := suites.Context()
	defer cancel()
	defer func() { err = errors.Join(err, provider.stop(context.WithoutCancel(ctx))) }()
	given, err := provider.start(ctx, cfg.KubeconfigFile())
	if err != nil {
		return 1, err
	}
	if testenv, err = env.NewWithContext(cases.NewContext(ctx, given), cfg); err != nil {
		return 1, err
	}
	testenv.BeforeEachFeature(cases.InNamespace)
	// Cases wait most of the time, so that many of them fit on few processors.
	if err := flag.Set("test.parallel", parallelCases); err != nil {
		return 1, err
	}
	return testenv.Run(m), nil
}

// localProvider starts everything, once, for all cases.
type localProvider struct {
	suites.Local
}

func (p *localProvider) start(ctx context.Context, _ string) (*cases.Env, error) {
	if err := p.Start(ctx, cluster.Options{}); err != nil {
		return nil, err
	}
	if _, err := p.StartOperator(ctx); err != nil {
		return nil, err
	}
	return p.Env(), nil
}

func (p *localProvider) stop(ctx context.Context) error { return p.Stop(ctx) }

// existingProvider uses a cluster that has the CRDs and an operator, and the kubectl in PATH.
type existingProvider struct{}

func (existingProvider) start(_ context.Context, kubeconfig string) (*cases.Env, error) {
	config, err := clientConfig(kubeconfig)
	if err != nil {
		return nil, err
	}
	return &cases.Env{Config: config, Kubectl: func(ctx context.Context, args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "kubectl", args...)
		if kubeconfig != "" {
			cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
		}
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			err = fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, stderr.String())
		}
		return string(out), err
	}}, nil
}

func (existingProvider) stop(context.Context) error { return nil }

func clientConfig(kubeconfig string) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	return config, nil
}
