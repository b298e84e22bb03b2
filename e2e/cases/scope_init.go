package cases

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/startup"
	"grove.io/grove/e2e/cluster"
)

// initRun is a running init container.
type initRun struct {
	pod   string
	cmd   *exec.Cmd
	log   lockedBuffer
	ended chan struct{}

	// To be read once ended is closed: what the program returned, and its termination message.
	err  error
	said string
}

// lockedBuffer can be written and read at a time.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// startInit runs the first init container of a pod.
func (s *scope) startInit(name string) *initRun {
	s.Helper()
	pod := s.pod(name)
	container := pod.Spec.InitContainers[0]
	// The program outlives the step that starts it, and ends with the case at the latest.
	dir, err := os.MkdirTemp("", "grove-initc-")
	if err != nil {
		s.Fatal(err)
	}
	run, message := &initRun{pod: name, ended: make(chan struct{})}, filepath.Join(dir, "message")
	run.cmd = exec.CommandContext(s.ctx, s.InitProgram, append(container.Args, "--kubeconfig="+s.kubeconfigOf(pod, dir), "--termination-message-path="+message)...)
	run.cmd.Env = []string{
		startup.EnvNamespace + "=" + pod.Namespace,
		startup.EnvPodGang + "=" + pod.Labels[v1alpha1.LabelPodGang],
	}
	run.cmd.Stdout, run.cmd.Stderr = &run.log, &run.log
	if err := run.cmd.Start(); err != nil {
		s.Fatal(err)
	}
	go func() {
		defer close(run.ended)
		run.err = run.cmd.Wait()
		said, err := os.ReadFile(message)
		run.said = string(said)
		run.err = errors.Join(run.err, err, os.RemoveAll(dir))
	}()
	return run
}

// kubeconfigOf writes a kubeconfig with a token of a pod's account.
func (s *scope) kubeconfigOf(pod *corev1.Pod, dir string) string {
	s.Helper()
	path := filepath.Join(dir, "kubeconfig")
	if err := cluster.WriteKubeconfig(path, s.Config, s.tokenOf(pod.Spec.ServiceAccountName)); err != nil {
		s.Fatal(err)
	}
	return path
}

func (s *scope) waitForLog(run *initRun, text string) {
	s.Helper()
	s.eventually(fmt.Sprintf("the init container of %s says %q", run.pod, text), func() (string, error) {
		if log := run.log.String(); !strings.Contains(log, text) {
			return "its log: " + log, nil
		}
		return "", nil
	})
}

func (s *scope) waitForEnd(run *initRun) {
	s.Helper()
	select {
	case <-run.ended:
		if run.err != nil {
			s.Errorf("the init container of %s: %v; its log: %s", run.pod, run.err, run.log.String())
		}
	case <-s.ctx.Done():
		s.Fatalf("the init container of %s still waits; its log: %s", run.pod, run.log.String())
	}
}

// mustEndAtOnce checks that there was nothing to wait for.
func (s *scope) mustEndAtOnce(run *initRun) {
	s.Helper()
	began := time.Now()
	s.waitForEnd(run)
	if log := run.log.String(); strings.Contains(log, "Waiting") {
		s.Errorf("the init container of %s waited %s though all were ready; its log: %s", run.pod, time.Since(began), log)
	}
}
