package cluster_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"grove.io/grove/e2e/cluster"
)

// Two clusters started at once work side by side, and leave nothing behind, in the user's home neither.
func TestClustersSideBySide(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a control plane")
	}
	if _, err := cluster.ControlPlane(t.Context(), os.Stderr); err != nil {
		t.Fatal(err)
	}
	temp, kubeconfig := t.TempDir(), filepath.Join(t.TempDir(), "config")
	t.Setenv("TMPDIR", temp)
	t.Setenv("KUBECONFIG", kubeconfig)

	results := make(chan error)
	for range 2 {
		go func() { results <- useCluster(t.Context()) }()
	}
	if err := errors.Join(<-results, <-results); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(temp, "grove-cluster-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, error %v", left, err)
	}
	if _, err := os.Stat(kubeconfig); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the user's kubeconfig was touched: %v", err)
	}
}

func useCluster(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	c, err := cluster.Start(ctx, cluster.Options{})
	if err != nil {
		return err
	}
	nodes := cluster.DefaultFleet().Nodes()
	err = c.AddNodes(ctx, nodes...)
	listed, listErr := c.Kubectl(ctx, "get", "nodes", "--no-headers")
	if got := strings.Count(listed, " Ready "); got != len(nodes) {
		err = errors.Join(err, errors.New("nodes are not ready:\n"+listed))
	}
	return errors.Join(err, listErr, c.Stop(ctx))
}
