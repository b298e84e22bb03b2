package cluster

import (
	"context"
	"os"
	"os/exec"
)

// Helm runs the Helm that tools/helm names, and returns what it wrote to stdout. Its paths are absolute, or from the root of the repository.
func (k *Kind) Helm(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"tool", "-modfile=tools/helm/go.mod", "helm"}, args...)...)
	cmd.Dir = k.root
	cmd.Env = append(os.Environ(), "KUBECONFIG="+k.Kubeconfig)
	out, err := Output(cmd)
	return string(out), err
}
