package scalinggroup_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
)

func TestScalingGroupStatus(t *testing.T) {
	w := plantest.NewWorld(plantest.Workers(), plantest.Ready)
	plantest.Unready(w.Pod(t, "train-lead-1-1-0"))
	w.Settle()
	got := w.ScalingGroups["train-group"].Status
	want := v1alpha1.PodCliqueScalingGroupStatus{
		ObservedGeneration: 1,
		Replicas:           2,
		ScheduledReplicas:  2,
		AvailableReplicas:  1,
		UpdatedReplicas:    2,
		ReplicaStatuses:    []v1alpha1.ScalingGroupReplicaStatus{{Scheduled: 2, Available: 2, Updated: 2}, {ReplicaIndex: 1, Scheduled: 2, Available: 1, Updated: 2}},
		Selector:           "grove.io/pod-index=0,grove.io/podclique=train-lead-0,grove.io/podcliquescalinggroup=train-group",
		Conditions: []metav1.Condition{{Type: v1alpha1.ConditionMinAvailableBreached, Status: metav1.ConditionFalse,
			Reason: v1alpha1.ReasonSufficientReplicas, ObservedGeneration: 1}},
	}
	ignoreTimes := cmpopts.IgnoreFields(metav1.Condition{}, "LastTransitionTime")
	if diff := cmp.Diff(want, got, ignoreTimes); diff != "" {
		t.Errorf("one group replica of two is ready (-want +got):\n%s", diff)
	}

	plantest.Unready(w.Pod(t, "train-lead-1-0-0"))
	w.Settle()
	got = w.ScalingGroups["train-group"].Status
	breached := meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionMinAvailableBreached)
	if breached.Status != metav1.ConditionTrue || breached.Message != "train-1: 0 of 2 group replicas available, at least 1 needed" {
		t.Errorf("no group replica is available in replica 1: %+v", breached)
	}
}

// Somebody has turned all members off in one replica of the set.
func TestScalingGroupThatIsOffInOneReplica(t *testing.T) {
	w := plantest.NewWorld(plantest.Workers(), plantest.Ready)
	for _, name := range []string{"train-lead-1", "train-worker-1"} {
		w.PodCliques[name].Spec.Replicas = ptr.To[int32](0)
	}
	w.PodGangs["train-1"].Spec = plan.Configuration[v1alpha1.PodGang](w.Children().Replicas[1].PodGang).Spec
	w.Settle()
	status := w.ScalingGroups["train-group"].Status
	if breached := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionMinAvailableBreached); breached.Status != metav1.ConditionFalse {
		t.Errorf("nobody asks for group replicas there: %+v", breached)
	}
	if status.AvailableReplicas != 2 {
		t.Errorf("%d group replicas are available, want 2", status.AvailableReplicas)
	}
}

// A pod that is starting is no breach, and one that has done its work is ready for others.
func TestAvailableGroupReplicas(t *testing.T) {
	w := plantest.NewWorld(plantest.Workers(), plantest.Scheduled)
	plantest.Succeeded(w.Pod(t, "train-lead-0-0-0"))
	plantest.Ready(w.Pod(t, "train-worker-0-0-0"))
	plantest.Ready(w.Pod(t, "train-worker-0-0-1"))
	w.Settle()
	status := w.ScalingGroups["train-group"].Status
	if status.AvailableReplicas != 0 {
		t.Errorf("%d group replicas are ready in both replicas of the set", status.AvailableReplicas)
	}
	if breached := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionMinAvailableBreached); breached.Status != metav1.ConditionFalse {
		t.Errorf("pods are starting: %+v", breached)
	}
	for _, name := range []string{"train-lead-1-0-0", "train-worker-1-0-0", "train-worker-1-0-1"} {
		plantest.Ready(w.Pod(t, name))
	}
	w.Settle()
	if status := w.ScalingGroups["train-group"].Status; status.AvailableReplicas != 1 {
		t.Errorf("%d group replicas are ready in both replicas of the set", status.AvailableReplicas)
	}
}

// A number below the minimum amounts to the minimum, and is judged as that.
func TestScalingGroupBelowItsMinimum(t *testing.T) {
	set := plantest.Workers()
	set.Spec.Template.PodCliqueScalingGroups[0].MinAvailable = ptr.To[int32](2)
	w := plantest.NewWorld(set, plantest.Ready)
	w.ScalingGroups["train-group"].Spec.Replicas = ptr.To[int32](1)
	plantest.Unready(w.Pod(t, "train-lead-0-1-0"))
	w.Settle()
	breached := meta.FindStatusCondition(w.ScalingGroups["train-group"].Status.Conditions, v1alpha1.ConditionMinAvailableBreached)
	if breached.Status != metav1.ConditionTrue || breached.Message != "train-0: 1 of 2 group replicas available, at least 2 needed" {
		t.Errorf("%+v", breached)
	}
}

func TestScalingGroupUrgency(t *testing.T) {
	for name, test := range map[string]struct {
		change func(status *v1alpha1.PodCliqueScalingGroupStatus)
		want   plan.Urgency
	}{
		"as ever":               {func(*v1alpha1.PodCliqueScalingGroupStatus) {}, plan.None},
		"one more is available": {func(s *v1alpha1.PodCliqueScalingGroupStatus) { s.AvailableReplicas++ }, plan.Numbers},
		"in other words":        {func(s *v1alpha1.PodCliqueScalingGroupStatus) { s.Conditions[0].Message = "other" }, plan.Words},
		"breached":              {func(s *v1alpha1.PodCliqueScalingGroupStatus) { s.Conditions[0].Status = metav1.ConditionTrue }, plan.Urgent},
	} {
		w := plantest.NewWorld(plantest.Workers(), plantest.Ready)
		w.Settle()
		g := w.ScalingGroup("train-group")
		after := g.Object.Status.DeepCopy()
		test.change(after)
		if got := g.Urgency(after); got != test.want {
			t.Errorf("%s: urgency %d, want %d", name, got, test.want)
		}
	}
}
