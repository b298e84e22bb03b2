package cluster

import (
	"context"
	"path/filepath"
)

// InstallCRDs installs the repository's CustomResourceDefinitions, and waits until their API is served.
func (c *Cluster) InstallCRDs(ctx context.Context) error {
	root, _, err := repository(ctx)
	if err != nil {
		return err
	}
	crds := filepath.Join(root, "crds")
	if _, err := c.Kubectl(ctx, "apply", "--server-side", "-f", crds); err != nil {
		return err
	}
	_, err = c.Kubectl(ctx, "wait", "--for=condition=Established", "--timeout=60s", "--recursive=false", "-f", crds)
	return err
}
