package podcliqueset

import (
	"context"
	"errors"
	"sync"
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
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/plan/podcliqueset"
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
			var mu sync.Mutex
			var replicas []string
			err := write(t, now, plantest.Observed(set), func(name string) error {
				mu.Lock()
				defer mu.Unlock()
				replicas = append(replicas, name)
				return nil
			}, func(error) {})
			if err == nil || utilerrors.FilterOut(err, apierrors.IsConflict) != nil {
				t.Errorf("the error is %v, want a conflict", err)
			}
			if len(replicas) > 0 {
				t.Errorf("written all the same: %q", replicas)
			}
		})
	}
}

// What is refused is told while there is more to write.
func TestRefusalsAreToldAtOnce(t *testing.T) {
	set := plantest.Workers()
	set.Spec.Replicas = 3 * apply.Passing
	told := make(chan struct{})
	last := plan.PodGangName(set.Name, set.Spec.Replicas-1)
	err := write(t, set, podcliqueset.Set{Object: set}, func(name string) error {
		switch name {
		case "train-0":
			return apierrors.NewForbidden(v1alpha1.Resource("podgangs"), name, errors.New("by a policy"))
		case last:
			select {
			case <-told:
			case <-time.After(time.Minute):
				t.Error("nothing is told of the first PodGang while the last one is written")
			}
		}
		return nil
	}, func(error) { close(told) })
	if problems, rest := apply.Problems(err); len(problems) != 1 || rest != nil {
		t.Errorf("in the end %v is told, besides %v", problems, rest)
	}
}

// write writes the children of a set, which the cache has in some state. React answers what is applied of replicas, by name, several at a time.
func write(t *testing.T, cached *v1alpha1.PodCliqueSet, observed podcliqueset.Set, react func(name string) error, refused func(error)) error {
	t.Helper()
	grove, kube := grovefake.NewSimpleClientset(cached), kubefake.NewSimpleClientset()
	grove.PrependReactor("patch", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		name := action.(clienttesting.PatchAction).GetName()
		switch action.GetResource().Resource {
		case "podgangs":
			return true, &v1alpha1.PodGang{}, react(name)
		case "podcliques":
			return true, &v1alpha1.PodClique{}, react(name)
		default:
			return true, nil, nil
		}
	})
	kube.PrependReactor("patch", "*", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, nil })
	ctx, cancel := context.WithCancel(t.Context())
	one, err := cluster.New(grove, kube, events.NewFakeRecorder(10), metav1.NamespaceAll, ctx.Done())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		one.Shutdown()
	}()
	w := newWriter(one, scheduler.None{}, &apply.Pace{}, &consistency.Tracker{})
	one.Start()
	if err := one.WaitForSync(ctx); err != nil {
		t.Fatal(err)
	}
	return w.write(ctx, observed, refused)
}
