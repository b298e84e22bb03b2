package podgang

import (
	"cmp"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// verdict is the status of a condition, why, and in words.
type verdict struct {
	status          bool
	reason, message string
}

// setScheduled says whether the base unit, and all scaled ones, are scheduled, and what the first that isn't waits for.
func (g Gang) setScheduled(conditions *plan.Conditions, units []plan.Unit) {
	base, scaled := verdict{true, v1alpha1.ReasonSufficientPods, ""}, verdict{true, v1alpha1.ReasonSufficientPods, ""}
	pods := g.PodsByName()
	for _, unit := range units {
		first := &scaled
		if unit.Base {
			first = &base
		}
		lacks := unit.Missing(plan.Scheduled)
		if lacks == "" || !first.status {
			continue
		}
		*first = g.holdsBack(unit, pods, !base.status)
		first.message = lacks + "; " + first.message
	}
	conditions.SetBool(v1alpha1.ConditionScheduled, base.status, base.reason, base.message)
	if len(units) == 1 {
		conditions.Remove(v1alpha1.ConditionScaledGroupsScheduled)
		return
	}
	conditions.SetBool(v1alpha1.ConditionScaledGroupsScheduled, scaled.status, scaled.reason, scaled.message)
}

// holdsBack says why a unit isn't scheduled: what waits to be created, maybe because the base unit waits too, scheduling gates of a
// user's, or else the scheduler's words.
func (g Gang) holdsBack(unit plan.Unit, pods map[string]*corev1.Pod, baseWaits bool) verdict {
	exist, all, words, ending := 0, 0, "", ""
	for _, podGroup := range unit.PodGroups {
		for n := range podGroup.MinReplicas {
			all++
			name := plan.PodName(podGroup.Name, n)
			pod := pods[name]
			switch {
			case pod == nil:
				continue
			case !plan.Lives(pod):
				ending = cmp.Or(ending, name)
				continue
			}
			exist++
			if gates := pod.Spec.SchedulingGates; len(gates) > 0 {
				return verdict{false, v1alpha1.ReasonSchedulingGated,
					fmt.Sprintf("pod %s is held back by its scheduling gate %s, and with it the whole unit", pod.Name, gates[0].Name)}
			}
			words = cmp.Or(words, schedulersWords(pod))
		}
	}
	words = cmp.Or(g.Verdicts[unit.Name], words)
	taken := g.takenBy(unit)
	switch {
	case ending != "":
		return verdict{false, v1alpha1.ReasonInsufficientPods, fmt.Sprintf("pod %s is terminating, and its successor waits for the name", ending)}
	case exist < all && taken != "":
		return verdict{false, v1alpha1.ReasonNameTaken, taken}
	case exist < all && baseWaits && !unit.Base:
		return verdict{false, v1alpha1.ReasonInsufficientPods, "its pods are created once the base unit is scheduled"}
	case exist < all:
		return verdict{false, v1alpha1.ReasonInsufficientPods, fmt.Sprintf("%d of its %d pods exist", exist, all)}
	case words != "":
		return verdict{false, v1alpha1.ReasonUnschedulable, "the scheduler says: " + words}
	default:
		return verdict{false, v1alpha1.ReasonInsufficientPods, "the scheduler hasn't tried yet"}
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

// takenBy says who has the name of one of the unit's groups in the scheduler, and isn't Grove's or is on its way out.
func (g Gang) takenBy(unit plan.Unit) string {
	if !g.Scheduling.Gangs {
		return ""
	}
	t, i := plan.TemplateOf(g.Set), g.Object().Spec.ReplicaIndex
	if len(unit.PodGroups) == 0 {
		return ""
	}
	shape := t.Topology(i, g.Scheduling).Shape(unit.Base, t.UnitCliques(i, unit.Base, unit.PodGroups[0].PodCliqueName), g.Scheduling)
	for _, podGroup := range unit.PodGroups {
		if found := g.SchedulerGroups(shape.Group(unit.Name, podGroup.PodCliqueName)); !found.Exists && found.Taken != "" {
			return found.Taken
		}
	}
	return ""
}

// setGangScheduling says whether the gang's units are placed all or nothing. What was wrong with what the scheduler is told stands until
// that was written once.
func (g Gang) setGangScheduling(conditions *plan.Conditions, units []plan.Unit, report plan.Report) {
	v := g.gangScheduling(units, report.Problems)
	if before := meta.FindStatusCondition(conditions.List, v1alpha1.ConditionGangScheduling); !report.Of(g.Object()) && v.status &&
		before != nil && before.Status == metav1.ConditionFalse && plan.IsProblem(before.Reason) {
		return
	}
	conditions.SetBool(v1alpha1.ConditionGangScheduling, v.status, v.reason, v.message)
}

func (g Gang) gangScheduling(units []plan.Unit, problems []plan.Problem) verdict {
	switch scheduler := g.scheduler(); {
	case !g.Scheduling.Gangs:
		return verdict{false, g.Scheduling.Reason, g.Scheduling.Message}
	case len(problems) > 0:
		return verdict{false, problems[0].Reason, problems[0].Message}
	case scheduler != corev1.DefaultSchedulerName:
		return verdict{false, v1alpha1.ReasonUnknownScheduler, fmt.Sprintf("the podSpecs name the scheduler %s, which isn't known to place gangs: "+
			"leave out schedulerName, and kube-scheduler will", scheduler)}
	}
	for _, unit := range units {
		if unit.Has(plan.Scheduled) {
			continue
		}
		if taken := g.takenBy(unit); taken != "" {
			return verdict{false, v1alpha1.ReasonNameTaken, taken}
		}
	}
	if v, lacking := g.withoutGroup(units); lacking {
		return v
	}
	if weaker := g.weaker(units); len(weaker) > 0 {
		return verdict{true, v1alpha1.ReasonTopologyWeakened, fmt.Sprintf("every unit is placed all or nothing; %s: the scheduler has no %s",
			weaker[0], g.Scheduling.Missing())}
	}
	return verdict{true, v1alpha1.ReasonEnforced, "every unit is placed all or nothing"}
}

// scheduler is the one that the podSpecs name.
func (g Gang) scheduler() string {
	for i := range g.Set.Spec.Template.Cliques {
		if name := g.Set.Spec.Template.Cliques[i].Spec.PodSpec.SchedulerName; name != "" {
			return name
		}
	}
	return corev1.DefaultSchedulerName
}

// withoutGroup tells of a pod of a unit that names no group. Where others of its unit do, it was created as surplus, before it counted
// towards minAvailable; where none does, the API server has dropped the field.
func (g Gang) withoutGroup(units []plan.Unit) (verdict, bool) {
	pods := g.PodsByName()
	for _, unit := range units {
		without, others := "", false
		for _, podGroup := range unit.PodGroups {
			for n := range podGroup.MinReplicas {
				pod := pods[plan.PodName(podGroup.Name, n)]
				switch {
				case pod == nil:
				case plan.SchedulerGroupOf(pod) != "":
					others = true
				default:
					without = cmp.Or(without, pod.Name)
				}
			}
		}
		switch {
		case without != "" && others:
			return verdict{true, v1alpha1.ReasonEnforced, fmt.Sprintf("every unit is placed all or nothing; pod %s, which was created before it counted "+
				"towards minAvailable, joins its unit when it is replaced", without)}, true
		case without != "":
			return verdict{false, v1alpha1.ReasonSchedulingGroupMissing, fmt.Sprintf("pod %s has no spec.schedulingGroup, so that it is scheduled by itself: "+
				"either it was created before the API server served PodGroups, or the API server drops the field because its feature gate "+
				"GenericWorkload is off; turn that on in kube-apiserver, kube-controller-manager and kube-scheduler, and delete the pod", without)}, true
		}
	}
	return verdict{}, false
}

// weaker says what the scheduler doesn't do of what is required.
func (g Gang) weaker(units []plan.Unit) []string {
	t, i := plan.TemplateOf(g.Set), g.Object().Spec.ReplicaIndex
	asked := t.Topology(i, g.Scheduling)
	var weaker []string
	for _, unit := range units {
		if len(unit.PodGroups) > 0 {
			podCliques := t.UnitCliques(i, unit.Base, unit.PodGroups[0].PodCliqueName)
			weaker = append(weaker, asked.Weaker(unit.Base, podCliques, asked.Shape(unit.Base, podCliques, g.Scheduling))...)
		}
	}
	return weaker
}
