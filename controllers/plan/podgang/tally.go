package podgang

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// Tally is what is to be counted of a PodGang that went from one status to the next. Of what is listed, each entry tells whether it is the
// base unit's.
type Tally struct {
	// Scheduled and Ready: the gang became so for the first time since it was created.
	Scheduled, Ready bool
	// Breached are the units that fell below their minimum, and Terminated are those that were terminated.
	Breached, Terminated []bool
	// Restarted are the pod groups that were recreated as the restartPolicy says.
	Restarted []bool
}

// TallyOf compares two statuses of a PodGang. It needs nothing but what is written, so that what was counted isn't counted again by an
// operator that has just begun.
func TallyOf(podGang *v1alpha1.PodGang, before, after *v1alpha1.PodGangStatus) Tally {
	t := Tally{
		Scheduled: turns(before, after, v1alpha1.ConditionScheduled) && !wasReady(podGang, before) && !wasScheduled(before),
		Ready:     turns(before, after, v1alpha1.ConditionReady) && !wasReady(podGang, before),
	}
	ended, breached := Ended(before, after)
	for _, record := range ended {
		t.Terminated = append(t.Terminated, record.Name == podGang.Name)
	}
	for _, record := range breached {
		t.Breached = append(t.Breached, record.Name == podGang.Name)
	}
	units := plan.UnitsOf(podGang)
	for _, podGroup := range recreations(before, after) {
		t.Restarted = append(t.Restarted, slices.ContainsFunc(units, func(unit plan.Unit) bool {
			return unit.Base && slices.ContainsFunc(unit.PodGroups, func(g plan.PodGroup) bool { return g.Name == podGroup.Name })
		}))
	}
	return t
}

// turns tells whether a condition becomes True.
func turns(before, after *v1alpha1.PodGangStatus, condition string) bool {
	return !meta.IsStatusConditionTrue(before.Conditions, condition) && meta.IsStatusConditionTrue(after.Conditions, condition)
}

// wasReady tells whether the base unit ever was ready.
func wasReady(podGang *v1alpha1.PodGang, status *v1alpha1.PodGangStatus) bool {
	at := slices.IndexFunc(status.Units, func(record v1alpha1.UnitStatus) bool { return record.Name == podGang.Name })
	return at >= 0 && (status.Units[at].AvailableSince != nil || status.Units[at].TerminatedAt != nil)
}

// wasScheduled tells whether a gang that never was ready was scheduled, and lost its place: its condition Ready stands as it was first
// written, and so does Scheduled, unless that has turned since.
func wasScheduled(status *v1alpha1.PodGangStatus) bool {
	scheduled := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionScheduled)
	ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
	return scheduled != nil && ready != nil && (scheduled.Status == metav1.ConditionTrue || !scheduled.LastTransitionTime.Equal(&ready.LastTransitionTime))
}
