// Package report tells users of changes by events.
package report

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"

	"grove.io/grove/apis/grove/v1alpha1"
)

// actionReconcile is what Grove was doing when an event happened.
const actionReconcile = "Reconcile"

// Transitions emits an event for each condition that users care about and that has changed from one status of an object to the
// next. That a new object isn't available yet is no news.
func Transitions(recorder events.EventRecorder, object runtime.Object, before, after []metav1.Condition) {
	for _, condition := range after {
		was := meta.FindStatusCondition(before, condition.Type)
		changed := was != nil && was.Status != condition.Status
		good := condition.Status == metav1.ConditionTrue
		switch condition.Type {
		case v1alpha1.ConditionAvailable:
			if changed {
				emit(recorder, object, good, condition)
			}
		case v1alpha1.ConditionResourcesApplied:
			if changed || (was == nil && !good) || (!good && was.Message != condition.Message) {
				emit(recorder, object, good, condition)
			}
		}
	}
}

func emit(recorder events.EventRecorder, object runtime.Object, good bool, condition metav1.Condition) {
	kind := corev1.EventTypeWarning
	if good {
		kind = corev1.EventTypeNormal
	}
	recorder.Eventf(object, nil, kind, condition.Reason, actionReconcile, "%s", condition.Message)
}
