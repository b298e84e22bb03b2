package plan

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// counts are of the pods of one slice that are not on their way out.
type counts struct {
	pods, scheduled, available, ready, succeeded int32
}

func (c *counts) add(pod *corev1.Pod) {
	if pod.DeletionTimestamp != nil {
		return
	}
	c.pods++
	c.scheduled += one(isScheduled(pod))
	c.available += one(isAvailable(pod))
	c.ready += one(isReady(pod))
	c.succeeded += one(pod.Status.Phase == corev1.PodSucceeded)
}

func one(counted bool) int32 {
	if counted {
		return 1
	}
	return 0
}

func isScheduled(pod *corev1.Pod) bool { return pod.Spec.NodeName != "" }

func isReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// isAvailable tells whether a pod counts towards minAvailable: it is bound to a node and hasn't failed, nor has any of its
// containers that ever started become unready. A pod that is still starting counts.
func isAvailable(pod *corev1.Pod) bool {
	if !isScheduled(pod) || pod.Status.Phase == corev1.PodFailed {
		return false
	}
	if pod.Status.Phase == corev1.PodSucceeded {
		return true
	}
	for i := range pod.Status.ContainerStatuses {
		if container := &pod.Status.ContainerStatuses[i]; everStarted(container) && !container.Ready {
			return false
		}
	}
	return true
}

func everStarted(container *corev1.ContainerStatus) bool {
	return ptr.Deref(container.Started, false) || container.RestartCount > 0 || container.State.Terminated != nil
}

// sliceCounts counts the pods of each slice, by the slice's name.
func (c Clique) sliceCounts() map[string]*counts {
	byPod := map[string]*counts{}
	bySlice := map[string]*counts{}
	for _, slice := range c.slices() {
		bySlice[slice.name] = &counts{}
		for p := range replicasOf(c.Object.Spec.Replicas) {
			byPod[PodName(slice.name, p)] = bySlice[slice.name]
		}
	}
	for _, pod := range c.Pods {
		if slice := byPod[pod.Name]; slice != nil {
			slice.add(pod)
		}
	}
	return bySlice
}
