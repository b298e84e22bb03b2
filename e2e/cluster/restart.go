package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

// killTimeout bounds how long a killed process is still there.
const killTimeout = time.Minute

// KillControlPlane ends kube-apiserver, kube-scheduler and kube-controller-manager, as when their machine crashes, and waits until they have
// ended: kwokctl leaves alone what is still there. What etcd has stays. Those that watch the API server don't get over its crash by
// themselves: garbage collection keeps forever what belonged to an object that was deleted, and made again, while it saw nothing, and the
// scheduler ends itself when a pod isn't where it thought that it had put it.
func (c *Cluster) KillControlPlane(ctx context.Context) error {
	var errs []error
	for _, program := range []string{"kube-scheduler", "kube-controller-manager", "kube-apiserver"} {
		errs = append(errs, c.kill(ctx, program))
	}
	return errors.Join(errs...)
}

// PID is the process id of a program of the control plane, such as kube-apiserver or etcd.
func (c *Cluster) PID(program string) (int, error) {
	text, err := os.ReadFile(filepath.Join(c.dir, "clusters", c.Name, "pids", program+".pid"))
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s's pid: %w", program, err)
	}
	return pid, nil
}

func (c *Cluster) kill(ctx context.Context, program string) error {
	pid, err := c.PID(program)
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill %s: %w", program, err)
	}
	return wait.PollUntilContextTimeout(ctx, 10*time.Millisecond, killTimeout, true, func(context.Context) (bool, error) {
		return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH), nil
	})
}

// StartControlPlane starts what has ended of the control plane, and waits until the API is served and controllers work.
func (c *Cluster) StartControlPlane(ctx context.Context) error {
	if err := c.kwokctl(ctx, "start", "cluster", "--name", c.Name, "--wait", startTimeout.String()); err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(c.config)
	if err != nil {
		return err
	}
	// Its return shows that kube-controller-manager is at work again.
	err = client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Delete(ctx, "default", metav1.DeleteOptions{})
	if ignoreNotFound(err) != nil {
		return err
	}
	return c.waitForControllers(ctx, client)
}
