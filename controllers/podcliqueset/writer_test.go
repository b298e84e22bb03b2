package podcliqueset

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
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
			err := write(t, now, plantest.Observed(set), func(_ *grovefake.Clientset, resource, name string) error {
				mu.Lock()
				defer mu.Unlock()
				if resource == "podgangs" || resource == "podcliques" {
					replicas = append(replicas, name)
				}
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
	synctest.Test(t, func(t *testing.T) {
		set := plantest.Workers()
		set.Spec.Replicas = 3 * apply.Passing
		told := make(chan struct{})
		last := plan.PodGangName(set.Name, set.Spec.Replicas-1)
		err := write(t, set, podcliqueset.Set{Object: set}, func(_ *grovefake.Clientset, _, name string) error {
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
	})
}

// many is a set of more replicas than a sync may wait for where nobody looks at their pods.
func many() *v1alpha1.PodCliqueSet {
	set := plantest.Workers()
	set.Spec.Replicas = 100
	return set
}

// New replicas wait for the scheduler, but not for so long that nothing else of the set is done.
func TestNoRoomInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun atomic.Int32
		start := time.Now()
		err := write(t, many(), podcliqueset.Set{Object: many()}, func(_ *grovefake.Clientset, resource, _ string) error {
			if resource == "podgangs" {
				begun.Add(1)
			}
			return nil
		}, func(error) {})
		if took := time.Since(start); took != mostWait || !errors.Is(err, errNoRoom) {
			t.Errorf("it took %s, want %s; the error is %v", took, mostWait, err)
		}
		// Of 7 pods, three are enough, for as long as slowStart.
		if want := int32(3 * (mostWait/slowStart + 1)); begun.Load() < want-3 || begun.Load() > want {
			t.Errorf("%d replicas were begun, want %d or a few less", begun.Load(), want)
		}
	})
}

// A set that is edited while its replicas wait gets none of them, soon.
func TestEditedWhileReplicasWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun atomic.Int32
		start := time.Now()
		err := write(t, many(), podcliqueset.Set{Object: many()}, func(grove *grovefake.Clientset, resource, _ string) error {
			if resource == "podgangs" && begun.Add(1) == 1 {
				edited := many()
				edited.Generation++
				// Once others wait.
				time.AfterFunc(slowStart/2, func() {
					if _, err := grove.GroveV1alpha1().PodCliqueSets(edited.Namespace).Update(t.Context(), edited, metav1.UpdateOptions{}); err != nil {
						t.Error(err)
					}
				})
			}
			return nil
		}, func(error) {})
		if err == nil || utilerrors.FilterOut(err, apierrors.IsConflict) != nil {
			t.Errorf("the error is %v, want a conflict", err)
		}
		if took := time.Since(start); took > lookAgain || begun.Load() > apply.Passing {
			t.Errorf("it took %s, and %d replicas were begun", took, begun.Load())
		}
	})
}

// Pods can't be made before the ServiceAccount that they name, so what they are made from waits for it.
func TestPodCliquesComeAfterWhatPodsUse(t *testing.T) {
	const longEnough = 200 * time.Millisecond
	set := plantest.Workers()
	early := make(chan struct{})
	tooEarly := sync.OnceFunc(func() { close(early) })
	var made atomic.Bool
	err := write(t, set, podcliqueset.Set{Object: set}, func(_ *grovefake.Clientset, resource, _ string) error {
		switch {
		case resource == "serviceaccounts":
			select {
			case <-early:
				t.Error("a PodClique was made before the ServiceAccount")
			case <-time.After(longEnough):
			}
			made.Store(true)
		case resource == "podcliques" && !made.Load():
			tooEarly()
		}
		return nil
	}, func(error) {})
	if err != nil {
		t.Error(err)
	}
}

// write writes the children of a set, which the cache has in some state. React answers what is applied, by resource and name, several at a time.
func write(
	t *testing.T, cached *v1alpha1.PodCliqueSet, observed podcliqueset.Set, react func(grove *grovefake.Clientset, resource, name string) error, refused func(error),
) error {
	t.Helper()
	grove, kube := grovefake.NewSimpleClientset(cached), kubefake.NewSimpleClientset()
	answer := func(action clienttesting.Action) (bool, runtime.Object, error) {
		resource := action.GetResource().Resource
		err := react(grove, resource, action.(clienttesting.PatchAction).GetName())
		switch resource {
		case "podgangs":
			return true, &v1alpha1.PodGang{}, err
		case "podcliques":
			return true, &v1alpha1.PodClique{}, err
		default:
			return true, nil, err
		}
	}
	grove.PrependReactor("patch", "*", answer)
	kube.PrependReactor("patch", "*", answer)
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
