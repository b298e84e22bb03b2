package plan

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Problem is a child that can't be as the spec asks until a user does something about it.
type Problem struct {
	// Reason is a reason of the condition ResourcesApplied.
	Reason string
	// Message names the child, what is wrong and the next step.
	Message string
}

// conditions collects an object's conditions: complete each time, with the times of the last transitions carried over.
type conditions struct {
	list       []metav1.Condition
	generation int64
	now        metav1.Time
}

func newConditions(live []metav1.Condition, generation int64, now time.Time) *conditions {
	return &conditions{list: slices.Clone(live), generation: generation, now: metav1.NewTime(now)}
}

func (c *conditions) set(kind string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&c.list, metav1.Condition{
		Type:               kind,
		Status:             status,
		Reason:             reason,
		Message:            message,
		ObservedGeneration: c.generation,
		LastTransitionTime: c.now,
	})
}

func (c *conditions) setBool(kind string, status bool, reason, message string) {
	value := metav1.ConditionFalse
	if status {
		value = metav1.ConditionTrue
	}
	c.set(kind, value, reason, message)
}

// setResourcesApplied reports the problems with an object's children; the first stands for all in the reason.
func (c *conditions) setResourcesApplied(problems []Problem) {
	if len(problems) == 0 {
		c.setBool(v1alpha1.ConditionResourcesApplied, true, v1alpha1.ReasonApplied, "every child is as the spec asks")
		return
	}
	message := problems[0].Message
	if more := len(problems) - 1; more > 0 {
		message += " (and " + index(int32(more)) + " more)"
	}
	c.setBool(v1alpha1.ConditionResourcesApplied, false, problems[0].Reason, message)
}

// firstTime keeps the time at which something was first seen, and takes now if it is seen for the first time.
func firstTime(recorded *metav1.Time, seen bool, now time.Time) *metav1.Time {
	if recorded != nil || !seen {
		return recorded
	}
	time := metav1.NewTime(now).Rfc3339Copy()
	return &time
}

// SetBegins tells whether a status says no more of a set than that its children are being created.
func SetBegins(status *v1alpha1.PodCliqueSetStatus) bool {
	return status.Phase == v1alpha1.PodCliqueSetCreating && applied(status.Conditions)
}

// GangBegins tells whether a status says no more of a PodGang than that its pods are being created and scheduled.
func GangBegins(status *v1alpha1.PodGangStatus) bool {
	return status.Phase == v1alpha1.PodGangPending &&
		has(status.Conditions, v1alpha1.ReasonInsufficientPods) &&
		!has(status.Conditions, v1alpha1.ReasonUnschedulable) && !has(status.Conditions, v1alpha1.ReasonSchedulingGated) &&
		!has(status.Conditions, v1alpha1.ReasonSchedulingGroupMissing)
}

func applied(conditions []metav1.Condition) bool {
	return !meta.IsStatusConditionFalse(conditions, v1alpha1.ConditionResourcesApplied)
}

func has(conditions []metav1.Condition, reason string) bool {
	return slices.ContainsFunc(conditions, func(c metav1.Condition) bool { return c.Reason == reason })
}
