// Package controllers runs Grove's controllers, one for each of its kinds.
package controllers

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/events"

	"grove.io/grove/apis/client/clientset/versioned"
	"grove.io/grove/apis/client/clientset/versioned/scheme"
	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/internal/metrics"
	"grove.io/grove/controllers/internal/runner"
	"grove.io/grove/controllers/internal/scheduler"
	"grove.io/grove/controllers/podclique"
	"grove.io/grove/controllers/podcliqueset"
	"grove.io/grove/controllers/podgang"
	"grove.io/grove/controllers/scalinggroup"
)

// reporter is the name under which events are reported.
const reporter = "grove-operator"

// LongestHold is how long a change that nobody waits for may go without being told by a status: after it, an operator with nothing to
// change is at rest.
const LongestHold = apply.LongestHold

// Scheduler backends.
const (
	// BackendAuto is kube-scheduler's gang scheduling wherever and as soon as the API server serves it.
	BackendAuto = "auto"
	// BackendKubernetes is the same, and an error where it isn't served at the start.
	BackendKubernetes = "kubernetes"
	// BackendNone schedules each pod by itself.
	BackendNone = "none"
)

// Config says how an Operator works.
type Config struct {
	// Namespaces are those whose sets are looked after; all if there is none.
	Namespaces []string
	// SchedulerBackend is BackendAuto, BackendKubernetes or BackendNone.
	SchedulerBackend string
	// NetworkTopologyKey is the node label of pack groups that give none.
	NetworkTopologyKey string
	// InitImage is the image with grove-initc, for pods that start after others.
	InitImage string
	// LostNodeGrace is for how long a node may be silent before its pods are lost; 0 for ever.
	LostNodeGrace time.Duration
}

// Operator is the controllers and their caches. The caches can be filled, by Start, long before the controllers run.
type Operator struct {
	config      Config
	discovery   *scheduler.Discovery
	clusters    []*cluster.Cluster
	backends    []scheduler.Backend
	loops       []*runner.Loop
	broadcaster events.EventBroadcaster
	stop        chan struct{}
	background  sync.WaitGroup
}

// New makes the controllers.
func New(grove versioned.Interface, kube kubernetes.Interface, config Config) (*Operator, error) {
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: kube.EventsV1()})
	namespaces, probed := config.Namespaces, corev1.NamespaceDefault
	if len(namespaces) == 0 {
		namespaces = []string{corev1.NamespaceAll}
	} else {
		probed = namespaces[0]
	}
	o := &Operator{
		config:      config,
		discovery:   scheduler.NewDiscovery(kube, probed, config.NetworkTopologyKey),
		broadcaster: broadcaster,
		stop:        make(chan struct{}),
	}
	pace := &apply.Pace{}
	for _, namespace := range namespaces {
		one, err := cluster.New(grove, kube, broadcaster.NewRecorder(scheme.Scheme, reporter), namespace, o.stop)
		if err != nil {
			return nil, err
		}
		backend, err := o.backendFor(one)
		if err != nil {
			return nil, err
		}
		o.clusters, o.backends = append(o.clusters, one), append(o.backends, backend)
		o.loops = slices.Concat(o.loops, podcliqueset.New(one, backend, pace), podclique.New(one, backend, pace, config.InitImage, config.LostNodeGrace),
			scalinggroup.New(one, pace), podgang.New(one, backend, pace))
	}
	return o, nil
}

func (o *Operator) backendFor(one *cluster.Cluster) (scheduler.Backend, error) {
	if o.config.SchedulerBackend == BackendNone {
		return scheduler.None{NetworkTopologyKey: o.config.NetworkTopologyKey}, nil
	}
	return scheduler.NewKubernetes(o.discovery, one)
}

// Start fills the caches, and begins to send events and to look for gang scheduling. It returns once the caches are filled.
func (o *Operator) Start(ctx context.Context) error {
	if err := o.broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		return fmt.Errorf("recording events: %w", err)
	}
	for _, one := range o.clusters {
		one.Start()
	}
	if err := o.discover(ctx); err != nil {
		return err
	}
	for _, one := range o.clusters {
		if err := one.WaitForSync(ctx); err != nil {
			return err
		}
	}
	return nil
}

// discover looks for gang scheduling, now and until the operator stops.
func (o *Operator) discover(ctx context.Context) error {
	if o.config.SchedulerBackend == BackendNone {
		return nil
	}
	if err := o.discovery.Probe(ctx); err != nil {
		return err
	}
	if err := o.discovery.Required(); err != nil && o.config.SchedulerBackend == BackendKubernetes {
		return fmt.Errorf("--scheduler-backend=%s: %w", BackendKubernetes, err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	o.background.Go(func() { o.discovery.Run(ctx) })
	o.background.Go(func() {
		<-o.stop
		cancel()
	})
	return nil
}

// Run runs the controllers until the context ends, and returns when all their workers have. Meanwhile metrics count gangs: the caches of a
// replica that doesn't lead have the same ones once more.
func (o *Operator) Run(ctx context.Context) error {
	for _, one := range o.clusters {
		defer metrics.CountGangs(one.GroveInformers.Grove().V1alpha1().PodGangs().Informer().GetStore())()
	}
	running, ctx := errgroup.WithContext(ctx)
	for _, loop := range o.loops {
		running.Go(func() error { return loop.Run(ctx) })
	}
	return running.Wait()
}

// Stop ends what Start began.
func (o *Operator) Stop() {
	close(o.stop)
	o.background.Wait()
	for i, one := range o.clusters {
		one.Shutdown()
		o.backends[i].Shutdown()
	}
	o.broadcaster.Shutdown()
}
