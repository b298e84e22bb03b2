package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/startup"
	"grove.io/grove/e2e/cluster"
)

const (
	// startRuns is how often a start after one pod is measured.
	startRuns = 21
	// herdSize is how many init containers wait for one clique. Each is a process here.
	herdSize = 1000
	// herdWatched is for how long requests are counted while all of them wait.
	herdWatched = 10 * time.Second
	// initAgent begins the user agent of init containers.
	initAgent = "grove-initc"
)

// herd is what many init containers cost that wait for one clique.
type herd struct {
	// watches and others are their requests.
	watches, others int
	// operator is what the operator asked while all of them waited, and cpu what that took it.
	operator requests
	cpu      time.Duration
	// memory is the median of what each has resident.
	memory int64
	// released is the time from the pod that they wait for becoming ready to the end of the last of them.
	released time.Duration
}

// measureOrder measures how soon an init container ends after the pod that it waits for has become ready, and what it costs when
// many wait. The pods of the set have no kubelet, not even a fake one.
func (b *bench) measureOrder(ctx context.Context) error {
	w := b.podCliqueSets("ordered", 1, 2*(startRuns+1), chains(startRuns+1))
	if err := w.create(ctx); err != nil {
		return err
	}
	if err := b.waitUntilBound(ctx, w.pods); err != nil {
		return fmt.Errorf("waiting for the pods of %s: %w", w.name, err)
	}
	fmt.Printf("running init containers: %d in turn, and %d that wait for one pod\n", startRuns, herdSize)
	var begins, ends []time.Duration
	for i := range startRuns {
		begin, end, err := b.startAfter(ctx, i)
		if err != nil {
			return err
		}
		begins, ends = append(begins, begin), append(ends, end)
	}
	h, err := b.measureHerd(ctx, startRuns)
	if err != nil {
		return err
	}
	b.report.order(median(begins), median(ends), h)
	return nil
}

// waitUntilBound waits until the pods of the ordered set are bound to nodes.
func (b *bench) waitUntilBound(ctx context.Context, pods int) error {
	selector := metav1.ListOptions{LabelSelector: v1alpha1.LabelPodCliqueSet + "=ordered-0", FieldSelector: "spec.nodeName!="}
	return wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		list, err := b.core.CoreV1().Pods(namespace).List(ctx, selector)
		return err == nil && len(list.Items) == pods, err
	})
}

// startAfter runs the init container of the second pod of replica i, makes the first one ready, and returns how long it took from
// the start of the program to its first word, and from the pod being ready to its end.
func (b *bench) startAfter(ctx context.Context, i int) (begin, end time.Duration, err error) {
	began := time.Now()
	init, err := b.startInit(ctx, i)
	if err != nil {
		return 0, 0, err
	}
	if err := init.waitForWord(); err != nil {
		return 0, 0, err
	}
	begin = time.Since(began)
	began = time.Now()
	if err := b.makeReady(ctx, i); err != nil {
		return 0, 0, err
	}
	err = init.wait()
	return begin, time.Since(began), err
}

func (b *bench) measureHerd(ctx context.Context, i int) (herd, error) {
	var h herd
	began := time.Now()
	var inits []*initProcess
	for range herdSize {
		init, err := b.startInit(ctx, i)
		if err != nil {
			return h, err
		}
		inits = append(inits, init)
	}
	var memory []int64
	for _, init := range inits {
		if err := init.waitForWord(); err != nil {
			return h, err
		}
		resident, err := peakMemory(init.cmd.Process.Pid)
		if err != nil {
			return h, err
		}
		memory = append(memory, resident)
	}
	h.memory = median(memory)
	before, err := cpuTime(b.operator.PID())
	if err != nil {
		return h, err
	}
	if h.operator, err = b.requestsUntilAfter(ctx, time.Now(), herdWatched); err != nil {
		return h, err
	}
	after, err := cpuTime(b.operator.PID())
	if err != nil {
		return h, err
	}
	h.cpu = after - before
	asked, err := cluster.Requests(b.cluster.AuditLog, initAgent, began, time.Now())
	if err != nil {
		return h, err
	}
	for _, request := range asked {
		if request.Verb == "watch" {
			h.watches++
		} else {
			h.others++
		}
	}
	released := time.Now()
	if err := b.makeReady(ctx, i); err != nil {
		return h, err
	}
	var errs []error
	for _, init := range inits {
		errs = append(errs, init.wait())
	}
	h.released = time.Since(released)
	return h, errors.Join(errs...)
}

// makeReady says of the first pod of replica i what a kubelet would.
func (b *bench) makeReady(ctx context.Context, i int) error {
	patch := []byte(`{"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}`)
	_, err := b.core.CoreV1().Pods(namespace).Patch(ctx, fmt.Sprintf("ordered-0-first-%d-0", i), types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

// initProcess is a running grove-initc.
type initProcess struct {
	cmd *exec.Cmd
	log *bufio.Reader
}

// startInit runs the init container of the second pod of replica i.
func (b *bench) startInit(ctx context.Context, i int) (*initProcess, error) {
	pod, err := b.core.CoreV1().Pods(namespace).Get(ctx, fmt.Sprintf("ordered-0-second-%d-0", i), metav1.GetOptions{ResourceVersion: "0"})
	if err != nil {
		return nil, err
	}
	args := append(pod.Spec.InitContainers[0].Args, "--kubeconfig="+b.cluster.Kubeconfig, "--termination-message-path=")
	cmd := exec.CommandContext(ctx, b.initPath, args...)
	cmd.Env = []string{startup.EnvNamespace + "=" + namespace, startup.EnvPodGang + "=" + pod.Labels[v1alpha1.LabelPodGang]}
	log, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	return &initProcess{cmd: cmd, log: bufio.NewReader(log)}, cmd.Start()
}

// waitForWord waits until the process says what it waits for.
func (p *initProcess) waitForWord() error {
	line, err := p.log.ReadString('\n')
	if err == nil && !strings.Contains(line, "Waiting") {
		err = fmt.Errorf("said %q", line)
	}
	return err
}

// wait waits until the process has ended well.
func (p *initProcess) wait() error {
	_, err := io.Copy(io.Discard, p.log)
	return errors.Join(err, p.cmd.Wait())
}
