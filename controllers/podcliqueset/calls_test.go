package podcliqueset_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/internal/clustertest"
	"grove.io/grove/controllers/internal/runner"
	"grove.io/grove/controllers/internal/scheduler"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/podcliqueset"
)

func loops(one *cluster.Cluster) []*runner.Loop {
	return podcliqueset.New(one, scheduler.None{}, &apply.Pace{})
}

// family is a set and its children, as they are before a change of the set.
func family(change func(set *v1alpha1.PodCliqueSet)) []runtime.Object {
	observed := plantest.Observed(plantest.Workers())
	change(observed.Object)
	objects := []runtime.Object{observed.Object}
	for _, child := range observed.PodCliques {
		objects = append(objects, child)
	}
	for _, child := range observed.PodGangs {
		objects = append(objects, child)
	}
	for _, child := range observed.ScalingGroups {
		objects = append(objects, child)
	}
	return objects
}

func TestCallsForANewSet(t *testing.T) {
	got := clustertest.Calls(t, loops, plantest.Workers())
	revision := slices.IndexFunc(got, func(call string) bool { return strings.HasPrefix(call, "patch controllerrevisions train-") })
	if revision < 0 {
		t.Fatalf("no ControllerRevision among the calls %q", got)
	}
	want := []string{
		"patch podcliques train-alone-0", "patch podcliques train-alone-1",
		"patch podcliques train-lead-0", "patch podcliques train-lead-1",
		"patch podcliques train-worker-0", "patch podcliques train-worker-1",
		"patch podcliquescalinggroups train-group",
		"patch podcliquesets/status train",
		"patch podgangs train-0", "patch podgangs train-1",
		// The RoleBinding waits until the Role is known to be the set's own.
		"patch roles grove-train", "patch serviceaccounts grove-train",
		"patch services train-headless",
	}
	if diff := cmp.Diff(want, slices.Delete(got, revision, revision+1)); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestCallsThatDelete(t *testing.T) {
	const ofSet = "app.kubernetes.io/managed-by=grove,grove.io/podcliqueset=train,"
	for name, test := range map[string]struct {
		change func(set *v1alpha1.PodCliqueSet)
		want   []string
	}{
		"nothing": {func(*v1alpha1.PodCliqueSet) {}, nil},
		"scaled in": {func(set *v1alpha1.PodCliqueSet) { set.Spec.Replicas = 1 }, []string{
			"delete podcliques train-alone-1 uid train-alone-1",
			"delete podcliques train-lead-1 uid train-lead-1",
			"delete podcliques train-worker-1 uid train-worker-1",
			"delete podgangs train-1 uid train-1",
			"delete-collection pods " + ofSet + "grove.io/replica-index in (1)",
		}},
		"deleted in the foreground": {func(set *v1alpha1.PodCliqueSet) {
			set.DeletionTimestamp, set.Finalizers = &metav1.Time{Time: plantest.Now}, []string{metav1.FinalizerDeleteDependents}
		}, []string{"delete-collection pods " + ofSet + "grove.io/replica-index in (0)", "delete-collection pods " + ofSet + "grove.io/replica-index in (1)"}},
		"deleted, and its children kept": {func(set *v1alpha1.PodCliqueSet) {
			set.DeletionTimestamp, set.Finalizers = &metav1.Time{Time: plantest.Now}, []string{metav1.FinalizerOrphanDependents}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := clustertest.Calls(t, loops, family(test.change)...)
			got = slices.DeleteFunc(got, func(call string) bool { return !strings.HasPrefix(call, "delete") })
			if diff := cmp.Diff(test.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}
