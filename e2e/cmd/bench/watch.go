package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"grove.io/grove/apis/client/clientset/versioned"
	groveinformers "grove.io/grove/apis/client/informers/externalversions"
	"grove.io/grove/apis/grove/v1alpha1"
)

// between are the kinds of objects between a workload and its pods.
var between = []schema.GroupVersionResource{
	{Group: "apps", Version: "v1", Resource: "replicasets"},
	v1alpha1.SchemeGroupVersion.WithResource("podcliques"),
	v1alpha1.SchemeGroupVersion.WithResource("podcliquescalinggroups"),
	v1alpha1.SchemeGroupVersion.WithResource("podgangs"),
	schedulingv1beta1.SchemeGroupVersion.WithResource("podgroups"),
}

// seen is what watches have told.
type seen struct {
	// pods are done when they are ready.
	pods *tally
	// sets are done when they are available.
	sets *tally
	// between are never done.
	between *tally
	// lag is how far PodGangs are behind their pods.
	lag *lag
	// renewed are pods that are done when they are of the new version and ready, and idle is for how long none was waited for.
	renewed *tally
	idle    *idle
}

// watchAll watches the namespace, and plays the kubelet of pods that have none, until the context ends. It returns once everything that exists has been seen.
func watchAll(ctx context.Context, config *rest.Config, core kubernetes.Interface) (*seen, error) {
	s := &seen{
		pods:    newTally(podReady),
		sets:    newTally(setAvailable),
		between: newTally(func(metav1.Object) bool { return false }),
		lag:     newLag(),
		renewed: newTally(podRenewed),
		idle:    newIdle(),
	}
	pods, err := podInformer(config, namespace)
	if err != nil {
		return nil, err
	}
	grove, err := versioned.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	metadataClient, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	groves := groveinformers.NewSharedInformerFactoryWithOptions(grove, 0, groveinformers.WithNamespace(namespace)).Grove().V1alpha1()
	sets, podGangs := groves.PodCliqueSets().Informer(), groves.PodGangs().Informer()
	played := &kubelet{ctx: ctx, core: core, bound: map[types.UID]bool{}, ended: map[types.UID]bool{}}
	if err := errors.Join(s.lag.follow(pods, podGangs), s.idle.follow(pods), s.renewed.add(pods), played.follow(pods)); err != nil {
		return nil, err
	}
	go podGangs.RunWithContext(ctx)
	followed := []error{s.pods.follow(ctx, pods), s.sets.follow(ctx, sets)}
	children := metadatainformer.NewFilteredSharedInformerFactory(metadataClient, 0, namespace, nil)
	for _, resource := range between {
		followed = append(followed, s.between.follow(ctx, children.ForResource(resource).Informer()))
	}
	return s, errors.Join(followed...)
}

// podInformer watches the pods of a namespace once it runs.
func podInformer(config *rest.Config, namespace string) (cache.SharedIndexInformer, error) {
	protobuf := rest.CopyConfig(config)
	protobuf.ContentType = runtime.ContentTypeProtobuf
	core, err := kubernetes.NewForConfig(protobuf)
	if err != nil {
		return nil, err
	}
	return informers.NewSharedInformerFactoryWithOptions(core, 0, informers.WithNamespace(namespace)).Core().V1().Pods().Informer(), nil
}

func podReady(object metav1.Object) bool {
	for _, condition := range object.(*corev1.Pod).Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue && object.GetDeletionTimestamp() == nil
		}
	}
	return false
}

func setAvailable(object metav1.Object) bool {
	status := object.(*v1alpha1.PodCliqueSet).Status
	return status.Phase == v1alpha1.PodCliqueSetAvailable && status.ObservedGeneration == object.GetGeneration()
}

// tally counts objects, and those of them that are done.
type tally struct {
	isDone func(metav1.Object) bool

	mu      sync.Mutex
	objects map[types.UID]bool // whether it is done
	done    int
	waiting []*milestone
}

// milestone is told the time when the counts are what it waits for.
type milestone struct {
	reached func(objects, done int) bool
	at      chan time.Time
}

func newTally(isDone func(metav1.Object) bool) *tally {
	return &tally{isDone: isDone, objects: map[types.UID]bool{}}
}

// follow runs an informer until the context ends, and counts its objects. It returns once the informer has seen what exists.
func (t *tally) follow(ctx context.Context, informer cache.SharedIndexInformer) error {
	registration, err := informer.AddEventHandler(t.handler())
	if err != nil {
		return err
	}
	go informer.RunWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
		return ctx.Err()
	}
	return nil
}

// add counts what an informer sees that another tally follows.
func (t *tally) add(informer cache.SharedIndexInformer) error {
	_, err := informer.AddEventHandler(t.handler())
	return err
}

func (t *tally) handler() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    t.set,
		UpdateFunc: func(_, after any) { t.set(after) },
		DeleteFunc: t.remove,
	}
}

func (t *tally) set(obj any) {
	object, ok := obj.(metav1.Object)
	if !ok {
		return
	}
	done := t.isDone(object)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(object.GetUID())
	t.objects[object.GetUID()] = done
	if done {
		t.done++
	}
	t.tell()
}

func (t *tally) remove(obj any) {
	if unknown, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = unknown.Obj
	}
	object, ok := obj.(metav1.Object)
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(object.GetUID())
	t.tell()
}

func (t *tally) forget(uid types.UID) {
	if t.objects[uid] {
		t.done--
	}
	delete(t.objects, uid)
}

// tell tells the milestones that are reached.
func (t *tally) tell() {
	t.waiting = slices.DeleteFunc(t.waiting, func(m *milestone) bool {
		reached := m.reached(len(t.objects), t.done)
		if reached {
			m.at <- time.Now()
		}
		return reached
	})
}

// when returns a milestone, which may be reached already.
func (t *tally) when(reached func(objects, done int) bool) *milestone {
	m := &milestone{reached: reached, at: make(chan time.Time, 1)}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting = append(t.waiting, m)
	t.tell()
	return m
}

// exist is when there are n objects.
func (t *tally) exist(n int) *milestone {
	return t.when(func(objects, _ int) bool { return objects == n })
}

// complete is when n objects are done.
func (t *tally) complete(n int) *milestone {
	return t.when(func(_, done int) bool { return done == n })
}

// since waits until the milestone is reached, and returns how long that took.
func (m *milestone) since(ctx context.Context, start time.Time) (time.Duration, error) {
	select {
	case at := <-m.at:
		return at.Sub(start), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}
