package podcliqueset_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/plan/podcliqueset"
)

func TestSetStatus(t *testing.T) {
	for name, test := range map[string]struct {
		before, state plantest.State
		change        func(t *testing.T, w *plantest.World)
		phase         v1alpha1.PodCliqueSetPhase
		available     int32
		updated       int32
		gangs         []v1alpha1.PodGangPhase
		message       string
	}{
		"nothing is scheduled": {state: plantest.Pending, phase: v1alpha1.PodCliqueSetScheduling, updated: 2,
			gangs: []v1alpha1.PodGangPhase{"Pending", "Pending"}, message: "0 of 2 replicas available; train-alone-0: 0 of 1 pods scheduled, at least 1 needed; the scheduler hasn't tried yet"},
		"nothing is ready": {state: plantest.Scheduled, phase: v1alpha1.PodCliqueSetScheduling, updated: 2,
			gangs: []v1alpha1.PodGangPhase{"Starting", "Starting"}, message: "0 of 2 replicas available; train-alone-0: 0 of 1 pods ready, at least 1 needed"},
		"all is ready": {state: plantest.Ready, phase: v1alpha1.PodCliqueSetAvailable, available: 2, updated: 2,
			gangs: []v1alpha1.PodGangPhase{"Running", "Running"}, message: "2 of 2 replicas available"},
		"a scaled group replica isn't needed": {state: plantest.Ready, phase: v1alpha1.PodCliqueSetAvailable, available: 2, updated: 2,
			change: func(t *testing.T, w *plantest.World) { plantest.Unready(w.Pod(t, "train-worker-0-1-0")) },
			gangs:  []v1alpha1.PodGangPhase{"Running", "Running"}, message: "2 of 2 replicas available"},
		"a pod of the base breaks": {before: plantest.Ready, state: plantest.Ready, phase: v1alpha1.PodCliqueSetDegraded, available: 1, updated: 2,
			change: func(t *testing.T, w *plantest.World) { plantest.Unready(w.Pod(t, "train-worker-1-0-1")) },
			gangs:  []v1alpha1.PodGangPhase{"Running", "Starting"}, message: "1 of 2 replicas available; train-worker-1-0: 1 of 2 pods ready, at least 2 needed"},
		"an older template": {state: plantest.Ready, phase: v1alpha1.PodCliqueSetUpdating, available: 2, updated: 1,
			change: func(t *testing.T, w *plantest.World) {
				w.Pod(t, "train-alone-1-0").Labels[v1alpha1.LabelPodTemplateHash] = "old"
			},
			gangs: []v1alpha1.PodGangPhase{"Running", "Running"}, message: "2 of 2 replicas available"},
		"everything has run to its end": {state: plantest.Succeeded, phase: v1alpha1.PodCliqueSetCompleted, available: 2, updated: 2,
			gangs: []v1alpha1.PodGangPhase{"Succeeded", "Succeeded"}, message: "2 of 2 replicas available"},
		"one replica has run to its end": {state: plantest.Ready, phase: v1alpha1.PodCliqueSetAvailable, available: 2, updated: 2,
			change: func(_ *testing.T, w *plantest.World) {
				for _, clique := range w.Cliques {
					for _, pod := range clique.Pods {
						if pod.Labels[v1alpha1.LabelReplicaIndex] == "0" {
							plantest.Succeeded(pod)
						}
					}
				}
			},
			gangs: []v1alpha1.PodGangPhase{"Succeeded", "Running"}, message: "2 of 2 replicas available"},
		"the scheduler says why": {state: plantest.Pending, phase: v1alpha1.PodCliqueSetScheduling, updated: 2,
			change: func(_ *testing.T, w *plantest.World) {
				w.Verdicts = map[string]string{"train-0": "0/3 nodes are available"}
			},
			gangs:   []v1alpha1.PodGangPhase{"Pending", "Pending"},
			message: "0 of 2 replicas available; train-alone-0: 0 of 1 pods scheduled, at least 1 needed; the scheduler says: 0/3 nodes are available"},
		"a child is missing": {state: plantest.Ready, phase: v1alpha1.PodCliqueSetCreating, available: 2, updated: 2,
			change: func(_ *testing.T, w *plantest.World) { clear(w.ScalingGroups) },
			gangs:  []v1alpha1.PodGangPhase{"Running", "Running"}, message: "2 of 2 replicas available; not every PodGang, PodClique and PodCliqueScalingGroup exists yet"},
	} {
		t.Run(name, func(t *testing.T) {
			w := plantest.NewWorld(plantest.Workers(), test.state)
			if test.before != nil {
				w.Settle()
			}
			if test.change != nil {
				test.change(t, w)
			}
			status := w.Settle()
			var gangs []v1alpha1.PodGangPhase
			for _, summary := range status.PodGangStatuses {
				gangs = append(gangs, summary.Phase)
			}
			available := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionAvailable)
			got := []any{status.Phase, status.AvailableReplicas, status.UpdatedReplicas, gangs, available.Message, available.Status == metav1.ConditionTrue}
			want := []any{test.phase, test.available, test.updated, test.gangs, test.message, test.available == 2 && test.phase != v1alpha1.PodCliqueSetCreating}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOffIsNoBreach(t *testing.T) {
	set := plantest.Workers()
	set.Spec.Template.Cliques[2].Spec.Replicas = ptr.To[int32](0)
	set.Spec.Template.PodCliqueScalingGroups[0].Replicas = ptr.To[int32](0)
	w := plantest.NewWorld(set, plantest.Ready)
	if status := w.Settle(); status.Phase != v1alpha1.PodCliqueSetAvailable {
		t.Errorf("a set of which everything is off is %s", status.Phase)
	}
	for name, podClique := range w.PodCliques {
		breached := meta.FindStatusCondition(podClique.Status.Conditions, v1alpha1.ConditionMinAvailableBreached)
		if breached.Status != metav1.ConditionFalse || breached.Reason != v1alpha1.ReasonTurnedOff {
			t.Errorf("%s is off: %+v", name, breached)
		}
	}
}

// What a gang's conditions said of an earlier generation of it isn't quoted.
func TestOldWordsAreNotQuoted(t *testing.T) {
	w := plantest.NewWorld(plantest.Workers(), plantest.Pending)
	w.Verdicts = map[string]string{"train-0": "0/3 nodes are available"}
	w.Settle()
	w.PodGangs["train-0"].Generation++
	status := w.Status(plantest.Applied(w.Object), true, plantest.Now)
	available := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionAvailable)
	if want := "0 of 2 replicas available; train-alone-0: 0 of 1 pods scheduled, at least 1 needed"; available.Message != want {
		t.Errorf("the set says %q, want %q", available.Message, want)
	}
}

func TestObservedGeneration(t *testing.T) {
	known := plan.Report{Generation: 2}
	for name, test := range map[string]struct {
		report plan.Report
		stale  bool
		change func(w *plantest.World)
		want   int64
	}{
		"all children follow":               {known, false, func(*plantest.World) {}, 2},
		"children aren't written yet":       {plan.Report{Generation: 1}, false, func(*plantest.World) {}, 1},
		"the operator has just started":     {plan.Report{}, false, func(*plantest.World) {}, 1},
		"the caches are behind":             {known, true, func(*plantest.World) {}, 1},
		"a PodGang isn't described yet":     {known, false, func(w *plantest.World) { w.PodGangs["train-1"].Generation++ }, 1},
		"a PodClique isn't described yet":   {known, false, func(w *plantest.World) { w.PodCliques["train-lead-0"].Generation++ }, 1},
		"a group isn't described yet":       {known, false, func(w *plantest.World) { w.ScalingGroups["train-group"].Generation++ }, 1},
		"a PodClique is new":                {known, false, func(w *plantest.World) { w.PodCliques["train-lead-0"].Status = v1alpha1.PodCliqueStatus{} }, 2},
		"a child can't be what it ought to": {known, false, func(w *plantest.World) { delete(w.PodCliques, "train-lead-0") }, 2},
		"the first status": {plan.Report{}, true, func(w *plantest.World) {
			w.Object.Status = v1alpha1.PodCliqueSetStatus{}
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := plantest.NewWorld(plantest.Workers(), plantest.Ready)
			w.Settle()
			w.Object.Generation = 2
			test.change(w)
			status := w.Status(test.report, !test.stale, plantest.Now)
			if status.ObservedGeneration != test.want {
				t.Errorf("observedGeneration is %d, want %d", status.ObservedGeneration, test.want)
			}
			for _, condition := range status.Conditions {
				if condition.ObservedGeneration > test.want {
					t.Errorf("%s is said of generation %d", condition.Type, condition.ObservedGeneration)
				}
			}
		})
	}
}

// The first status comes before the children, and says so.
func TestFirstStatus(t *testing.T) {
	set := plantest.Workers()
	status := podcliqueset.Set{Object: set}.Status(plan.Report{}, true, plantest.Now)
	conditions := map[string]metav1.ConditionStatus{}
	for _, condition := range status.Conditions {
		conditions[condition.Type] = condition.Status
	}
	if diff := cmp.Diff(map[string]metav1.ConditionStatus{
		v1alpha1.ConditionResourcesApplied: metav1.ConditionUnknown,
		v1alpha1.ConditionAvailable:        metav1.ConditionFalse,
		v1alpha1.ConditionReady:            metav1.ConditionFalse,
		v1alpha1.ConditionDegraded:         metav1.ConditionFalse,
		v1alpha1.ConditionProgressing:      metav1.ConditionTrue,
		v1alpha1.ConditionComplete:         metav1.ConditionFalse,
	}, conditions); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
	if status.Phase != v1alpha1.PodCliqueSetCreating || status.ObservedGeneration != 1 {
		t.Errorf("phase %s, observedGeneration %d", status.Phase, status.ObservedGeneration)
	}
	// A set of no replicas isn't available before its scaling groups were asked for.
	set.Spec.Replicas, set.Spec.Template.PodCliqueScalingGroups = 0, nil
	if status := (podcliqueset.Set{Object: set}).Status(plan.Report{}, true, plantest.Now); status.Phase != v1alpha1.PodCliqueSetCreating {
		t.Errorf("a set of no replicas is %s at first", status.Phase)
	}
	if status := (podcliqueset.Set{Object: set}).Status(plan.Report{Generation: 1}, true, plantest.Now); status.Phase != v1alpha1.PodCliqueSetAvailable {
		t.Errorf("a set of no replicas is %s once that is known", status.Phase)
	}
}

// A set whose replicas have all run to their end is complete, and available. What it is scaled out by afterwards starts anew.
func TestCompletion(t *testing.T) {
	w := plantest.NewWorld(plantest.Workers(), plantest.Succeeded)
	status := w.Settle()
	for kind, want := range map[string]metav1.ConditionStatus{
		v1alpha1.ConditionComplete:    metav1.ConditionTrue,
		v1alpha1.ConditionAvailable:   metav1.ConditionTrue,
		v1alpha1.ConditionReady:       metav1.ConditionTrue,
		v1alpha1.ConditionProgressing: metav1.ConditionFalse,
	} {
		if got := meta.FindStatusCondition(status.Conditions, kind); got.Status != want {
			t.Errorf("%+v; want %s", got, want)
		}
	}
	// The pods go, and nothing of it is taken back.
	for i := range w.Cliques {
		w.Cliques[i].Pods = nil
	}
	if status := w.Settle(); status.Phase != v1alpha1.PodCliqueSetCompleted || status.AvailableReplicas != 2 {
		t.Errorf("without its pods the set is %s, %d available", status.Phase, status.AvailableReplicas)
	}
	for name, podClique := range w.PodCliques {
		if breached := meta.FindStatusCondition(podClique.Status.Conditions, v1alpha1.ConditionMinAvailableBreached); breached.Status != metav1.ConditionFalse {
			t.Errorf("%s has run to its end: %+v", name, breached)
		}
	}
	if breached := meta.FindStatusCondition(w.ScalingGroups["train-group"].Status.Conditions, v1alpha1.ConditionMinAvailableBreached); breached.Status != metav1.ConditionFalse {
		t.Errorf("the scaling group has run to its end: %+v", breached)
	}
	w.Object.Spec.Replicas = 3
	w.Set = plantest.Live(w.Object, w.Children())
	if gang := w.PodGangs["train-2"]; gang == nil || gang.Status.Phase != "" {
		t.Errorf("the third gang: %v", gang)
	}
}

// Of very many replicas those are told of that aren't available.
func TestSummariesAreBounded(t *testing.T) {
	set := plantest.Workers()
	set.Spec.Replicas = 1003
	set.Spec.Template.Cliques, set.Spec.Template.PodCliqueScalingGroups = set.Spec.Template.Cliques[2:], nil
	observed := plantest.Observed(set)
	for i := range set.Spec.Replicas {
		gang := observed.PodGangs[fmt.Sprintf("train-%d", i)]
		if i < 1001 {
			gang.Status.PodGroups = []v1alpha1.PodGroupStatus{{Name: gang.Spec.PodGroups[0].Name, Desired: 1, Scheduled: 1, Available: 1, Ready: 1}}
		}
	}
	status := observed.Status(plantest.Applied(set), true, plantest.Now)
	if len(status.PodGangStatuses) != 1000 || status.AvailableReplicas != 1001 || status.Replicas != 1003 {
		t.Errorf("%d summaries of %d replicas, %d available", len(status.PodGangStatuses), status.Replicas, status.AvailableReplicas)
	}
	for n, name := range []string{"train-1001", "train-1002", "train-0"} {
		if got := status.PodGangStatuses[n]; got.Name != name || got.Available != (n == 2) {
			t.Errorf("summary %d: %+v", n, got)
		}
	}
}

func TestSetUrgency(t *testing.T) {
	for name, test := range map[string]struct {
		change func(status *v1alpha1.PodCliqueSetStatus)
		want   plan.Urgency
	}{
		"as ever":               {func(*v1alpha1.PodCliqueSetStatus) {}, plan.None},
		"one more is available": {func(s *v1alpha1.PodCliqueSetStatus) { s.AvailableReplicas++ }, plan.Numbers},
		"another phase of a gang": {func(s *v1alpha1.PodCliqueSetStatus) {
			s.PodGangStatuses = slices.Clone(s.PodGangStatuses)
			s.PodGangStatuses[0].Phase = v1alpha1.PodGangFailed
		}, plan.Numbers},
		"observed": {func(s *v1alpha1.PodCliqueSetStatus) { s.ObservedGeneration++ }, plan.Numbers},
		"in other words": {func(s *v1alpha1.PodCliqueSetStatus) {
			meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionAvailable).Message = "other"
		}, plan.Words},
		"no longer available": {func(s *v1alpha1.PodCliqueSetStatus) {
			meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionAvailable).Status = metav1.ConditionFalse
		}, plan.Urgent},
	} {
		t.Run(name, func(t *testing.T) {
			w := plantest.NewWorld(plantest.Workers(), plantest.Ready)
			w.Settle()
			after := w.Object.Status.DeepCopy()
			test.change(after)
			if got := w.Urgency(after); got != test.want {
				t.Errorf("urgency %d, want %d", got, test.want)
			}
		})
	}
}

func TestStatusesSettle(t *testing.T) {
	w := plantest.NewWorld(plantest.Workers(), plantest.Ready)
	w.Settle()
	first := w.Settle()
	if diff := cmp.Diff(first, w.Settle()); diff != "" {
		t.Errorf("the status of the same state changes (-before +after):\n%s", diff)
	}
	if first.PodGangStatuses[0].FirstAvailableTime == nil {
		t.Error("it isn't recorded when a replica was first available")
	}
}

// A scale-out that doesn't fit is told, and takes nothing from a set that is available.
func TestScaledGroupsThatWait(t *testing.T) {
	w := plantest.NewWorld(plantest.Workers(), plantest.Ready)
	scaled := func() *metav1.Condition {
		return meta.FindStatusCondition(w.Settle().Conditions, v1alpha1.ConditionScaledGroupsScheduled)
	}
	if got := scaled(); got != nil {
		t.Errorf("nothing waits: %+v", got)
	}
	pod := w.Pod(t, "train-lead-1-1-0")
	*pod = corev1.Pod{ObjectMeta: pod.ObjectMeta}
	got := scaled()
	if got == nil || got.Status != metav1.ConditionFalse || !strings.HasPrefix(got.Message, "train-1: train-lead-1-1") {
		t.Errorf("a scaled group waits: %+v", got)
	}
	if !meta.IsStatusConditionTrue(w.Object.Status.Conditions, v1alpha1.ConditionAvailable) {
		t.Error("the set isn't available, though every base unit is")
	}
	if again := scaled(); !again.LastTransitionTime.Equal(&got.LastTransitionTime) {
		t.Error("saying it again is a change")
	}
	base := w.Pod(t, "train-alone-1-0")
	*base = corev1.Pod{ObjectMeta: base.ObjectMeta}
	if got := scaled(); got != nil {
		t.Errorf("the base waits, which Available says: %+v", got)
	}
	plantest.Ready(base)
	plantest.Ready(pod)
	if got := scaled(); got != nil {
		t.Errorf("nothing waits any more: %+v", got)
	}
}

// The set is described anew for what parts say of their specs and problems, not for what they say of pods, which its PodGangs tell it.
func TestWhatConcernsASet(t *testing.T) {
	w := plantest.NewWorld(plantest.Workers(), plantest.Pending)
	w.Settle()
	before := w.PodCliques["train-lead-0"]
	for name, test := range map[string]struct {
		change func(status *v1alpha1.PodCliqueStatus)
		want   bool
	}{
		"nothing":    {func(*v1alpha1.PodCliqueStatus) {}, false},
		"pods":       {func(status *v1alpha1.PodCliqueStatus) { status.ReadyReplicas++ }, false},
		"generation": {func(status *v1alpha1.PodCliqueStatus) { status.ObservedGeneration++ }, true},
		"no problem any more": {func(status *v1alpha1.PodCliqueStatus) {
			meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionResourcesApplied)
		}, true},
		"another condition": {func(status *v1alpha1.PodCliqueStatus) {
			meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionPodCliqueScheduled)
		}, false},
	} {
		after := before.DeepCopy()
		test.change(&after.Status)
		if got := podcliqueset.PodCliqueConcerns(before, after); got != test.want {
			t.Errorf("%s: concerns the set: %t, want %t", name, got, test.want)
		}
	}
	group := w.ScalingGroups["train-group"]
	after := group.DeepCopy()
	after.Status.AvailableReplicas++
	if podcliqueset.ScalingGroupConcerns(group, after) {
		t.Error("available group replicas concern the set")
	}
	if after.Status.ObservedGeneration++; !podcliqueset.ScalingGroupConcerns(group, after) {
		t.Error("that a scaling group follows its spec doesn't concern the set")
	}
}
