package podcliqueset

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
)

// A new replica waits until the scheduler has looked at one that was begun before, or until that takes too long.
func TestNewReplicasWaitForTheScheduler(t *testing.T) {
	pod := func(change func(*corev1.Pod)) *corev1.Pod {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "web-a-3-0", Labels: map[string]string{v1alpha1.LabelPodGang: "web-3"}}}
		change(pod)
		return pod
	}
	scheduled := func(status corev1.ConditionStatus) func(*corev1.Pod) {
		return func(pod *corev1.Pod) {
			pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: status}}
		}
	}
	for name, test := range map[string]struct {
		happens func(b *begun)
		waits   time.Duration
	}{
		"nothing":               {func(*begun) {}, slowStart},
		"a pod is created":      {func(b *begun) { b.see(pod(func(*corev1.Pod) {})) }, slowStart},
		"a pod of another gang": {func(b *begun) { b.see(pod(func(pod *corev1.Pod) { pod.Labels, pod.Spec.NodeName = nil, "node" })) }, slowStart},
		"a pod has a place":     {func(b *begun) { b.see(pod(func(pod *corev1.Pod) { pod.Spec.NodeName = "node" })) }, 0},
		"there is no place":     {func(b *begun) { b.see(pod(scheduled(corev1.ConditionFalse))) }, 0},
		"its children fail":     {func(b *begun) { b.end(cache.NewObjectName("ns", "web-3")) }, 0},
		"it is told of it twice": {func(b *begun) {
			b.see(pod(scheduled(corev1.ConditionTrue)))
			b.see(pod(scheduled(corev1.ConditionTrue)))
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBegun()
				const replicas = 4
				enter := func(ctx context.Context, n int) error {
					owner := apply.Owner{Object: &metav1.ObjectMeta{Namespace: "ns", Name: "web"}}
					return b.enter(ctx, owner, cache.NewObjectName("ns", fmt.Sprint("web-", n)), mostBegun/replicas)
				}
				for n := range replicas {
					if err := enter(t.Context(), n); err != nil {
						t.Fatal(err)
					}
				}
				start := time.Now()
				another := cache.NewObjectName("another", "web-0")
				if err := b.enter(t.Context(), apply.Owner{Object: &metav1.ObjectMeta{Namespace: "another", Name: "web"}}, another, 1); err != nil || time.Since(start) > 0 {
					t.Errorf("in another namespace one waited for %s, error %v", time.Since(start), err)
				}
				test.happens(b)
				if err := enter(t.Context(), replicas); err != nil || time.Since(start) != test.waits {
					t.Errorf("the next one waited for %s, want %s; error %v", time.Since(start), test.waits, err)
				}
				if test.waits == 0 { // so that all are still there but one
					ctx, cancel := context.WithTimeout(t.Context(), slowStart/2)
					defer cancel()
					if err := enter(ctx, replicas+1); err == nil {
						t.Error("there is room for two")
					}
				}
				time.Sleep(slowStart)
				synctest.Wait()
				if len(b.leave) > 0 || len(b.rooms) > 0 {
					t.Errorf("%d are left behind, and rooms of %d namespaces", len(b.leave), len(b.rooms))
				}
			})
		})
	}
}
