package podgang

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// Status describes a PodGang. The report is on what the scheduler is told of it.
func (g Gang) Status(report plan.Report, now time.Time) v1alpha1.PodGangStatus {
	live, recreated := g.Object().Status, g.recreated(now)
	// Pods of before a restart that is being counted don't count any more, from this very status on.
	g = g.with(live.Units, recreated)
	if live.Phase != v1alpha1.PodGangSucceeded {
		g = g.with(g.record(g.Units(), now), nil)
	}
	units := g.Units()
	base, delay := units[0], plan.TemplateOf(g.Set).TerminationDelay()
	status := v1alpha1.PodGangStatus{
		ObservedGeneration: g.Object().Generation,
		Phase:              phase(base, plan.UnitRecord(g.Object(), base.Name), live.Phase, delay, now),
		Units:              g.Object().Status.Units,
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
	g.setRefused(conditions)
	status.Conditions = conditions.List
	status.PodGroups = g.podGroups(units, plan.RestartsOf(&v1alpha1.PodGang{ObjectMeta: g.Object().ObjectMeta, Spec: g.Object().Spec, Status: live}))
	return status
}

// setRefused says which pods can't be changed where they are: a condition that a PodGang has only then.
func (g Gang) setRefused(conditions *plan.Conditions) {
	switch {
	case len(g.Refused.Problems) > 0:
		conditions.SetResourcesApplied(true, g.Refused.Problems)
	case g.Refused.Of(g.Object()):
		conditions.Remove(v1alpha1.ConditionResourcesApplied)
	}
}

// podGroups are the counts of the gang's pod groups. What existed before a restart is no more: its successors come as if for the first time.
func (g Gang) podGroups(units []plan.Unit, restartsBefore plan.Restarts) []v1alpha1.PodGroupStatus {
	restarts, before := plan.RestartsOf(g.Object()), map[string]v1alpha1.PodGroupStatus{}
	for _, podGroup := range g.Object().Status.PodGroups {
		before[podGroup.Name] = podGroup
	}
	var all []v1alpha1.PodGroupStatus
	for _, unit := range units {
		for _, podGroup := range unit.PodGroups {
			was, created := before[podGroup.Name], podGroup.Counts.Created
			if restarts.Of(podGroup.Name) == restartsBefore.Of(podGroup.Name) {
				created = max(created, was.Created)
			}
			all = append(all, v1alpha1.PodGroupStatus{
				Name:           podGroup.Name,
				Desired:        podGroup.Desired,
				Scheduled:      podGroup.Counts.Scheduled,
				Available:      podGroup.Counts.Available,
				Ready:          podGroup.Counts.Ready,
				Succeeded:      podGroup.Counts.Succeeded,
				TemplateHash:   podGroup.TemplateHash,
				Updated:        podGroup.Counts.Updated,
				Outdated:       podGroup.Outdated,
				Unschedulable:  podGroup.Counts.Unschedulable,
				Awaited:        podGroup.Awaited,
				Created:        min(podGroup.Desired, created),
				Restarts:       was.Restarts,
				RestartedAt:    was.RestartedAt,
				RestartsInARow: was.RestartsInARow,
			})
		}
	}
	return all
}

// Urgency is how urgent a change of the PodGang's status is. Where pods start after others, they wait for those to be up, and an update waits for its
// replica to be done.
func (g Gang) Urgency(after *v1alpha1.PodGangStatus) plan.Urgency {
	before := &g.Object().Status
	was, is := *g.Object(), *g.Object()
	was.Status, is.Status = *before, *after
	unitsBefore, unitsAfter := plan.UnitsOf(&was), plan.UnitsOf(&is)
	updating := g.updating(unitsBefore) && g.updating(unitsAfter)
	urgency := plan.ConditionsUrgency(before.Conditions, after.Conditions, updating)
	switch {
	case urgency == plan.Urgent:
		return urgency
	case before.Phase != after.Phase && (after.Phase == v1alpha1.PodGangSucceeded || after.Phase == v1alpha1.PodGangFailed),
		g.podsWaitFor(unitsBefore, unitsAfter, updating), restarted(before, after), comesUp(before, after), g.updateEnds(&was, &is), g.wholeTurns(unitsBefore, unitsAfter):
		return plan.Urgent
	case before.Phase != after.Phase, before.ObservedGeneration != after.ObservedGeneration, !equality.Semantic.DeepEqual(before.PodGroups, after.PodGroups), !equality.Semantic.DeepEqual(before.Units, after.Units):
		return plan.Numbers
	default:
		return urgency
	}
}

// restarted tells whether a unit has fallen below its minimum or was terminated, or the restartPolicy has recreated a pod group.
func restarted(before, after *v1alpha1.PodGangStatus) bool {
	ended, breached := Ended(before, after)
	return len(ended)+len(breached)+len(recreations(before, after)) > 0
}

// comesUp tells whether a unit is up for the first time, or again after it was terminated: an update looks at that record.
func comesUp(before, after *v1alpha1.PodGangStatus) bool {
	was := plan.UnitRecords(&v1alpha1.PodGang{Status: *before})
	return slices.ContainsFunc(after.Units, func(record v1alpha1.UnitStatus) bool {
		return record.AvailableSince != nil && was[record.Name].AvailableSince == nil
	})
}

// podsWaitFor tells whether a pod group has got, or lost, what pods that start after it wait for, or has fewer pods than it needs, which is no news
// where an update replaces them.
func (g Gang) podsWaitFor(before, after []plan.Unit, updating bool) bool {
	ordered := g.Set.Spec.Template.CliqueStartupType != v1alpha1.CliqueStartupTypeAnyOrder
	for u := range after {
		for n, group := range after[u].PodGroups {
			earlier := before[u].PodGroups[n]
			if ordered && earlier.Has(plan.Ready) != group.Has(plan.Ready) || !updating && earlier.Has(plan.Available) && !group.Has(plan.Available) {
				return true
			}
		}
	}
	return false
}

// wholeTurns tells whether a slice has become, or isn't any more, what WasWhole looks for: by that record it is told whether a pod was lost.
func (g Gang) wholeTurns(before, after []plan.Unit) bool {
	whole := func(group plan.PodGroup) bool {
		return group.Scheduled >= group.Desired && group.Updated >= group.Desired
	}
	for u := range after {
		for n, group := range after[u].PodGroups {
			clique, ok := g.Cliques[group.PodCliqueName]
			if ok && whole(before[u].PodGroups[n]) != whole(group) && clique.Together() != plan.Alone {
				return true
			}
		}
	}
	return false
}

// updateEnds tells whether the replica is done with an update that goes on, so that the next one may begin.
func (g Gang) updateEnds(before, after *v1alpha1.PodGang) bool {
	if !plan.UpdateGoesOn(g.Set.Status.Conditions) {
		return false
	}
	hashes := map[string]string{}
	for name, clique := range g.Cliques {
		hashes[name] = clique.TemplateHash()
	}
	return !plan.Done(before, hashes) && plan.Done(after, hashes)
}

func podsReason(enough bool) string {
	if enough {
		return v1alpha1.ReasonSufficientPods
	}
	return v1alpha1.ReasonInsufficientPods
}
