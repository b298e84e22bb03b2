package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// MetricsImage has metrics-server; `make test-images` builds it.
const MetricsImage = "grove.io/metrics-server:dev"

// metricsServer is a kustomization of metrics-server's own manifests, with the image of the tests. It looks as often as it can, and takes the
// certificates that kubelets of kind sign themselves.
const metricsServer = `
resources: [%q]
images:
- {name: gcr.io/k8s-staging-metrics-server/metrics-server, newName: grove.io/metrics-server, newTag: dev}
patches:
- target: {kind: Deployment}
  patch: |
    - {op: add, path: /spec/template/spec/containers/0/args/-, value: --metric-resolution=10s}
    - {op: add, path: /spec/template/spec/containers/0/args/-, value: --kubelet-request-timeout=8s}
    - {op: add, path: /spec/template/spec/containers/0/args/-, value: --kubelet-insecure-tls}
    - {op: replace, path: /spec/template/spec/containers/0/readinessProbe/initialDelaySeconds, value: 1}
    - {op: replace, path: /spec/template/spec/containers/0/readinessProbe/periodSeconds, value: 1}
`

// InstallMetricsServer installs metrics-server, and returns when it has metrics.
func (k *Kind) InstallMetricsServer(ctx context.Context) error {
	if err := k.LoadImage(ctx, MetricsImage); err != nil {
		return err
	}
	source, err := moduleDir(ctx, "e2e/metricsserver", "sigs.k8s.io/metrics-server")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "grove-metrics-server-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// Kustomize reads directories outside of its own, by relative paths only.
	base, err := filepath.Rel(dir, filepath.Join(source, "manifests", "base"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), fmt.Appendf(nil, metricsServer, base), 0o600); err != nil {
		return err
	}
	k.say("Installing metrics-server.")
	if _, err := k.Kubectl(ctx, "apply", "--server-side", "-k", dir); err != nil {
		return err
	}
	_, err = k.Kubectl(ctx, "wait", "--for=condition=Available", "--timeout=3m", "apiservice/v1beta1.metrics.k8s.io")
	return err
}
