package plan

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Status describes a PodClique.
func (c Clique) Status(problems []Problem, now time.Time) v1alpha1.PodCliqueStatus {
	status := v1alpha1.PodCliqueStatus{
		ObservedGeneration: c.Object.Generation,
		Selector:           c.scaleSelector(),
	}
	bySlice := c.sliceCounts()
	if first := c.slices(); len(first) > 0 {
		status.SliceReplicas = bySlice[first[0].name].pods
	}
	hash := PodTemplateHash(&c.Object.Spec.PodSpec)
	var all counts
	for _, pod := range c.Pods {
		all.add(pod)
		status.UpdatedReplicas += one(pod.DeletionTimestamp == nil && pod.Labels[v1alpha1.LabelPodTemplateHash] == hash)
	}
	status.Replicas, status.ScheduledReplicas, status.ReadyReplicas = all.pods, all.scheduled, all.ready

	live := c.Object.Status
	conditions := newConditions(live.Conditions, c.Object.Generation, now)
	scheduled, missing := c.everySlice(bySlice, func(s *counts) int32 { return s.scheduled }, "scheduled")
	conditions.setBool(v1alpha1.ConditionPodCliqueScheduled, scheduled, c.podsReason(scheduled), missing)
	available, missing := c.everySlice(bySlice, func(s *counts) int32 { return s.available }, "available")
	conditions.setBool(v1alpha1.ConditionMinAvailableBreached, !available, c.podsReason(available), missing)
	conditions.setResourcesApplied(problems)
	status.Conditions = conditions.list

	ready, _ := c.everySlice(bySlice, func(s *counts) int32 { return s.ready }, "ready")
	status.FirstAvailableTime = firstTime(live.FirstAvailableTime, ready && !c.off(), now)
	return status
}

// Patience is how long a change of the PodClique's status may wait for others. An update waits for its last pod.
func (c Clique) Patience(after *v1alpha1.PodCliqueStatus) time.Duration {
	before := &c.Object.Status
	updated := func(status *v1alpha1.PodCliqueStatus) bool { return status.UpdatedReplicas == status.Replicas }
	if updated(before) != updated(after) {
		return 0
	}
	return patience(before.Conditions, after.Conditions)
}

// Begins tells whether there is nothing to say yet of a PodClique but that pods are being created and scheduled.
func (c Clique) Begins() bool {
	if c.off() || slices.ContainsFunc(c.Pods, func(pod *corev1.Pod) bool { return schedulersWords(pod) != "" }) {
		return false
	}
	bySlice := c.sliceCounts()
	least := cliqueMinAvailable((*v1alpha1.PodCliqueSpec)(&c.Object.Spec), replicasOf(c.Object.Spec.Replicas))
	return slices.ContainsFunc(c.slices(), func(slice slice) bool { return bySlice[slice.name].scheduled < least })
}

// off tells whether the PodClique has no pods because it, or its group, is scaled to 0.
func (c Clique) off() bool {
	return replicasOf(c.Object.Spec.Replicas) == 0 || (c.Group != nil && replicasOf(c.Group.Spec.Replicas) == 0)
}

func (c Clique) podsReason(enough bool) string {
	switch {
	case c.off():
		return v1alpha1.ReasonTurnedOff
	case enough:
		return v1alpha1.ReasonSufficientPods
	default:
		return v1alpha1.ReasonInsufficientPods
	}
}

// everySlice tells whether each slice that counts has at least minAvailable of some sort of pods, and says which lacks
// how many. Slices of the base unit count: what is above a group's minAvailable may be missing.
func (c Clique) everySlice(bySlice map[string]*counts, number func(*counts) int32, what string) (bool, string) {
	if c.off() {
		return true, ""
	}
	least := cliqueMinAvailable((*v1alpha1.PodCliqueSpec)(&c.Object.Spec), replicasOf(c.Object.Spec.Replicas))
	for _, slice := range c.slices() {
		if slice.group != nil && *slice.group >= groupMinAvailable(&c.Group.Spec) {
			break
		}
		if have := number(bySlice[slice.name]); have < least {
			return false, fmt.Sprintf("%s: %d of %d pods %s, at least %d needed",
				slice.name, have, replicasOf(c.Object.Spec.Replicas), what, least)
		}
	}
	return true, ""
}

// scaleSelector matches the pods of the first slice: spec.replicas counts those of one slice, and an autoscaler divides
// by the number of pods that it sees.
func (c Clique) scaleSelector() string {
	selector := labels.Set{v1alpha1.LabelPodClique: c.Object.Name}
	if c.Group != nil {
		selector[v1alpha1.LabelGroupReplicaIndex] = index(0)
	}
	return selector.String()
}
