package simulation

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/podgang"
)

// change plays the API server with a pod that is changed where it is. The pod is away from then on, until it is ready again: whether the kubelet
// resizes a container without a restart is the container's own resizePolicy.
func (w *World) change(patch *podgang.Patch) {
	wanted, pod := plan.Configuration[corev1.Pod](patch.Config), patch.Pod.DeepCopy()
	if !plan.InPlaceOf(patch.Pod).Resizing {
		w.step.Changed = append(w.step.Changed, pod)
	}
	pod.Labels, pod.Annotations = plan.Merge(pod.Labels, wanted.Labels), plan.Merge(pod.Annotations, wanted.Annotations)
	changeContainers(pod.Spec.InitContainers, wanted.Spec.InitContainers, patch.Resize)
	changeContainers(pod.Spec.Containers, wanted.Spec.Containers, patch.Resize)
	pod.Generation++
	pod.Status.Conditions = slices.DeleteFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady })
	for i := range pod.Status.ContainerStatuses {
		pod.Status.ContainerStatuses[i].Ready = false
	}
	w.changed[pod.UID] = true
	w.put(pod)
}

// changeContainers gives containers the resources, or the images, of others of their names.
func changeContainers(containers, wanted []corev1.Container, resize bool) {
	for _, config := range wanted {
		i := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == config.Name })
		switch {
		case i < 0:
		case resize:
			containers[i].Resources = config.Resources
		default:
			containers[i].Image = config.Image
		}
	}
}
