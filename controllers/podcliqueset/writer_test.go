package podcliqueset

import (
	"context"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	kubefake "k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/events"

	grovefake "grove.io/grove/apis/client/clientset/versioned/fake"
	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/internal/consistency"
	"grove.io/grove/controllers/internal/scheduler"
	"grove.io/grove/controllers/plan/plantest"
)

// A set that is edited, deleted or replaced while its replicas are written gets no more of those that it asked for before.
func TestReplicasOfAnEarlierSet(t *testing.T) {
	for name, change := range map[string]func(set *v1alpha1.PodCliqueSet){
		"edited":   func(set *v1alpha1.PodCliqueSet) { set.Generation++ },
		"replaced": func(set *v1alpha1.PodCliqueSet) { set.UID = "another" },
		"deleted": func(set *v1alpha1.PodCliqueSet) {
			set.DeletionTimestamp, set.Finalizers = &metav1.Time{Time: plantest.Now}, []string{metav1.FinalizerDeleteDependents}
		},
	} {
		t.Run(name, func(t *testing.T) {
			set := plantest.Workers()
			now := set.DeepCopy()
			change(now)
			grove, kube := grovefake.NewSimpleClientset(now), kubefake.NewSimpleClientset()
			var replicas []string
			grove.PrependReactor("patch", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
				if resource := action.GetResource().Resource; resource == "podgangs" || resource == "podcliques" {
					replicas = append(replicas, action.(clienttesting.PatchAction).GetName())
				}
				return true, nil, nil
			})
			kube.PrependReactor("patch", "*", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, nil })
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			one, err := cluster.New(grove, kube, events.NewFakeRecorder(10), metav1.NamespaceAll, ctx.Done())
			if err != nil {
				t.Fatal(err)
			}
			w := newWriter(one, scheduler.None{}, &apply.Pace{}, &consistency.Tracker{})
			one.Start()
			if err := one.WaitForSync(ctx); err != nil {
				t.Fatal(err)
			}
			err = w.write(ctx, plantest.Observed(set))
			if err == nil || utilerrors.FilterOut(err, apierrors.IsConflict) != nil {
				t.Errorf("the error is %v, want a conflict", err)
			}
			if len(replicas) > 0 {
				t.Errorf("written all the same: %q", replicas)
			}
			cancel()
			one.Shutdown()
		})
	}
}
