package podclique

import (
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// replace replaces a failed pod, or says when that may be done.
func (b builder) replace(actions *Actions, id plan.PodIdentity, pod *corev1.Pod, now time.Time) {
	failures := failuresBefore(pod, now)
	if wait := failedAt(pod, now).Add(plan.BackOff(failures)).Sub(now); wait > 0 {
		actions.again(wait)
		return
	}
	if b.waitsForGroup(b.Membership(id)) != "" {
		return
	}
	actions.Replace = append(actions.Replace, Replacement{Failed: pod, Successor: b.newPod(id, failures+1)})
}

// failuresBefore is how many predecessors of a failed pod failed in a row, by what the pod itself bears.
func failuresBefore(pod *corev1.Pod, now time.Time) int {
	failures, err := strconv.Atoi(pod.Annotations[v1alpha1.AnnotationFailures])
	if err != nil || failures < 0 || failedAt(pod, now).Sub(pod.CreationTimestamp.Time) > plan.Recovered {
		return 0
	}
	return failures
}

// failedAt is when a pod failed, as exactly as its status says. What a node says by a clock that is ahead isn't believed: its pods would
// stay away for as long as it is.
func failedAt(pod *corev1.Pod, now time.Time) time.Time {
	at := pod.CreationTimestamp.Time
	later := func(t time.Time) {
		if t.After(at) && !t.After(now) {
			at = t
		}
	}
	if pod.Status.StartTime != nil {
		later(pod.Status.StartTime.Time)
	}
	for i := range pod.Status.ContainerStatuses {
		if ended := pod.Status.ContainerStatuses[i].State.Terminated; ended != nil {
			later(ended.FinishedAt.Time)
		}
	}
	for i := range pod.Status.Conditions {
		if condition := &pod.Status.Conditions[i]; condition.Type == corev1.DisruptionTarget {
			later(condition.LastTransitionTime.Time)
		}
	}
	return at
}
