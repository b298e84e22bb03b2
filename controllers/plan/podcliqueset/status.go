package podcliqueset

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// mostSummaries bounds podGangStatuses, so that no set comes near the size that etcd takes. Those that aren't available come first.
const mostSummaries = 1000

// Status describes a set. The report is on its children, fresh says whether the caches have all that was written of them. What is known
// of a generation only, once all children follow it, is never said of the next one.
func (s Set) Status(report plan.Report, fresh bool, now time.Time) v1alpha1.PodCliqueSetStatus {
	live := s.Object.Status
	known := report.Of(s.Object) && fresh && s.settled()
	status := v1alpha1.PodCliqueSetStatus{
		ObservedGeneration:    live.ObservedGeneration,
		Selector:              s.scaleSelector(),
		CurrentGenerationHash: plan.GenerationHash(s.Object),
	}
	update := s.updating(now)
	status.RollingUpdateProgress = update.progress
	if known || live.ObservedGeneration == 0 {
		status.ObservedGeneration = s.Object.Generation
	}
	sums := s.summarize(&status, now)
	waiting := sums.waiting
	created := s.complete() && (known || live.ObservedGeneration > 0)
	status.Phase = s.phase(status, created, update.active(), sums)

	conditions := plan.NewConditions(live.Conditions, status.ObservedGeneration, now)
	problems := append(slices.Clone(report.Problems), s.partProblems()...)
	conditions.SetResourcesApplied(known && s.partsApplied(), problems)
	if applied := meta.FindStatusCondition(conditions.List, v1alpha1.ConditionResourcesApplied); applied.Status == metav1.ConditionFalse {
		waiting = applied.Message
	}
	s.setScaling(conditions)
	s.setConditions(conditions, status, update, waiting)
	sums.setDegraded(conditions)
	status.Conditions = conditions.List
	return status
}

// summary is what the set's gangs amount to.
type summary struct {
	// waiting says what the first replica waits for that isn't available.
	waiting string
	// succeeded, degraded and failed are how many replicas have run to their end, have lost what they had, and weren't brought back.
	succeeded, degraded, failed int32
	// breach and scaledBreach say of the first replica, and of the first scaled unit, that has lost what it had, what happens next.
	breach, scaledBreach string
	// scaledLost is how many scaled units have lost what they had.
	scaledLost int32
	terminated bool
}

// summarize counts the set's replicas.
func (s Set) summarize(status *v1alpha1.PodCliqueSetStatus, now time.Time) summary {
	var sums summary
	before := map[string]v1alpha1.PodGangSummary{}
	for _, summary := range s.Object.Status.PodGangStatuses {
		before[summary.Name] = summary
	}
	t := plan.TemplateOf(s.Object)
	hashes := t.PodTemplateHashes()
	for i := range s.Object.Spec.Replicas {
		gang := s.PodGangs[plan.PodGangName(s.Object.Name, i)]
		if gang == nil {
			continue
		}
		why := unavailable(gang)
		sums.waiting = cmp.Or(sums.waiting, why)
		sums.look(s.Object, gang)
		status.Replicas++
		status.AvailableReplicas += plan.One(why == "")
		status.UpdatedReplicas += plan.One(s.updated(t, hashes, i))
		status.PodGangStatuses = append(status.PodGangStatuses, v1alpha1.PodGangSummary{
			Name:               gang.Name,
			Phase:              gang.Status.Phase,
			Available:          why == "",
			FirstAvailableTime: plan.FirstTime(before[gang.Name].FirstAvailableTime, why == "", now),
			WaitingSince:       waitingSince(gang, why),
			Restarts:           plan.UnitRecord(gang, gang.Name).Restarts,
		})
	}
	if len(status.PodGangStatuses) > mostSummaries {
		slices.SortStableFunc(status.PodGangStatuses, func(a, b v1alpha1.PodGangSummary) int {
			return cmp.Compare(plan.One(a.Available), plan.One(b.Available))
		})
		status.PodGangStatuses = status.PodGangStatuses[:mostSummaries]
	}
	return sums
}

// unavailable says what a replica waits for, in the deepest words that are known; nothing if it is available.
func unavailable(gang *v1alpha1.PodGang) string {
	why := plan.WhyUnavailable(gang)
	if why == "" {
		return ""
	}
	for _, kind := range []string{v1alpha1.ConditionScheduled, v1alpha1.ConditionReady} {
		condition := meta.FindStatusCondition(gang.Status.Conditions, kind)
		if condition != nil && condition.Status == metav1.ConditionFalse && condition.ObservedGeneration == gang.Generation {
			return condition.Message
		}
	}
	return why
}

// Urgency is how urgent a change of the set's status is.
func (s Set) Urgency(after *v1alpha1.PodCliqueSetStatus) plan.Urgency {
	before := &s.Object.Status
	urgency := plan.ConditionsUrgency(before.Conditions, after.Conditions, plan.UpdateGoesOn(before.Conditions) && plan.UpdateGoesOn(after.Conditions))
	if urgency < plan.Numbers && !equality.Semantic.DeepEqual(withoutConditions(before), withoutConditions(after)) {
		return plan.Numbers
	}
	return urgency
}

func withoutConditions(status *v1alpha1.PodCliqueSetStatus) v1alpha1.PodCliqueSetStatus {
	without := *status
	without.Conditions = nil
	return without
}

// partProblems are what PodCliques say of pods, and PodGangs of groups in the scheduler and of pods that are changed where they are, that can't be
// as they should. The first of them speaks, in its own words, for all parts that have problems.
func (s Set) partProblems() []plan.Problem {
	problems := append(
		problemsOf(s.PodCliques, func(c *v1alpha1.PodClique) []metav1.Condition { return c.Status.Conditions }, v1alpha1.ConditionResourcesApplied),
		problemsOf(s.PodGangs, func(g *v1alpha1.PodGang) []metav1.Condition { return g.Status.Conditions },
			v1alpha1.ConditionGangScheduling, v1alpha1.ConditionResourcesApplied)...)
	if len(problems) < 2 {
		return problems
	}
	problems[0].Message += fmt.Sprintf("; more parts of the set have problems: %d", len(problems)-1)
	return problems[:1]
}

// problemsOf are what conditions of some kinds say of parts, by name, that can't be as they should, in the order of names. Of thousands of parts hardly one
// has any, so only those are put in order.
func problemsOf[T any](parts map[string]T, conditions func(T) []metav1.Condition, kinds ...string) []plan.Problem {
	found := map[string][]plan.Problem{}
	for name, part := range parts {
		for _, kind := range kinds {
			condition := meta.FindStatusCondition(conditions(part), kind)
			if condition != nil && condition.Status == metav1.ConditionFalse && plan.IsProblem(condition.Reason) {
				found[name] = append(found[name], plan.Problem{Reason: condition.Reason, Message: condition.Message})
			}
		}
	}
	var problems []plan.Problem
	for _, name := range slices.Sorted(maps.Keys(found)) {
		problems = append(problems, found[name]...)
	}
	return problems
}

// partsApplied tells whether every PodClique says that its pods are as they should be.
func (s Set) partsApplied() bool {
	for _, podClique := range s.PodCliques {
		applied := meta.FindStatusCondition(podClique.Status.Conditions, v1alpha1.ConditionResourcesApplied)
		if applied == nil || applied.Status != metav1.ConditionTrue || applied.ObservedGeneration != podClique.Generation {
			return false
		}
	}
	return s.complete()
}

// PodCliqueConcerns tells whether two statuses of a PodClique differ in what the set's is made of.
func PodCliqueConcerns(before, after *v1alpha1.PodClique) bool {
	applied := func(podClique *v1alpha1.PodClique) *metav1.Condition {
		return meta.FindStatusCondition(podClique.Status.Conditions, v1alpha1.ConditionResourcesApplied)
	}
	return before.Status.ObservedGeneration != after.Status.ObservedGeneration || !equality.Semantic.DeepEqual(applied(before), applied(after))
}

// ScalingGroupConcerns tells the same of a scaling group.
func ScalingGroupConcerns(before, after *v1alpha1.PodCliqueScalingGroup) bool {
	return before.Status.ObservedGeneration != after.Status.ObservedGeneration
}

// settled tells whether the statuses of all children are of their current specs, or say nothing yet. Before that, they may say of a
// new generation of the set what was true of the one before.
func (s Set) settled() bool {
	for _, gang := range s.PodGangs {
		if of := gang.Status.ObservedGeneration; of > 0 && of != gang.Generation {
			return false
		}
	}
	for _, podClique := range s.PodCliques {
		if of := podClique.Status.ObservedGeneration; of > 0 && of != podClique.Generation {
			return false
		}
	}
	for _, scalingGroup := range s.ScalingGroups {
		if of := scalingGroup.Status.ObservedGeneration; of > 0 && of != scalingGroup.Generation {
			return false
		}
	}
	return true
}

// setScaling says what has become of scaling other than was asked for: conditions that a set has only then.
func (s Set) setScaling(conditions *plan.Conditions) {
	if raised := s.raisedFloors(); raised == "" {
		conditions.Remove(v1alpha1.ConditionAutoscalingFloorRaised)
	} else {
		conditions.SetBool(v1alpha1.ConditionAutoscalingFloorRaised, true, v1alpha1.ReasonBelowMinAvailable, raised)
	}
	if reason, message := s.waitingGroups(); message == "" {
		conditions.Remove(v1alpha1.ConditionScaledGroupsScheduled)
	} else {
		conditions.SetBool(v1alpha1.ConditionScaledGroupsScheduled, false, reason, message)
	}
}

// waitingGroups says why the first scaled group waits whose base unit is scheduled; nothing if none does. Why a base unit waits, the condition
// Available says.
func (s Set) waitingGroups() (reason, message string) {
	for i := range s.Object.Spec.Replicas {
		gang := s.PodGangs[plan.PodGangName(s.Object.Name, i)]
		if gang == nil || !meta.IsStatusConditionTrue(gang.Status.Conditions, v1alpha1.ConditionScheduled) {
			continue
		}
		waits := meta.FindStatusCondition(gang.Status.Conditions, v1alpha1.ConditionScaledGroupsScheduled)
		if waits != nil && waits.Status == metav1.ConditionFalse && waits.ObservedGeneration == gang.Generation {
			return waits.Reason, gang.Name + ": " + waits.Message
		}
	}
	return "", ""
}

func (s Set) setConditions(conditions *plan.Conditions, status v1alpha1.PodCliqueSetStatus, update updating, waiting string) {
	available := status.Phase == v1alpha1.PodCliqueSetAvailable || status.Phase == v1alpha1.PodCliqueSetCompleted ||
		status.Phase == v1alpha1.PodCliqueSetUpdating && status.AvailableReplicas == s.Object.Spec.Replicas
	reason, message := v1alpha1.ReasonAllReplicasAvailable, fmt.Sprintf("%d of %d replicas available", status.AvailableReplicas, s.Object.Spec.Replicas)
	if !available {
		reason = v1alpha1.ReasonReplicasUnavailable
		if status.Phase == v1alpha1.PodCliqueSetCreating {
			reason = v1alpha1.ReasonChildrenMissing
			waiting = cmp.Or(waiting, "not every PodGang, PodClique and PodCliqueScalingGroup exists yet")
		}
		message += "; " + waiting
	}
	for _, kind := range []string{v1alpha1.ConditionAvailable, v1alpha1.ConditionReady} {
		conditions.SetBool(kind, available, reason, message)
	}
	s.setProgressing(conditions, update, available, reason, message)
	if status.Phase == v1alpha1.PodCliqueSetCompleted {
		conditions.SetBool(v1alpha1.ConditionComplete, true, v1alpha1.ReasonSucceeded, "every replica has run to its end")
	} else {
		conditions.SetBool(v1alpha1.ConditionComplete, false, v1alpha1.ReasonRunning, "not every replica has run to its end")
	}
}

// setProgressing says what an update does or, where there is none, whether the set isn't what its spec says yet. It is set once: a condition that
// is set twice would turn, and be written, each time.
func (s Set) setProgressing(conditions *plan.Conditions, update updating, available bool, reason, message string) {
	switch {
	case !update.active():
		conditions.SetBool(v1alpha1.ConditionProgressing, !available, reason, message)
	case s.Object.Spec.UpdateStrategy.Paused:
		conditions.SetBool(v1alpha1.ConditionProgressing, false, v1alpha1.ReasonPaused, "the update is paused; "+update.doing)
	case update.exceeded:
		conditions.SetBool(v1alpha1.ConditionProgressing, false, v1alpha1.ReasonProgressDeadlineExceeded, fmt.Sprintf(
			"the update got nothing done for %s, and goes no further until the template is edited again or what it waits for is ready; %s",
			progressDeadline(s.Object), update.doing))
	default:
		conditions.SetBool(v1alpha1.ConditionProgressing, true, v1alpha1.ReasonUpdating, update.doing)
	}
}

func (s Set) phase(status v1alpha1.PodCliqueSetStatus, created, updating bool, sums summary) v1alpha1.PodCliqueSetPhase {
	replicas := s.Object.Spec.Replicas
	switch {
	case !created:
		return v1alpha1.PodCliqueSetCreating
	case updating:
		return v1alpha1.PodCliqueSetUpdating
	case sums.failed > 0:
		return v1alpha1.PodCliqueSetFailed
	case sums.degraded > 0:
		return v1alpha1.PodCliqueSetDegraded
	case status.AvailableReplicas < replicas:
		return v1alpha1.PodCliqueSetScheduling
	case replicas > 0 && sums.succeeded == replicas:
		return v1alpha1.PodCliqueSetCompleted
	default:
		return v1alpha1.PodCliqueSetAvailable
	}
}

// complete tells whether every child exists that has a state of its own.
func (s Set) complete() bool {
	t := plan.TemplateOf(s.Object)
	for _, scalingGroup := range t.ScalingGroups {
		if s.ScalingGroups[plan.ScalingGroupName(s.Object.Name, scalingGroup.Name)] == nil {
			return false
		}
	}
	for i := range s.Object.Spec.Replicas {
		if s.PodGangs[plan.PodGangName(s.Object.Name, i)] == nil {
			return false
		}
		for _, clique := range t.Cliques() {
			if s.PodCliques[plan.PodCliqueName(s.Object.Name, clique.Name, i)] == nil {
				return false
			}
		}
	}
	return true
}

// scaleSelector matches one pod of each replica: spec.replicas counts replicas, and an autoscaler divides by the number of pods
// that it sees.
func (s Set) scaleSelector() string {
	return labels.Set{v1alpha1.LabelPodCliqueSet: s.Object.Name, v1alpha1.LabelAutoscaledBy: s.Object.Name}.String()
}

// updated tells whether all pods of replica i exist and are of the current podSpecs.
func (s Set) updated(t plan.Template, hashes []string, i int32) bool {
	gang := s.PodGangs[plan.PodGangName(s.Object.Name, i)]
	if gang == nil || gang.Status.ObservedGeneration != gang.Generation {
		return false
	}
	type podSpec struct{ podClique, hash string }
	updated := map[podSpec]int32{}
	for _, unit := range plan.UnitsOf(gang) {
		for _, group := range unit.PodGroups {
			updated[podSpec{group.PodCliqueName, group.TemplateHash}] += group.Updated
		}
	}
	for j := range t.Cliques() {
		clique := &t.Cliques()[j]
		podClique := s.PodCliques[plan.PodCliqueName(s.Object.Name, clique.Name, i)]
		if podClique == nil || updated[podSpec{podClique.Name, hashes[j]}] < s.podsOf(t, clique, podClique) {
			return false
		}
	}
	return true
}

// podsOf is how many pods a PodClique shall have, over all its pod groups.
func (s Set) podsOf(t plan.Template, clique *v1alpha1.PodCliqueTemplateSpec, podClique *v1alpha1.PodClique) int32 {
	observed := plan.Clique{Object: podClique}
	if config := t.ScalingGroupOf[clique.Name]; config != nil {
		observed.ScalingGroup = s.ScalingGroups[plan.ScalingGroupName(s.Object.Name, config.Name)]
	}
	return int32(min(observed.NumPods(), plan.MostPods))
}
