package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
)

// moduleDir returns where the files of a module are, and downloads it if need be. Pin is a directory of the repository: the module there says
// which version, and what its content has to be.
func moduleDir(ctx context.Context, pin, module string) (string, error) {
	root, _, err := repository(ctx)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	cmd.Dir = filepath.Join(root, pin)
	out, err := Output(cmd)
	if err != nil {
		return "", err
	}
	var downloaded struct{ Dir string }
	if err := json.Unmarshal(out, &downloaded); err != nil {
		return "", fmt.Errorf("go mod download -json %s: %w", module, err)
	}
	return downloaded.Dir, nil
}

// InstallKEDA installs the CustomResourceDefinitions of KEDA, without what acts on its objects, and waits until their API is served.
func (c *Cluster) InstallKEDA(ctx context.Context) error {
	dir, err := moduleDir(ctx, "e2e/keda", "github.com/kedacore/keda/v2")
	if err != nil {
		return err
	}
	definitions := filepath.Join(dir, "config", "crd", "bases")
	if _, err := c.Kubectl(ctx, "apply", "--server-side", "-f", definitions); err != nil {
		return err
	}
	_, err = c.Kubectl(ctx, "wait", "--for=condition=Established", "--timeout=60s", "-f", definitions)
	return err
}
