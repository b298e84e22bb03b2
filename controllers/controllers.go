// Package controllers runs Grove's controllers, one for each of its kinds.
package controllers

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/events"

	"grove.io/grove/apis/client/clientset/versioned"
	"grove.io/grove/apis/client/clientset/versioned/scheme"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/internal/runner"
	"grove.io/grove/controllers/podclique"
	"grove.io/grove/controllers/podcliqueset"
	"grove.io/grove/controllers/podgang"
	"grove.io/grove/controllers/scalinggroup"
)

// reporter is the name under which events are reported.
const reporter = "grove-operator"

// Operator is the controllers and their caches. The caches can be filled, by Start, long before the controllers run.
type Operator struct {
	clusters    []*cluster.Cluster
	loops       []*runner.Loop
	broadcaster events.EventBroadcaster
	stop        chan struct{}
}

// New makes the controllers for some namespaces, or for all if none is given.
func New(grove versioned.Interface, kube kubernetes.Interface, namespaces []string) (*Operator, error) {
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: kube.EventsV1()})
	o := &Operator{broadcaster: broadcaster, stop: make(chan struct{})}
	if len(namespaces) == 0 {
		namespaces = []string{corev1.NamespaceAll}
	}
	for _, namespace := range namespaces {
		one, err := cluster.New(grove, kube, broadcaster.NewRecorder(scheme.Scheme, reporter), namespace)
		if err != nil {
			return nil, err
		}
		o.clusters = append(o.clusters, one)
		for _, newController := range []func(*cluster.Cluster) []*runner.Loop{
			podcliqueset.New, podclique.New, scalinggroup.New, podgang.New,
		} {
			o.loops = append(o.loops, newController(one)...)
		}
	}
	return o, nil
}

// Start fills the caches and begins to send events. It returns once the caches are filled.
func (o *Operator) Start(ctx context.Context) error {
	if err := o.broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		return fmt.Errorf("recording events: %w", err)
	}
	for _, one := range o.clusters {
		one.Start(o.stop)
	}
	for _, one := range o.clusters {
		if err := one.WaitForSync(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Run runs the controllers until the context ends, and returns when all their workers have.
func (o *Operator) Run(ctx context.Context) error {
	running, ctx := errgroup.WithContext(ctx)
	for _, loop := range o.loops {
		running.Go(func() error { return loop.Run(ctx) })
	}
	return running.Wait()
}

// Stop ends what Start began.
func (o *Operator) Stop() {
	close(o.stop)
	for _, one := range o.clusters {
		one.Shutdown()
	}
	o.broadcaster.Shutdown()
}
