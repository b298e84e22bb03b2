package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"grove.io/grove/e2e/cluster"
	"grove.io/grove/e2e/kubebuild"
)

// Two clusters started at once work side by side, and leave nothing behind, in the user's home neither.
func TestClustersSideBySide(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a control plane")
	}
	if _, err := kubebuild.ControlPlane(t.Context(), os.Stderr); err != nil {
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

// A controller-manager that ends at once, as it does where the API is served too late for it, is started again.
func TestControllerManagerThatEnds(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a control plane")
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	killed := make(chan error)
	go func() {
		killed <- wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
			found, err := filepath.Glob(filepath.Join(temp, "grove-cluster-*", "clusters", "*", "pids", "kube-controller-manager.pid"))
			if err != nil || len(found) == 0 {
				return false, err
			}
			content, err := os.ReadFile(found[0])
			if err != nil {
				return false, err
			}
			pid, err := strconv.Atoi(string(content))
			if err != nil {
				return false, nil // not written yet
			}
			return true, syscall.Kill(pid, syscall.SIGKILL)
		})
	}()
	err := useCluster(t.Context())
	if err := errors.Join(<-killed, err); err != nil {
		t.Error(err)
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
	return errors.Join(err, listErr, endAsKwok(ctx, c), c.Stop(ctx))
}

// endAsKwok checks that the fake kubelets may end pods only that somebody has deleted, and do.
func endAsKwok(ctx context.Context, c *cluster.Cluster) error {
	const script = `
		kubectl create --filename - <<< '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "live"}, "spec": {"containers": [{"name": "main", "image": "none"}]}}'
		kubectl wait --for=condition=Ready pod/live --timeout=1m
		kubectl delete pod live --as kwok --as-group system:masters 2>&1 && exit 1
		kubectl delete pod live --timeout=1m`
	out, err := c.Shell(ctx, script)
	if err != nil || !strings.Contains(out, "nobody has deleted this pod") {
		return fmt.Errorf("ending pods: %w\n%s", err, out)
	}
	return nil
}
