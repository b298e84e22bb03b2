package podclique_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
)

func TestCliqueStatus(t *testing.T) {
	w := plantest.NewWorld(plantest.Workers(), plantest.Ready)
	plantest.Terminating(w.Pod(t, "train-worker-0-0-1"))
	plantest.Scheduled(w.Pod(t, "train-worker-0-1-0"))
	w.Settle()
	status := w.PodCliques["train-worker-0"].Status
	got := []any{status.Replicas, status.ScheduledReplicas, status.ReadyReplicas, status.UpdatedReplicas, status.SliceReplicas, status.Selector}
	want := []any{int32(3), int32(3), int32(3), int32(3), int32(1), "grove.io/group-replica-index=0,grove.io/podclique=train-worker-0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	breached := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionMinAvailableBreached)
	if breached.Status != metav1.ConditionTrue || breached.Message != "train-worker-0-0: 1 of 2 pods available, at least 2 needed" {
		t.Errorf("a pod group of the base has lost a pod: %+v", breached)
	}
}

// Enough pods may be scheduled, and what others wait for is said all the same.
func TestWhatPodsWaitForIsSaid(t *testing.T) {
	for name, test := range map[string]struct {
		state   plantest.State
		status  metav1.ConditionStatus
		reason  string
		message string
	}{
		"enough are scheduled": {plantest.Scheduled, metav1.ConditionTrue, v1alpha1.ReasonSufficientPods,
			"pod train-worker-0-1-0 waits until gang unit train-0 is scheduled (and 1 more)"},
		"too few are": {plantest.Pending, metav1.ConditionFalse, v1alpha1.ReasonInsufficientPods,
			"train-worker-0-0: 0 of 2 pods scheduled, at least 2 needed; pod train-worker-0-1-0 waits until gang unit train-0 is scheduled (and 1 more)"},
	} {
		t.Run(name, func(t *testing.T) {
			clique := plantest.Clique(t, plantest.Workers(), "train-worker-0", nil)
			clique.Gang = plantest.WithScheduled(clique.Gang)
			clique.Pods = plantest.PodsOf(clique.Actions(plantest.Now).Create)
			for _, pod := range clique.Pods {
				test.state(pod)
			}
			status := clique.Status(plantest.Applied(clique.Object), plantest.Now)
			got := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionPodCliqueScheduled)
			if got.Status != test.status || got.Reason != test.reason || got.Message != test.message {
				t.Errorf("%+v; want %s, %s, %q", got, test.status, test.reason, test.message)
			}
		})
	}
}

// What is known of the generation before isn't said of the next one.
func TestResourcesAppliedOfAPodClique(t *testing.T) {
	problem := []plan.Problem{{Reason: v1alpha1.ReasonInvalidChild, Message: "no such volume"}}
	for name, test := range map[string]struct {
		report plan.Report
		want   metav1.ConditionStatus
	}{
		"nothing is known":            {plan.Report{}, metav1.ConditionUnknown},
		"of an earlier generation":    {plan.Report{Generation: 1}, metav1.ConditionUnknown},
		"all is well":                 {plan.Report{Generation: 2}, metav1.ConditionTrue},
		"a pod is refused":            {plan.Report{Generation: 2, Problems: problem}, metav1.ConditionFalse},
		"a pod was refused before it": {plan.Report{Generation: 1, Problems: problem}, metav1.ConditionFalse},
	} {
		clique := plantest.Clique(t, plantest.Workers(), "train-alone-0", plantest.AllPods)
		clique.Object.Generation = 2
		status := clique.Status(test.report, plantest.Now)
		if got := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionResourcesApplied); got.Status != test.want {
			t.Errorf("%s: %+v; want %s", name, got, test.want)
		}
		if status.ObservedGeneration != 2 {
			t.Errorf("%s: observedGeneration is %d", name, status.ObservedGeneration)
		}
	}
}

func TestCliqueUrgency(t *testing.T) {
	set := func(kind string, status metav1.ConditionStatus) func(*v1alpha1.PodCliqueStatus) {
		return func(s *v1alpha1.PodCliqueStatus) { meta.FindStatusCondition(s.Conditions, kind).Status = status }
	}
	for name, test := range map[string]struct {
		change func(*v1alpha1.PodCliqueStatus)
		want   plan.Urgency
	}{
		"as ever":           {func(*v1alpha1.PodCliqueStatus) {}, plan.None},
		"one less is ready": {func(s *v1alpha1.PodCliqueStatus) { s.ReadyReplicas-- }, plan.Numbers},
		"in other words": {func(s *v1alpha1.PodCliqueStatus) {
			meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionPodCliqueScheduled).Message = "other"
		}, plan.Words},
		"breached":         {set(v1alpha1.ConditionMinAvailableBreached, metav1.ConditionTrue), plan.Urgent},
		"a pod is refused": {set(v1alpha1.ConditionResourcesApplied, metav1.ConditionFalse), plan.Urgent},
	} {
		t.Run(name, func(t *testing.T) {
			w := plantest.NewWorld(plantest.Workers(), plantest.Ready)
			w.Settle()
			clique := w.Cliques[0]
			after := clique.Object.Status.DeepCopy()
			test.change(after)
			if got := clique.Urgency(after); got != test.want {
				t.Errorf("urgency %d, want %d", got, test.want)
			}
		})
	}
}
