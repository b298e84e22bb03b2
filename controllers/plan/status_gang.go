package plan

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Gang is a PodGang with the PodCliques of its replica.
type Gang struct {
	Object  *v1alpha1.PodGang
	Cliques []Clique
}

// Status describes a PodGang.
func (g Gang) Status(now time.Time) v1alpha1.PodGangStatus {
	groups := g.groups()
	base := groups[:len(g.Object.Spec.PodGroups)]
	live := g.Object.Status
	conditions := newConditions(live.Conditions, g.Object.Generation, now)
	scheduled, missing := everyGroup(base, func(c *counts) int32 { return c.scheduled }, "scheduled")
	conditions.setBool(v1alpha1.ConditionScheduled, scheduled, podsReason(scheduled), missing)
	ready, missing := everyGroup(base, func(c *counts) int32 { return c.ready }, "ready")
	conditions.setBool(v1alpha1.ConditionReady, ready, podsReason(ready), missing)

	status := v1alpha1.PodGangStatus{
		ObservedGeneration: g.Object.Generation,
		Phase:              phase(base, live.Phase),
		Conditions:         conditions.list,
	}
	for _, group := range groups {
		status.PodGroups = append(status.PodGroups, v1alpha1.PodGroupStatus{
			Name:      group.Name,
			Desired:   group.desired,
			Scheduled: group.scheduled,
			Available: group.available,
			Ready:     group.ready,
		})
	}
	return status
}

// countedGroup is a pod group with the counts of its slice.
type countedGroup struct {
	v1alpha1.PodGroup
	*counts
	desired int32
}

// groups are the pod groups of the base unit, followed by those of the scaled units.
func (g Gang) groups() []countedGroup {
	counted := map[string]*counts{}
	desired := map[string]int32{}
	for _, clique := range g.Cliques {
		desired[clique.Object.Name] = replicasOf(clique.Object.Spec.Replicas)
		for name, count := range clique.sliceCounts() {
			counted[name] = count
		}
	}
	var groups []countedGroup
	for _, spec := range podGroupsOf(g.Object) {
		count := counted[spec.Name]
		if count == nil {
			// The PodClique, or its group, hasn't been seen at this size yet.
			count = &counts{}
		}
		groups = append(groups, countedGroup{PodGroup: spec, counts: count, desired: desired[spec.PodCliqueName]})
	}
	return groups
}

// everyGroup tells whether each pod group has its minimum of some sort of pods, and says which lacks how many.
func everyGroup(groups []countedGroup, number func(*counts) int32, what string) (bool, string) {
	for _, group := range groups {
		if have := number(group.counts); have < group.MinReplicas {
			return false, fmt.Sprintf("%s: %d of %d pods %s, at least %d needed", group.Name, have, group.desired, what, group.MinReplicas)
		}
	}
	return true, ""
}

func podsReason(enough bool) string {
	if enough {
		return v1alpha1.ReasonSufficientPods
	}
	return v1alpha1.ReasonInsufficientPods
}

// phase of a gang, from the pod groups of its base unit and the phase before. A gang that ran and lost pods has failed;
// one that never ran is pending or starting.
func phase(base []countedGroup, before v1alpha1.PodGangPhase) v1alpha1.PodGangPhase {
	every := func(number func(*counts) int32) bool {
		enough, _ := everyGroup(base, number, "")
		return enough
	}
	ran := before == v1alpha1.PodGangRunning || before == v1alpha1.PodGangFailed
	switch {
	case succeeded(base):
		return v1alpha1.PodGangSucceeded
	case every(func(c *counts) int32 { return c.ready }):
		return v1alpha1.PodGangRunning
	case ran && !every(func(c *counts) int32 { return c.available }):
		return v1alpha1.PodGangFailed
	case every(func(c *counts) int32 { return c.scheduled }):
		return v1alpha1.PodGangStarting
	default:
		return v1alpha1.PodGangPending
	}
}

// succeeded tells whether every pod of the base unit has run to its end.
func succeeded(base []countedGroup) bool {
	return len(base) > 0 && !slices.ContainsFunc(base, func(g countedGroup) bool { return g.desired == 0 || g.counts.succeeded < g.desired })
}

// PodCliquesOf are the names of the PodCliques that a gang's pod groups are of.
func PodCliquesOf(gang *v1alpha1.PodGang) []string {
	names := sets.New[string]()
	for _, group := range podGroupsOf(gang) {
		names.Insert(group.PodCliqueName)
	}
	return sets.List(names)
}

// podGroupsOf are the pod groups of a gang's base unit, followed by those of its scaled units.
func podGroupsOf(gang *v1alpha1.PodGang) []v1alpha1.PodGroup {
	groups := slices.Clone(gang.Spec.PodGroups)
	for _, scaled := range gang.Spec.ScaledGroups {
		groups = append(groups, scaled.PodGroups...)
	}
	return groups
}
