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

// News is what users are told of by an event.
type News struct {
	// Reason is in one word what has happened.
	Reason string
	// Message says it in a sentence.
	Message string
	// Part is the field of the PodGang's status that it is about: what is said of one part at the same time as of another is no repetition.
	Part string
	// Bad news is a warning.
	Bad bool
}

// IsProblem tells whether a reason of a condition is that of a Problem.
func IsProblem(reason string) bool {
	switch reason {
	case v1alpha1.ReasonNameConflict, v1alpha1.ReasonInvalidChild, v1alpha1.ReasonForbiddenChild, v1alpha1.ReasonTooLarge, v1alpha1.ReasonTooManyPods,
		v1alpha1.ReasonResizeDeferred:
		return true
	default:
		return false
	}
}

// Report is what came of writing the children of an owner.
type Report struct {
	// Generation is that of the owner as it was when its children were written; 0 where nothing is known of that yet, as after a
	// start of the operator.
	Generation int64
	// Problems are what only a user can mend.
	Problems []Problem
}

// Of tells whether the report is of the owner as it is.
func (r Report) Of(owner metav1.Object) bool { return r.Generation == owner.GetGeneration() }

// Conditions collects an object's conditions: complete each time, with the times of the last transitions carried over.
type Conditions struct {
	List       []metav1.Condition
	generation int64
	now        metav1.Time
}

// NewConditions begins with the live conditions of an object. Those that are set describe a generation of it.
func NewConditions(live []metav1.Condition, generation int64, now time.Time) *Conditions {
	return &Conditions{List: slices.Clone(live), generation: generation, now: metav1.NewTime(now)}
}

// Set sets a condition.
func (c *Conditions) Set(kind string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&c.List, metav1.Condition{
		Type:               kind,
		Status:             status,
		Reason:             reason,
		Message:            message,
		ObservedGeneration: c.generation,
		LastTransitionTime: c.now,
	})
}

// SetBool sets a condition that is True or False.
func (c *Conditions) SetBool(kind string, status bool, reason, message string) {
	value := metav1.ConditionFalse
	if status {
		value = metav1.ConditionTrue
	}
	c.Set(kind, value, reason, message)
}

// Remove removes a condition.
func (c *Conditions) Remove(kind string) { meta.RemoveStatusCondition(&c.List, kind) }

// SetResourcesApplied reports the problems with an object's children; the first stands for all in the reason. As long as it isn't known
// whether all children are as they should be, no problem is not good news: what was said before stands.
func (c *Conditions) SetResourcesApplied(known bool, problems []Problem) {
	switch {
	case len(problems) > 0:
		message := problems[0].Message
		if more := len(problems) - 1; more > 0 {
			message += " (and " + Index(int32(more)) + " more)"
		}
		c.SetBool(v1alpha1.ConditionResourcesApplied, false, problems[0].Reason, message)
	case known:
		c.SetBool(v1alpha1.ConditionResourcesApplied, true, v1alpha1.ReasonApplied, "every child is as the spec asks")
	case meta.FindStatusCondition(c.List, v1alpha1.ConditionResourcesApplied) == nil:
		c.Set(v1alpha1.ConditionResourcesApplied, metav1.ConditionUnknown, v1alpha1.ReasonApplying, "children are being applied")
	}
}

// FirstTime keeps the time at which something was first seen, and takes now if it is seen for the first time.
func FirstTime(recorded *metav1.Time, seen bool, now time.Time) *metav1.Time {
	if recorded != nil || !seen {
		return recorded
	}
	time := metav1.NewTime(now).Rfc3339Copy()
	return &time
}

// Urgency says how urgently somebody waits for a change of a status.
type Urgency int

// Urgencies, in their order.
const (
	// None: nothing has changed.
	None Urgency = iota
	// Words: the same is said in other words.
	Words
	// Numbers: counts have changed, or the reason of a condition.
	Numbers
	// Urgent: a condition got worse, a problem appeared or went, or a pod or a person waits for what is said.
	Urgent
)

// waitedFor are the conditions that pods or people wait for: the turn of one of them is told at once, for better or worse.
var waitedFor = []string{
	v1alpha1.ConditionAvailable,
	v1alpha1.ConditionReady,
	v1alpha1.ConditionComplete,
	v1alpha1.ConditionScheduled,
	v1alpha1.ConditionResourcesApplied,
	v1alpha1.ConditionGangScheduling,
}

// bad are the statuses of conditions that are bad news.
var bad = map[string]metav1.ConditionStatus{
	v1alpha1.ConditionAvailable:             metav1.ConditionFalse,
	v1alpha1.ConditionReady:                 metav1.ConditionFalse,
	v1alpha1.ConditionResourcesApplied:      metav1.ConditionFalse,
	v1alpha1.ConditionGangScheduling:        metav1.ConditionFalse,
	v1alpha1.ConditionScheduled:             metav1.ConditionFalse,
	v1alpha1.ConditionScaledGroupsScheduled: metav1.ConditionFalse,
	v1alpha1.ConditionPodCliqueScheduled:    metav1.ConditionFalse,
	v1alpha1.ConditionMinAvailableBreached:  metav1.ConditionTrue,
	v1alpha1.ConditionDegraded:              metav1.ConditionTrue,
}

// turnedByUpdates are conditions that each step of an update turns and turns back.
var turnedByUpdates = []string{
	v1alpha1.ConditionAvailable,
	v1alpha1.ConditionReady,
	v1alpha1.ConditionScheduled,
	v1alpha1.ConditionScaledGroupsScheduled,
	v1alpha1.ConditionPodCliqueScheduled,
	v1alpha1.ConditionMinAvailableBreached,
}

// ConditionsUrgency is how urgent a change of conditions is. That something new isn't up yet is no news. In the middle of an update nobody waits for
// what its steps turn: what may be waited for is its end.
func ConditionsUrgency(before, after []metav1.Condition, updating bool) Urgency {
	urgency := None
	if len(before) > len(after) {
		urgency = Numbers
	}
	for i := range after {
		is := &after[i]
		change := conditionUrgency(meta.FindStatusCondition(before, is.Type), is)
		if updating && slices.Contains(turnedByUpdates, is.Type) {
			change = min(change, Numbers)
		}
		urgency = max(urgency, change)
	}
	return urgency
}

// UpdateGoesOn tells whether a set's conditions say so.
func UpdateGoesOn(set []metav1.Condition) bool {
	progressing := meta.FindStatusCondition(set, v1alpha1.ConditionProgressing)
	return progressing != nil && progressing.Reason == v1alpha1.ReasonUpdating
}

func conditionUrgency(was, is *metav1.Condition) Urgency {
	waited := slices.Contains(waitedFor, is.Type)
	switch {
	case was == nil && is.Type == v1alpha1.ConditionResourcesApplied && is.Status == metav1.ConditionFalse:
		return Urgent
	case was == nil && is.Type != v1alpha1.ConditionGangScheduling && waited && is.Status == metav1.ConditionTrue && is.Type != v1alpha1.ConditionResourcesApplied:
		return Urgent
	case was == nil:
		return Numbers
	case was.Status != is.Status && was.Status == metav1.ConditionUnknown && is.Status != bad[is.Type]:
		return Numbers
	case was.Status != is.Status && (waited || is.Status == bad[is.Type]):
		return Urgent
	case was.Status != is.Status, was.Reason != is.Reason, was.ObservedGeneration != is.ObservedGeneration:
		return Numbers
	case was.Message != is.Message:
		return Words
	default:
		return None
	}
}
