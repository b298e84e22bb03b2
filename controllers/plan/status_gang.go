package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/sets"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Gang is a PodGang with the PodCliques of its replica.
type Gang struct {
	Object *v1alpha1.PodGang
	// Set is the PodCliqueSet that controls the PodGang.
	Set     *v1alpha1.PodCliqueSet
	Cliques []Clique
	// Scheduling is what the scheduler can do for the gang.
	Scheduling Scheduling
	// Verdicts have the scheduler's own words on units that it can't place, by the units' names.
	Verdicts map[string]string
}

// Status describes a PodGang. Problems are those with what the scheduler is told of it.
func (g Gang) Status(problems []Problem, now time.Time) v1alpha1.PodGangStatus {
	groups := g.groups()
	base := groups[:len(g.Object.Spec.PodGroups)]
	live := g.Object.Status
	conditions := newConditions(live.Conditions, g.Object.Generation, now)
	g.setScheduled(conditions, groups)
	ready, missing := everyGroup(base, func(c *counts) int32 { return c.ready }, "ready")
	conditions.setBool(v1alpha1.ConditionReady, ready, podsReason(ready), missing)
	enforced, reason, message := g.gangScheduling(problems)
	conditions.setBool(v1alpha1.ConditionGangScheduling, enforced, reason, message)

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

// Patience is how long a change of the PodGang's status may wait for others. Where pods start after others, they wait for those to be
// ready, which therefore is told at once; that a unit is scheduled is mostly told together with that.
func (g Gang) Patience(after *v1alpha1.PodGangStatus) time.Duration {
	before := g.Object.Status
	same := func(kind string) bool { return sameCondition(before.Conditions, after.Conditions, kind) }
	ordered := g.Set.Spec.Template.CliqueStartupType != v1alpha1.CliqueStartupTypeAnyOrder
	switch {
	case before.Phase != after.Phase && after.Phase == v1alpha1.PodGangSucceeded,
		!same(v1alpha1.ConditionReady), !same(v1alpha1.ConditionGangScheduling),
		groupsLost(g.Object, &before, after), ordered && groupsReady(g.Object, &before) != groupsReady(g.Object, after):
		return 0
	case !same(v1alpha1.ConditionScheduled), !same(v1alpha1.ConditionScaledGroupsScheduled):
		return scheduledPatience
	case !slices.Equal(before.PodGroups, after.PodGroups) || before.ObservedGeneration != after.ObservedGeneration:
		return countsPatience
	case waitsForScheduler(after.Conditions):
		return wordsPatience
	default:
		return progressPatience
	}
}

// groupsReady is how many pod groups have the ready pods that they need.
func groupsReady(gang *v1alpha1.PodGang, status *v1alpha1.PodGangStatus) int {
	n := 0
	for _, group := range podGroupsOf(gang) {
		if countsIn(status, group.Name).Ready >= group.MinReplicas {
			n++
		}
	}
	return n
}

// groupsLost tells whether a pod group has lost pods that it needs.
func groupsLost(gang *v1alpha1.PodGang, before, after *v1alpha1.PodGangStatus) bool {
	return slices.ContainsFunc(podGroupsOf(gang), func(group v1alpha1.PodGroup) bool {
		return countsIn(before, group.Name).Available >= group.MinReplicas && countsIn(after, group.Name).Available < group.MinReplicas
	})
}

// countsIn are a pod group's counts; zero where a status has none.
func countsIn(status *v1alpha1.PodGangStatus, group string) v1alpha1.PodGroupStatus {
	i := slices.IndexFunc(status.PodGroups, func(counts v1alpha1.PodGroupStatus) bool { return counts.Name == group })
	if i < 0 {
		return v1alpha1.PodGroupStatus{}
	}
	return status.PodGroups[i]
}

// setScheduled says whether the base unit, and all scaled ones, are scheduled, and what the first that isn't waits for.
func (g Gang) setScheduled(conditions *conditions, groups []countedGroup) {
	base, scaled := waiting{reason: v1alpha1.ReasonSufficientPods}, waiting{reason: v1alpha1.ReasonSufficientPods}
	for _, unit := range unitsOf(g.Object) {
		var own []countedGroup
		own, groups = groups[:len(unit.Slices)], groups[len(unit.Slices):]
		enough, lacks := everyGroup(own, func(c *counts) int32 { return c.scheduled }, "scheduled")
		first := &scaled
		if unit.Base {
			first = &base
		}
		if enough || first.message != "" {
			continue
		}
		*first = g.holdsBack(unit, base.message != "")
		first.message = lacks + "; " + first.message
	}
	conditions.setBool(v1alpha1.ConditionScheduled, base.message == "", base.reason, base.message)
	if len(g.Object.Spec.ScaledGroups) == 0 {
		meta.RemoveStatusCondition(&conditions.list, v1alpha1.ConditionScaledGroupsScheduled)
		return
	}
	conditions.setBool(v1alpha1.ConditionScaledGroupsScheduled, scaled.message == "", scaled.reason, scaled.message)
}

// waiting is why a unit isn't scheduled.
type waiting struct{ reason, message string }

// holdsBack says why a unit isn't scheduled: what waits to be created, maybe because the base unit waits too, scheduling gates of a
// user's, or else the scheduler's words.
func (g Gang) holdsBack(unit Unit, baseWaits bool) waiting {
	existing := g.pods()
	exist, all, words := 0, 0, ""
	for _, slice := range unit.Slices {
		for n := range slice.MinReplicas {
			all++
			pod := existing[PodName(slice.Name, n)]
			if pod == nil {
				continue
			}
			exist++
			if gates := pod.Spec.SchedulingGates; len(gates) > 0 {
				return waiting{v1alpha1.ReasonSchedulingGated,
					fmt.Sprintf("pod %s is held back by its scheduling gate %s, and with it the whole unit", pod.Name, gates[0].Name)}
			}
			words = cmp.Or(words, schedulersWords(pod))
		}
	}
	words = cmp.Or(g.Verdicts[unit.Name], words)
	switch {
	case exist < all && baseWaits:
		return waiting{v1alpha1.ReasonInsufficientPods, "its pods are created once the base unit is scheduled"}
	case exist < all:
		return waiting{v1alpha1.ReasonInsufficientPods, fmt.Sprintf("%d of its %d pods exist", exist, all)}
	case words != "":
		return waiting{v1alpha1.ReasonUnschedulable, "the scheduler says: " + words}
	default:
		return waiting{v1alpha1.ReasonInsufficientPods, "the scheduler hasn't tried yet"}
	}
}

// schedulersWords are what the scheduler says of a pod that it couldn't place.
func schedulersWords(pod *corev1.Pod) string {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return condition.Message
		}
	}
	return ""
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
