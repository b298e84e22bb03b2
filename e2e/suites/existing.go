package suites

import (
	"context"
	"os"
	"os/exec"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"grove.io/grove/e2e/cases"
	"grove.io/grove/e2e/cluster"
)

// Existing is a cluster that has the CRDs and an operator. Cases use the kubectl in PATH.
type Existing struct{}

// Start reads the kubeconfig, by default that which kubectl uses.
func (Existing) Start(_ context.Context, kubeconfig string) (*cases.Env, error) {
	config, err := clientConfig(kubeconfig)
	if err != nil {
		return nil, err
	}
	run := func(cmd *exec.Cmd) (string, error) {
		if kubeconfig != "" {
			cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
		}
		out, err := cluster.Output(cmd)
		return string(out), err
	}
	return &cases.Env{
		Config: config,
		Kubectl: func(ctx context.Context, args ...string) (string, error) {
			return run(exec.CommandContext(ctx, "kubectl", args...))
		},
		Shell: func(ctx context.Context, script string) (string, error) {
			return run(exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script))
		},
	}, nil
}

// Stop does nothing.
func (Existing) Stop(context.Context, bool) error { return nil }

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
