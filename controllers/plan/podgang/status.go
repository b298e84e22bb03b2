package podgang

import (
	"slices"
	"time"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// Status describes a PodGang. The report is on what the scheduler is told of it.
func (g Gang) Status(report plan.Report, now time.Time) v1alpha1.PodGangStatus {
	units := g.Units()
	base, live := units[0], g.Object().Status
	status := v1alpha1.PodGangStatus{
		ObservedGeneration: g.Object().Generation,
		Phase:              phase(base, live.Phase),
	}
	conditions := plan.NewConditions(live.Conditions, g.Object().Generation, now)
	if status.Phase == v1alpha1.PodGangSucceeded {
		conditions.SetBool(v1alpha1.ConditionScheduled, true, v1alpha1.ReasonSucceeded, "")
		conditions.SetBool(v1alpha1.ConditionReady, true, v1alpha1.ReasonSucceeded, "every pod of the base unit has run to its end")
	} else {
		g.setScheduled(conditions, units)
		missing := base.Missing(plan.Ready)
		conditions.SetBool(v1alpha1.ConditionReady, missing == "", podsReason(missing == ""), missing)
	}
	g.setGangScheduling(conditions, units, report)
	status.Conditions = conditions.List
	before := map[string]int32{}
	for _, podGroup := range live.PodGroups {
		before[podGroup.Name] = podGroup.Created
	}
	for _, unit := range units {
		for _, podGroup := range unit.PodGroups {
			status.PodGroups = append(status.PodGroups, v1alpha1.PodGroupStatus{
				Name:      podGroup.Name,
				Desired:   podGroup.Desired,
				Scheduled: podGroup.Counts.Scheduled,
				Available: podGroup.Counts.Available,
				Ready:     podGroup.Counts.Ready,
				Succeeded: podGroup.Counts.Succeeded,
				Created:   min(podGroup.Desired, max(before[podGroup.Name], podGroup.Counts.Created)),
			})
		}
	}
	return status
}

// Urgency is how urgent a change of the PodGang's status is. Where pods start after others, they wait for those to be up.
func (g Gang) Urgency(after *v1alpha1.PodGangStatus) plan.Urgency {
	before := &g.Object().Status
	urgency := plan.ConditionsUrgency(before.Conditions, after.Conditions)
	switch {
	case urgency == plan.Urgent:
		return urgency
	case before.Phase != after.Phase && (after.Phase == v1alpha1.PodGangSucceeded || after.Phase == v1alpha1.PodGangFailed),
		g.podsWaitFor(before, after):
		return plan.Urgent
	case before.Phase != after.Phase, before.ObservedGeneration != after.ObservedGeneration, !slices.Equal(before.PodGroups, after.PodGroups):
		return plan.Numbers
	default:
		return urgency
	}
}

// podsWaitFor tells whether a pod group has got, or lost, what pods that start after it wait for, or has fewer pods than it needs.
func (g Gang) podsWaitFor(before, after *v1alpha1.PodGangStatus) bool {
	ordered := g.Set.Spec.Template.CliqueStartupType != v1alpha1.CliqueStartupTypeAnyOrder
	was, is := *g.Object(), *g.Object()
	was.Status, is.Status = *before, *after
	unitsBefore, unitsAfter := plan.UnitsOf(&was), plan.UnitsOf(&is)
	for u := range unitsAfter {
		for n, group := range unitsAfter[u].PodGroups {
			earlier := unitsBefore[u].PodGroups[n]
			if ordered && earlier.Has(plan.Ready) != group.Has(plan.Ready) || earlier.Has(plan.Available) && !group.Has(plan.Available) {
				return true
			}
		}
	}
	return false
}

func podsReason(enough bool) string {
	if enough {
		return v1alpha1.ReasonSufficientPods
	}
	return v1alpha1.ReasonInsufficientPods
}

// phase of a gang, from its base unit and the phase before. A gang that ran and lost pods has failed; one that never ran is pending or
// starting. One that ran to its end stays so, whatever becomes of its pods.
func phase(base plan.Unit, before v1alpha1.PodGangPhase) v1alpha1.PodGangPhase {
	ran := before == v1alpha1.PodGangRunning || before == v1alpha1.PodGangFailed
	switch {
	case before == v1alpha1.PodGangSucceeded || base.Succeeded():
		return v1alpha1.PodGangSucceeded
	case base.Has(plan.Ready):
		return v1alpha1.PodGangRunning
	case ran && !base.Has(plan.Available):
		return v1alpha1.PodGangFailed
	case base.Has(plan.Scheduled):
		return v1alpha1.PodGangStarting
	default:
		return v1alpha1.PodGangPending
	}
}
