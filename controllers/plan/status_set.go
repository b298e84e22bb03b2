package plan

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Status describes a PodCliqueSet whose children were written last when it had some generation; 0 if that isn't known.
func (s Set) Status(applied int64, problems []Problem, now time.Time) v1alpha1.PodCliqueSetStatus {
	live := s.Object.Status
	status := v1alpha1.PodCliqueSetStatus{
		ObservedGeneration:    live.ObservedGeneration,
		Selector:              labels.Set(setLabels(s.Object)).String(),
		CurrentGenerationHash: GenerationHash(s.Object),
		RollingUpdateProgress: live.RollingUpdateProgress,
	}
	if applied == s.Object.Generation && s.settled() {
		status.ObservedGeneration = applied
	}
	first := map[string]v1alpha1.PodGangSummary{}
	for _, summary := range live.PodGangStatuses {
		first[summary.Name] = summary
	}
	t := templateOf(s.Object)
	hashes := t.podTemplateHashes()
	waiting := ""
	for i := range s.Object.Spec.Replicas {
		gang := s.PodGangs[PodGangName(s.Object.Name, i)]
		if gang == nil {
			continue
		}
		why := s.unavailable(t, gang, i)
		if waiting == "" {
			waiting = why
		}
		status.Replicas++
		status.AvailableReplicas += one(why == "")
		status.UpdatedReplicas += one(s.updated(t, hashes, i))
		status.PodGangStatuses = append(status.PodGangStatuses, v1alpha1.PodGangSummary{
			Name:               gang.Name,
			Phase:              gang.Status.Phase,
			Available:          why == "",
			FirstAvailableTime: firstTime(first[gang.Name].FirstAvailableTime, why == "", now),
		})
	}
	status.Phase = s.phase(status)
	conditions := newConditions(live.Conditions, status.ObservedGeneration, now)
	s.setConditions(conditions, status, waiting)
	conditions.setResourcesApplied(append(slices.Clone(problems), s.podProblems()...))
	status.Conditions = conditions.list
	return status
}

// Patience is how long a change of the set's status may wait for others.
func (s Set) Patience(after *v1alpha1.PodCliqueSetStatus) time.Duration {
	return patience(s.Object.Status.Conditions, after.Conditions)
}

// Begins tells whether a status says no more of the set than that its children are being created, and are too new to say anything.
func (s Set) Begins(status *v1alpha1.PodCliqueSetStatus) bool {
	if status.Phase == v1alpha1.PodCliqueSetAvailable || status.AvailableReplicas > 0 || !applied(status.Conditions) {
		return false
	}
	t := templateOf(s.Object)
	for i := range s.Object.Spec.Replicas {
		gang := s.PodGangs[PodGangName(s.Object.Name, i)]
		switch {
		case gang == nil || gang.Status.Phase == "":
		case waitsForScheduler(gang.Status.Conditions) || !s.hasNewClique(t, i):
			return false
		}
	}
	return true
}

// hasNewClique tells whether nothing has been said yet of a standalone PodClique of replica i.
func (s Set) hasNewClique(t template, i int32) bool {
	return slices.ContainsFunc(t.cliques(), func(clique v1alpha1.PodCliqueTemplateSpec) bool {
		podClique := s.PodCliques[PodCliqueName(s.Object.Name, clique.Name, i)]
		return t.groupOf[clique.Name] == nil && (podClique == nil || podClique.Status.ObservedGeneration == 0)
	})
}

// podProblems are what PodCliques say of pods that can't be as they should.
func (s Set) podProblems() []Problem {
	var problems []Problem
	for _, podClique := range slices.SortedFunc(maps.Values(s.PodCliques), byName) {
		applied := meta.FindStatusCondition(podClique.Status.Conditions, v1alpha1.ConditionResourcesApplied)
		if applied != nil && applied.Status == metav1.ConditionFalse {
			problems = append(problems, Problem{Reason: applied.Reason, Message: applied.Message})
		}
	}
	return problems
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
	for _, group := range s.ScalingGroups {
		if of := group.Status.ObservedGeneration; of > 0 && of != group.Generation {
			return false
		}
	}
	return true
}

func (s Set) setConditions(conditions *conditions, status v1alpha1.PodCliqueSetStatus, waiting string) {
	reason, message := v1alpha1.ReasonAllReplicasAvailable, fmt.Sprintf("%d of %d replicas available", status.AvailableReplicas, s.Object.Spec.Replicas)
	switch status.Phase {
	case v1alpha1.PodCliqueSetCreating:
		reason, message = v1alpha1.ReasonChildrenMissing, "not every PodGang, PodClique and PodCliqueScalingGroup exists yet"
	case v1alpha1.PodCliqueSetScheduling:
		reason = v1alpha1.ReasonReplicasUnavailable
		message += "; " + waiting
	}
	available := status.Phase == v1alpha1.PodCliqueSetAvailable
	conditions.setBool(v1alpha1.ConditionAvailable, available, reason, message)
	conditions.setBool(v1alpha1.ConditionProgressing, !available, reason, message)
}

func (s Set) phase(status v1alpha1.PodCliqueSetStatus) v1alpha1.PodCliqueSetPhase {
	switch {
	case !s.complete():
		return v1alpha1.PodCliqueSetCreating
	case status.AvailableReplicas < s.Object.Spec.Replicas:
		return v1alpha1.PodCliqueSetScheduling
	default:
		return v1alpha1.PodCliqueSetAvailable
	}
}

// complete tells whether every child exists that has a state of its own.
func (s Set) complete() bool {
	t := templateOf(s.Object)
	for _, group := range t.groups {
		if s.ScalingGroups[ScalingGroupName(s.Object.Name, group.Name)] == nil {
			return false
		}
	}
	for i := range s.Object.Spec.Replicas {
		if s.PodGangs[PodGangName(s.Object.Name, i)] == nil {
			return false
		}
		for _, clique := range t.cliques() {
			if s.PodCliques[PodCliqueName(s.Object.Name, clique.Name, i)] == nil {
				return false
			}
		}
	}
	return true
}

// unavailable says why replica i is not available; nothing if it is. It is while its base unit is ready and none of its
// standalone PodCliques nor its scaling groups is in breach of its minAvailable.
func (s Set) unavailable(t template, gang *v1alpha1.PodGang, i int32) string {
	ready := meta.FindStatusCondition(gang.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case ready == nil:
		return gang.Name + " was just created"
	case ready.Status != "True":
		return ready.Message
	}
	for _, clique := range t.cliques() {
		if t.groupOf[clique.Name] != nil {
			continue
		}
		name := PodCliqueName(s.Object.Name, clique.Name, i)
		podClique := s.PodCliques[name]
		if podClique == nil || !meta.IsStatusConditionFalse(podClique.Status.Conditions, v1alpha1.ConditionMinAvailableBreached) {
			return name + " has fewer pods than its minAvailable"
		}
	}
	for _, config := range t.groups {
		group := s.ScalingGroups[ScalingGroupName(s.Object.Name, config.Name)]
		if group == nil {
			return ScalingGroupName(s.Object.Name, config.Name) + " doesn't exist yet"
		}
		if message := breachIn(gang, group, groupReplicas(gang, group.Name)); message != "" {
			return message
		}
	}
	return ""
}

// updated tells whether all pods of replica i exist and are of the current podSpecs.
func (s Set) updated(t template, hashes []string, i int32) bool {
	for j := range t.cliques() {
		clique := &t.cliques()[j]
		podClique := s.PodCliques[PodCliqueName(s.Object.Name, clique.Name, i)]
		if podClique == nil {
			return false
		}
		status := podClique.Status
		current := podClique.Labels[v1alpha1.LabelPodTemplateHash] == hashes[j]
		if !current || status.ObservedGeneration != podClique.Generation || status.UpdatedReplicas < s.podsOf(t, clique, podClique) {
			return false
		}
	}
	return true
}

// podsOf is how many pods a PodClique shall have, over all its slices.
func (s Set) podsOf(t template, clique *v1alpha1.PodCliqueTemplateSpec, podClique *v1alpha1.PodClique) int32 {
	pods := replicasOf(podClique.Spec.Replicas)
	group := t.groupOf[clique.Name]
	if group == nil {
		return pods
	}
	scalingGroup := s.ScalingGroups[ScalingGroupName(s.Object.Name, group.Name)]
	if scalingGroup == nil {
		return pods
	}
	return pods * replicasOf(scalingGroup.Spec.Replicas)
}
