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

// How long changes of a status may wait for others: within moments a gang's pods are all bound, and then all ready, and each would be
// a write otherwise.
const (
	// scheduledPatience is for a unit that is scheduled, or isn't.
	scheduledPatience = 400 * time.Millisecond
	// countsPatience is for numbers.
	countsPatience = time.Second
	// wordsPatience is for messages on a gang that waits: a scheduler that tries again and again puts the same thing in other words.
	wordsPatience = 10 * time.Second
	// progressPatience is for other messages. Most tell how far pods are, and that has changed before anybody reads it.
	progressPatience = 30 * time.Second
)

// patience is none where a condition changes, or is seen true of another generation.
func patience(before, after []metav1.Condition) time.Duration {
	for _, condition := range after {
		if !sameCondition(before, after, condition.Type) {
			return 0
		}
	}
	return countsPatience
}

// sameCondition tells whether a condition has the same status, for the same reason and generation. One that isn't there yet may just
// as well say that pods are missing, and that their gang is enforced.
func sameCondition(before, after []metav1.Condition, kind string) bool {
	was, is := meta.FindStatusCondition(before, kind), meta.FindStatusCondition(after, kind)
	missing := metav1.ConditionFalse
	if kind == v1alpha1.ConditionMinAvailableBreached || kind == v1alpha1.ConditionGangScheduling {
		missing = metav1.ConditionTrue
	}
	switch {
	case was == nil:
		return is == nil || is.Status == missing
	case is == nil:
		return was.Status == missing
	default:
		return was.Status == is.Status && was.Reason == is.Reason && was.ObservedGeneration == is.ObservedGeneration
	}
}

// GangBegins tells whether a status says no more of a PodGang than that its pods are being created and scheduled.
func GangBegins(status *v1alpha1.PodGangStatus) bool {
	return status.Phase == v1alpha1.PodGangPending &&
		has(status.Conditions, v1alpha1.ReasonInsufficientPods) &&
		!waitsForScheduler(status.Conditions) && !has(status.Conditions, v1alpha1.ReasonSchedulingGroupMissing)
}

// waitsForScheduler tells whether a gang waits for something that isn't just a matter of time.
func waitsForScheduler(conditions []metav1.Condition) bool {
	return has(conditions, v1alpha1.ReasonUnschedulable) || has(conditions, v1alpha1.ReasonSchedulingGated)
}

func applied(conditions []metav1.Condition) bool {
	return !meta.IsStatusConditionFalse(conditions, v1alpha1.ConditionResourcesApplied)
}

func has(conditions []metav1.Condition, reason string) bool {
	return slices.ContainsFunc(conditions, func(c metav1.Condition) bool { return c.Reason == reason })
}
