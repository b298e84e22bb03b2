package podclique_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/internal/clustertest"
	"grove.io/grove/controllers/internal/runner"
	"grove.io/grove/controllers/internal/scheduler"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/podclique"
)

func loops(one *cluster.Cluster) []*runner.Loop {
	return podclique.New(one, scheduler.None{}, &apply.Pace{}, "init", time.Minute)
}

// workers are the PodClique train-worker-0, of 4 pods in 2 group replicas, and what decides about them. Pods exist that are in a state.
func workers(t *testing.T, states map[string]plantest.State, change func(clique *plan.Clique)) []runtime.Object {
	t.Helper()
	clique := plantest.Clique(t, plantest.Workers(), "train-worker-0", plantest.AllPods)
	change(&clique.Clique)
	objects := []runtime.Object{clique.Set, clique.Object, clique.Gang, clique.ScalingGroup, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node"}}}
	for _, pod := range clique.Pods {
		if state := states[pod.Name]; state != nil {
			pod.UID, pod.Spec.SchedulingGroup = types.UID("uid-of-"+pod.Name), nil
			state(pod)
			objects = append(objects, pod)
		}
	}
	return objects
}

func failed(pod *corev1.Pod) {
	plantest.Scheduled(pod)
	pod.Status.Phase = corev1.PodFailed
}

// strayed is a pod on a node that doesn't exist.
func strayed(pod *corev1.Pod) {
	plantest.Ready(pod)
	pod.Spec.NodeName = "gone"
}

func TestCalls(t *testing.T) {
	all := func(last plantest.State) map[string]plantest.State {
		return map[string]plantest.State{
			"train-worker-0-0-0": plantest.Ready, "train-worker-0-0-1": plantest.Ready,
			"train-worker-0-1-0": plantest.Ready, "train-worker-0-1-1": last,
		}
	}
	asIs := func(*plan.Clique) {}
	for name, test := range map[string]struct {
		states map[string]plantest.State
		change func(clique *plan.Clique)
		want   []string
	}{
		"new": {nil, asIs, []string{
			"patch pods train-worker-0-0-0", "patch pods train-worker-0-0-1", "patch pods train-worker-0-1-0", "patch pods train-worker-0-1-1",
		}},
		"as it should be": {all(plantest.Ready), asIs, nil},
		"scaled in": {all(plantest.Ready), func(clique *plan.Clique) { clique.ScalingGroup.Spec.Replicas = ptr.To[int32](1) }, []string{
			"delete pods train-worker-0-1-0 uid uid-of-train-worker-0-1-0", "delete pods train-worker-0-1-1 uid uid-of-train-worker-0-1-1",
		}},
		"failed": {all(failed), asIs, []string{
			"delete pods train-worker-0-1-1 uid uid-of-train-worker-0-1-1", "patch pods train-worker-0-1-1",
		}},
		"terminating":        {all(plantest.Terminating), asIs, nil},
		"lost with its node": {all(strayed), asIs, []string{"delete pods train-worker-0-1-1 uid uid-of-train-worker-0-1-1 grace 0"}},
		"no set":             {nil, func(clique *plan.Clique) { clique.Set.UID = "another" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := clustertest.Calls(t, loops, workers(t, test.states, test.change)...)
			got = slices.DeleteFunc(got, func(call string) bool { return call == "patch podcliques/status train-worker-0" })
			if diff := cmp.Diff(test.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// A pod that looks like one of the gang's, and is controlled by somebody else, isn't among those that a restart of the gang waits for.
func TestPodsOfOthersHoldNothingUp(t *testing.T) {
	restarted := func(clique *plan.Clique) {
		gang := clique.Gang
		gang.Status.Units = []v1alpha1.UnitStatus{{Name: gang.Name, Restarts: 1, TerminatedAt: ptr.To(metav1.NowMicro())}}
	}
	objects := workers(t, nil, restarted)
	want := clustertest.Calls(t, loops, objects...)
	if len(want) == 0 {
		t.Fatal("nothing is made after a restart")
	}
	owner := metav1.NewControllerRef(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "other", UID: "other"}}, corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	for _, pod := range plantest.Clique(t, plantest.Workers(), "train-worker-0", plantest.AllPods).Pods {
		pod.Name, pod.UID, pod.OwnerReferences = "other-"+pod.Name, types.UID("other-"+pod.Name), []metav1.OwnerReference{*owner}
		objects = append(objects, pod)
	}
	if diff := cmp.Diff(want, clustertest.Calls(t, loops, objects...)); diff != "" {
		t.Errorf("calls (-without pods of others +with them):\n%s", diff)
	}
}
