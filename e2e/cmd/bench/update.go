package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
)

const (
	// before and after are what pods say in the environment variable versionVariable of the podSpec that they are made from.
	versionVariable = "VERSION"
	before, after   = "1", "2"
)

// renewal is how an update went.
type renewal struct {
	took time.Duration
	// idle is for how long no pod was on its way out or not ready yet: what was waited for then is whoever deletes and creates pods.
	idle     time.Duration
	requests requests
}

// share is the part of an update in which no pod was what it waited for.
func (r renewal) share() float64 { return r.idle.Seconds() / r.took.Seconds() }

// slowReplicas is how many replicas the set has whose pods take a while to be ready.
const slowReplicas = 20

// measureUpdate compares updates of a StatefulSet, by as many pods at a time as a replica of the set has, and of a set of as many pods: a large one
// whose pods are ready at once, for its requests, and one whose pods are what an update waits for.
func (b *bench) measureUpdate(ctx context.Context) error {
	plain, grove, err := b.updates(ctx, "renewed", b.updateReplicas, nil)
	if err != nil {
		return err
	}
	b.report.update(b.updateReplicas, plain, grove)
	if plain, grove, err = b.updates(ctx, "slow", slowReplicas, unattended); err != nil {
		return err
	}
	b.report.slowUpdate(slowReplicas, plain, grove)
	return nil
}

// updates measures an update of a StatefulSet, and of a set of some replicas whose pods are as many, and are annotated.
func (b *bench) updates(ctx context.Context, name string, replicas int, annotations map[string]string) (plain, grove renewal, err error) {
	pods := replicas * smallPods
	statefulSet := b.statefulSet(name, pods, annotations)
	_, err = b.live(ctx, statefulSet, func(ctx context.Context) (err error) {
		plain, err = b.renew(ctx, pods, func() error {
			patch := fmt.Appendf(nil, `[{"op": "replace", "path": "/spec/template/spec/containers/0/env/0/value", "value": %q}]`, after)
			_, err := b.core.AppsV1().StatefulSets(namespace).Patch(ctx, name, types.JSONPatchType, patch, metav1.PatchOptions{})
			return err
		})
		return err
	})
	if err != nil {
		return plain, grove, err
	}
	spec := tenPods()
	spec.Replicas = int32(replicas)
	for i := range spec.Template.Cliques {
		spec.Template.Cliques[i].Annotations = annotations
		setVersion(&spec.Template.Cliques[i].Spec.PodSpec, before)
	}
	_, err = b.live(ctx, b.podCliqueSets(name, 1, pods, spec), func(ctx context.Context) (err error) {
		grove, err = b.renew(ctx, pods, func() error {
			sets := b.grove.GroveV1alpha1().PodCliqueSets(namespace)
			set, err := sets.Get(ctx, name+"-0", metav1.GetOptions{})
			if err != nil {
				return err
			}
			for i := range set.Spec.Template.Cliques {
				setVersion(&set.Spec.Template.Cliques[i].Spec.PodSpec, after)
			}
			_, err = sets.Update(ctx, set, metav1.UpdateOptions{})
			return err
		})
		return err
	})
	return plain, grove, err
}

// renew edits a workload, and measures until all of its pods are ready and of the new version.
func (b *bench) renew(ctx context.Context, pods int, edit func() error) (renewal, error) {
	var r renewal
	done := b.seen.renewed.complete(pods)
	b.seen.idle.begin()
	start := time.Now()
	if err := edit(); err != nil {
		return r, err
	}
	var err error
	if r.took, err = done.since(ctx, start); err != nil {
		return r, err
	}
	r.idle = b.seen.idle.end()
	fmt.Printf("update of %d pods: %s, of which no pod was waited for %s\n", pods, seconds(r.took), seconds(r.idle))
	r.requests, err = b.requestsUntilAfter(ctx, start, settling)
	return r, err
}

// statefulSet is a StatefulSet that updates as many pods at a time as a replica of the set beside it has.
func (b *bench) statefulSet(name string, pods int, annotations map[string]string) workload {
	client := b.core.AppsV1().StatefulSets(namespace)
	labels := map[string]string{"app": name}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: annotations}, Spec: podSpec()}
	setVersion(&template.Spec, before)
	object := &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.StatefulSetSpec{
			Replicas:            ptr.To(int32(pods)),
			ServiceName:         name,
			Selector:            &metav1.LabelSelector{MatchLabels: labels},
			Template:            template,
			PodManagementPolicy: appsv1.ParallelPodManagement,
			UpdateStrategy: appsv1.StatefulSetUpdateStrategy{
				Type:          appsv1.RollingUpdateStatefulSetStrategyType,
				RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{MaxUnavailable: ptr.To(intstr.FromInt32(smallPods))},
			},
		},
	}
	return workload{
		name: fmt.Sprintf("StatefulSet of %d pods", pods),
		pods: pods,
		create: func(ctx context.Context) error {
			_, err := client.Create(ctx, object, metav1.CreateOptions{})
			return err
		},
		delete: func(ctx context.Context) error { return client.Delete(ctx, name, background) },
	}
}

// setVersion gives a podSpec a version.
func setVersion(spec *corev1.PodSpec, version string) {
	spec.Containers[0].Env = []corev1.EnvVar{{Name: versionVariable, Value: version}}
}

// podRenewed tells whether a pod is of the new version, and ready.
func podRenewed(object metav1.Object) bool {
	for _, variable := range object.(*corev1.Pod).Spec.Containers[0].Env {
		if variable.Name == versionVariable && variable.Value == after {
			return podReady(object)
		}
	}
	return false
}

// idle is for how long no pod was on its way out or not ready yet.
type idle struct {
	mu    sync.Mutex
	busy  map[types.UID]bool
	since time.Time // when the last such pod was seen to be ready or gone
	total time.Duration
}

func newIdle() *idle { return &idle{busy: map[types.UID]bool{}} }

// follow adds what an informer of pods sees, before it runs.
func (i *idle) follow(pods cache.SharedIndexInformer) error {
	see := func(obj any) {
		pod := obj.(*corev1.Pod)
		i.set(pod.UID, !podReady(pod))
	}
	_, err := pods.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    see,
		UpdateFunc: func(_, after any) { see(after) },
		DeleteFunc: func(obj any) {
			if unknown, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = unknown.Obj
			}
			i.set(obj.(*corev1.Pod).UID, false)
		},
	})
	return err
}

func (i *idle) set(uid types.UID, busy bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	was := len(i.busy) > 0
	if busy {
		i.busy[uid] = true
	} else {
		delete(i.busy, uid)
	}
	switch is := len(i.busy) > 0; {
	case is && !was:
		i.total += time.Since(i.since)
	case was && !is:
		i.since = time.Now()
	}
}

// begin counts from now on.
func (i *idle) begin() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.total, i.since = 0, time.Now()
}

// end is the time since begin. What follows the last pod isn't counted.
func (i *idle) end() time.Duration {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.total
}
