// Package events tells users of changes by events.
package events

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// actionReconcile is what Grove was doing when an event happened.
const actionReconcile = "Reconcile"

// Object is an API object.
type Object interface {
	metav1.Object
	runtime.Object
}

// young is the age below which it is no news that an object has become available.
const young = 30 * time.Second

// Transitions emits an event for each condition that users care about and that has changed from one status of an object to the
// next. That a new object isn't available yet, or comes up as it should, is no news. That one isn't available any more is no warning: a pod
// that comes back at once, and a part that is scaled out, make it so for a moment. What lasts is told as a breach. An update tells of its own steps.
func Transitions(recorder events.EventRecorder, object Object, before, after []metav1.Condition) {
	updating := plan.UpdateGoesOn(before) || plan.UpdateGoesOn(after)
	for _, condition := range after {
		was := meta.FindStatusCondition(before, condition.Type)
		switch condition.Type {
		case v1alpha1.ConditionAvailable:
			up := condition.Status == metav1.ConditionTrue && condition.LastTransitionTime.Sub(object.GetCreationTimestamp().Time) < young
			if was != nil && was.Status != condition.Status && !up && !updating {
				emit(recorder, object, condition, corev1.EventTypeNormal)
			}
		case v1alpha1.ConditionGangScheduling:
			// What the cluster or the operator hasn't is no news of any gang.
			bad := condition.Status == metav1.ConditionFalse && condition.Reason != v1alpha1.ReasonNotServed && condition.Reason != v1alpha1.ReasonDisabled
			if bad && (was == nil || was.Reason != condition.Reason) {
				emit(recorder, object, condition, corev1.EventTypeWarning)
			}
		case v1alpha1.ConditionResourcesApplied:
			// That children are being applied, and then are, is no news of something new.
			bad := condition.Status == metav1.ConditionFalse
			wasBad := was != nil && was.Status == metav1.ConditionFalse
			switch {
			case bad && (!wasBad || was.Reason != condition.Reason):
				emit(recorder, object, condition, corev1.EventTypeWarning)
			case wasBad && condition.Status == metav1.ConditionTrue:
				emit(recorder, object, condition, corev1.EventTypeNormal)
			}
		}
	}
}

// emit tells of a condition.
func emit(recorder events.EventRecorder, object runtime.Object, condition metav1.Condition, kind string) {
	recorder.Eventf(object, nil, kind, condition.Reason, actionReconcile, "%s", condition.Message)
}

// Tell emits an event for news that a planner found, about an object and because of a related one; nil for none. Recorders take events for the
// same, and keep the words of the first and how often it happened, unless they differ in what they are related to.
func Tell(recorder events.EventRecorder, object, related runtime.Object, news plan.News) {
	kind := corev1.EventTypeNormal
	if news.Bad {
		kind = corev1.EventTypeWarning
	}
	recorder.Eventf(object, related, kind, news.Reason, actionReconcile, "%s", news.Message)
}

// PartOf refers to a field of a PodGang's status.
func PartOf(podGang *v1alpha1.PodGang, field string) *corev1.ObjectReference {
	return &corev1.ObjectReference{
		APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "PodGang",
		Namespace: podGang.Namespace, Name: podGang.Name, UID: podGang.UID, FieldPath: field,
	}
}

// Warn tells of what has happened to an object, or because of a related one; nil for none.
func Warn(recorder events.EventRecorder, object, related runtime.Object, reason, message string) {
	recorder.Eventf(object, related, corev1.EventTypeWarning, reason, actionReconcile, "%s", message)
}
