package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// changedPods is how many pods become unready, and ready again, one after the other, and changeEvery how often one does: more rarely than
	// statuses are held, so that each is told by itself.
	changedPods = 20
	changeEvery = time.Second
	// quietSample is a time in which a quiet operator uses a processor for quietCPU at most.
	quietSample = 500 * time.Millisecond
	quietCPU    = 50 * time.Millisecond
)

// spent is what the operator used and asked for in some time.
type spent struct {
	cpu      time.Duration
	requests requests
}

// repose is what little changes cost beside many pods.
type repose struct {
	// changes is how many pods became unready, and ready again.
	changes        int
	unready, ready spent
	// idle is what as long a time costs in which nothing changes.
	idle spent
	// restarted is from the start of another operator to when it had nothing more to do, and asked what it asked for until then.
	restarted time.Duration
	asked     requests
}

// measureRest measures the wide set, once it is up: what it costs that single pods change, and that the operator starts anew.
func (b *bench) measureRest(ctx context.Context) error {
	r := repose{changes: min(changedPods, slices.Max(b.sizes)/smallPods)}
	fmt.Printf("making %d pods unready and ready again, one after the other\n", r.changes)
	var err error
	if r.idle, err = b.spend(ctx, r.changes, func(int) error { return nil }); err != nil {
		return err
	}
	if r.unready, err = b.spend(ctx, r.changes, func(i int) error { return b.setReady(ctx, i, metav1.ConditionFalse) }); err != nil {
		return err
	}
	if r.ready, err = b.spend(ctx, r.changes, func(i int) error { return b.setReady(ctx, i, metav1.ConditionTrue) }); err != nil {
		return err
	}
	fmt.Println("starting the operator anew")
	if r.restarted, r.asked, err = b.restartOperator(ctx); err != nil {
		return err
	}
	b.report.rest(r)
	return nil
}

// spend does something several times, and measures the operator until it has told what it has to.
func (b *bench) spend(ctx context.Context, times int, do func(i int) error) (spent, error) {
	var s spent
	before, err := cpuTime(b.operator.PID())
	if err != nil {
		return s, err
	}
	from := time.Now()
	ticks := time.NewTicker(changeEvery)
	defer ticks.Stop()
	for i := range times {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return s, ctx.Err()
		}
		if err := do(i); err != nil {
			return s, err
		}
	}
	if s.requests, err = b.requestsUntilAfter(ctx, from, settling); err != nil {
		return s, err
	}
	after, err := cpuTime(b.operator.PID())
	s.cpu = after - before
	return s, err
}

// setReady says of a pod of replica i of the wide set what its kubelet would.
func (b *bench) setReady(ctx context.Context, i int, ready metav1.ConditionStatus) error {
	patch := fmt.Appendf(nil, `{"status": {"conditions": [{"type": "Ready", "status": %q}]}}`, ready)
	_, err := b.core.CoreV1().Pods(namespace).Patch(ctx, fmt.Sprintf("wide-0-router-%d-0", i), types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

// restartOperator ends the operator, starts another, and waits until that is quiet, and until nothing can come after it. It returns how long it was
// busy, and what it asked for.
func (b *bench) restartOperator(ctx context.Context) (time.Duration, requests, error) {
	if err := b.operator.Stop(ctx); err != nil {
		return 0, nil, err
	}
	start := time.Now()
	if err := b.startOperator(ctx); err != nil {
		return 0, nil, err
	}
	ticks := time.NewTicker(quietSample)
	defer ticks.Stop()
	var used time.Duration
	busy := start
	for time.Since(busy) < settling {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return 0, nil, ctx.Err()
		}
		now, err := cpuTime(b.operator.PID())
		if err != nil {
			return 0, nil, err
		}
		if now-used > quietCPU {
			busy = time.Now()
		}
		used = now
	}
	asked, err := b.requestsOf(start, time.Now())
	return busy.Sub(start), asked, err
}
