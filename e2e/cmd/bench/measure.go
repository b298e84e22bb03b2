package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"grove.io/grove/controllers"
)

const (
	// largePods is how many pods the large workloads have.
	largePods  = 1000
	podsOfPair = 2
	// smallPods is how many pods the small sets have.
	smallPods = 10
	// smallRuns is how often a small set is measured.
	smallRuns = 30
	// manySets is how many small sets exist at a time in the end.
	manySets = 100

	// settling is how long the operator may still write after everything is as it should be: statuses are coalesced.
	settling = controllers.LongestHold + time.Second
	// resting is how long the operator is watched with nothing to do.
	resting = time.Minute
)

// life is how long a workload took to reach each stage, and what the operator did meanwhile.
type life struct {
	exist, ready, available time.Duration
	// podsGone is without, allGone with the objects between the workload and its pods.
	podsGone, allGone time.Duration

	// lag is the median time from a gang's last pod being bound to the PodGang saying so.
	lag time.Duration

	creating, deleting requests
	// cpu is what each program used until all pods were ready, and a moment longer.
	cpu consumption
}

// parts are what can be measured, in this order. The pods of the last have no kubelet, and never end.
var parts = []string{"small", "told", "large", "many", "update", scalePart, "order"}

// scalePart is measured only where it is asked for: it needs more nodes, and longer, than all others.
const scalePart = "scale"

// measure measures the parts that were asked for.
func (b *bench) measure(ctx context.Context) error {
	measures := map[string]func(context.Context) error{"small": b.measureSmall, "told": b.measureTold, "large": b.measureLarge, "many": b.measureMany,
		"update": b.measureUpdate, scalePart: b.measureScale, "order": b.measureOrder}
	for _, part := range parts {
		if !slices.Contains(b.parts, part) {
			continue
		}
		if err := measures[part](ctx); err != nil {
			return fmt.Errorf("measuring %s: %w", part, err)
		}
	}
	return nil
}

// measureSmall measures one small set, several times.
func (b *bench) measureSmall(ctx context.Context) error {
	var ready, available []time.Duration
	for range smallRuns {
		small := b.podCliqueSets("small", 1, smallPods, tenPods())
		small.small = true
		l, err := b.live(ctx, small, nil)
		if err != nil {
			return err
		}
		ready, available = append(ready, l.ready), append(available, l.available)
	}
	b.report.small(median(ready), slices.Max(ready), median(available))
	return nil
}

func median[T cmp.Ordered](figures []T) T {
	slices.Sort(figures)
	return figures[len(figures)/2]
}

// measureLarge compares a Deployment, bare gangs and a set of as many pods. A small Deployment goes first, since the first pods of a
// control plane are slower than all others.
func (b *bench) measureLarge(ctx context.Context) error {
	if _, err := b.live(ctx, b.deployment("first", smallPods), nil); err != nil {
		return err
	}
	plain, err := b.live(ctx, b.deployment("plain", largePods), nil)
	if err != nil {
		return err
	}
	bare, err := b.live(ctx, b.bareGangs("bare", largePods/podsOfPair, podsOfPair), nil)
	if err != nil {
		return err
	}
	set := b.podCliqueSets("large", 1, largePods, pairs(largePods/podsOfPair))
	grove, err := b.live(ctx, set, b.measureUnchanged)
	if err != nil {
		return err
	}
	b.report.large(plain, bare, grove, b.raiseLimits)
	return nil
}

// measureUnchanged counts requests while the large set exists and is as it should be.
func (b *bench) measureUnchanged(ctx context.Context) error {
	touched, err := b.touch(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("counting requests at rest for %s\n", resting)
	atRest, err := b.requestsUntilAfter(ctx, time.Now(), resting)
	if err != nil {
		return err
	}
	b.report.unchanged(touched, atRest)
	return nil
}

// touch sets an annotation of the large set, and counts what the operator does about it for a while.
func (b *bench) touch(ctx context.Context) (requests, error) {
	from := time.Now()
	patch := []byte(`{"metadata": {"annotations": {"example.com/touched": "yes"}}}`)
	_, err := b.grove.GroveV1alpha1().PodCliqueSets(namespace).Patch(ctx, "large-0", types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return nil, err
	}
	return b.requestsUntilAfter(ctx, from, settling)
}

// measureMany counts the requests for many small sets.
func (b *bench) measureMany(ctx context.Context) error {
	l, err := b.live(ctx, b.podCliqueSets("many", manySets, smallPods, tenPods()), nil)
	if err != nil {
		return err
	}
	b.report.many(l)
	return nil
}

// measureTotals reads what the operator has used so far.
func (b *bench) measureTotals() error {
	cpu, err := cpuTime(b.operator.PID())
	if err != nil {
		return err
	}
	memory, err := peakMemory(b.operator.PID())
	if err != nil {
		return err
	}
	b.report.totals(cpu, memory)
	return nil
}

// live creates a workload, does something while it is up, and deletes it.
func (b *bench) live(ctx context.Context, w workload, meanwhile func(context.Context) error) (life, error) {
	var l life
	if err := b.create(ctx, w, &l); err != nil {
		return l, fmt.Errorf("creating %s: %w", w.name, err)
	}
	fmt.Printf("%s: pods exist after %s, ready after %s\n", w.name, seconds(l.exist), seconds(l.ready))
	if meanwhile != nil {
		if err := meanwhile(ctx); err != nil {
			return l, err
		}
	}
	if err := b.delete(ctx, w, &l); err != nil {
		return l, fmt.Errorf("deleting %s: %w", w.name, err)
	}
	fmt.Printf("%s: gone after %s\n", w.name, seconds(l.podsGone))
	return l, nil
}

func (b *bench) create(ctx context.Context, w workload, l *life) error {
	if w.small {
		return b.createSmall(ctx, w, l)
	}
	before, err := b.consumed()
	if err != nil {
		return err
	}
	exist, ready, available := b.seen.pods.exist(w.pods), b.seen.pods.complete(w.pods), b.seen.sets.complete(w.sets)
	b.seen.lag.reset()
	start := time.Now()
	if err := w.create(ctx); err != nil {
		return err
	}
	if l.exist, err = exist.since(ctx, start); err != nil {
		return err
	}
	if l.ready, err = ready.since(ctx, start); err != nil {
		return err
	}
	if l.available, err = available.since(ctx, start); err != nil {
		return err
	}
	if l.creating, err = b.requestsUntilAfter(ctx, start, settling); err != nil {
		return err
	}
	l.lag = b.seen.lag.median()
	after, err := b.consumed()
	l.cpu = after.since(before)
	return err
}

// createSmall creates a workload of which nothing but times is measured: no window for late requests.
func (b *bench) createSmall(ctx context.Context, w workload, l *life) error {
	exist, ready, available := b.seen.pods.exist(w.pods), b.seen.pods.complete(w.pods), b.seen.sets.complete(w.sets)
	start := time.Now()
	if err := w.create(ctx); err != nil {
		return err
	}
	var err error
	if l.exist, err = exist.since(ctx, start); err != nil {
		return err
	}
	if l.ready, err = ready.since(ctx, start); err != nil {
		return err
	}
	l.available, err = available.since(ctx, start)
	return err
}

func (b *bench) delete(ctx context.Context, w workload, l *life) error {
	podsGone, betweenGone := b.seen.pods.exist(0), b.seen.between.exist(0)
	start := time.Now()
	err := w.delete(ctx)
	if err != nil {
		return err
	}
	if l.podsGone, err = podsGone.since(ctx, start); err != nil {
		return err
	}
	if l.allGone, err = betweenGone.since(ctx, start); err != nil {
		return err
	}
	l.allGone = max(l.allGone, l.podsGone)
	if w.sets == 0 || w.small {
		return nil
	}
	l.deleting, err = b.requestsUntilAfter(ctx, start, settling)
	return err
}

// requestsUntilAfter waits, and counts the operator's requests from a time to the end of the wait.
func (b *bench) requestsUntilAfter(ctx context.Context, from time.Time, wait time.Duration) (requests, error) {
	select {
	case <-time.After(wait):
		return b.requestsOf(from, time.Now())
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
