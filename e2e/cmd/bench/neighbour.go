package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
)

const (
	// neighbours is the namespace of somebody whose sets are small. Requests for it aren't counted.
	neighbours = "neighbours"
	// neighbourEvery is how often such a set is created, if the one before is gone: seldom enough to take little from what is measured beside it.
	neighbourEvery = 5 * time.Second
)

// neighbour creates small sets in a namespace of its own while others create something large.
type neighbour struct {
	*bench
	pods    *tally
	created int
}

func (b *bench) newNeighbour(ctx context.Context) (*neighbour, error) {
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: neighbours}}
	if _, err := b.core.CoreV1().Namespaces().Create(ctx, object, metav1.CreateOptions{}); err != nil {
		return nil, err
	}
	n := &neighbour{bench: b, pods: newTally(podReady)}
	informer, err := podInformer(b.cluster.RESTConfig(), neighbours)
	if err != nil {
		return nil, err
	}
	return n, n.pods.follow(ctx, informer)
}

// beside measures how long small sets take until the pods of a large workload are ready, which do creates.
func (n *neighbour) beside(ctx context.Context, shape string, pods int, do func(context.Context) error) error {
	ready := n.seen.pods.complete(pods)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var exist, took []time.Duration
	finished := make(chan error, 1)
	go func() {
		var err error
		exist, took, err = n.createUntil(ctx, ready)
		finished <- err
	}()
	err := do(ctx)
	if err != nil {
		cancel()
	}
	if err := errors.Join(err, <-finished); err != nil {
		return err
	}
	n.report.neighbour(shape, pods, exist, took)
	return nil
}

// createUntil creates one small set after the other, until a milestone is reached, and returns how long the pods of each took to exist and to be ready.
func (n *neighbour) createUntil(ctx context.Context, reached *milestone) (exist, ready []time.Duration, err error) {
	ticks := time.NewTicker(neighbourEvery)
	defer ticks.Stop()
	for {
		existed, took, err := n.createOne(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("a small set in the namespace %s: %w", neighbours, err)
		}
		exist, ready = append(exist, existed), append(ready, took)
		select {
		case <-reached.at:
			fmt.Printf("beside it, %d small sets: ready after %s at most\n", len(ready), seconds(slices.Max(ready)))
			return exist, ready, nil
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-ticks.C:
		}
	}
}

// createOne creates a small set, waits until its pods are ready, and deletes it again.
func (n *neighbour) createOne(ctx context.Context) (exist, ready time.Duration, err error) {
	sets := n.grove.GroveV1alpha1().PodCliqueSets(neighbours)
	n.created++
	name := fmt.Sprintf("small-%d", n.created)
	existing, complete := n.pods.exist(smallPods), n.pods.complete(smallPods)
	start := time.Now()
	set := &v1alpha1.PodCliqueSet{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: tenPods()}
	if _, err := sets.Create(ctx, set, metav1.CreateOptions{}); err != nil {
		return 0, 0, err
	}
	if exist, err = existing.since(ctx, start); err != nil {
		return 0, 0, err
	}
	if ready, err = complete.since(ctx, start); err != nil {
		return 0, 0, err
	}
	gone := n.pods.exist(0)
	if err := sets.Delete(ctx, name, background); err != nil {
		return 0, 0, err
	}
	_, err = gone.since(ctx, start)
	return exist, ready, err
}
