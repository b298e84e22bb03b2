package plan

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
)

// This file is the one home of pods that are changed where they are. What such a pod bears as AnnotationInPlace says what its containers were
// before, since a kubelet takes its time: from the change until it has restarted a container, the pod looks as ready as ever, with the old one.
// Neither the image of a container's status, which may be another name of the same one, nor observedGeneration, which kubelets write before they
// restart anything, tells that it has. That a container has another ID does: kubelets make a new one for each other image that a spec says.

// InPlace is what the annotation says of a pod.
type InPlace struct {
	// Hash is that of the podSpec that the pod is changed to.
	Hash string `json:"hash"`
	// Resizing is true from before the pod's resources are changed until its label has the hash, too: what it has of which podSpec
	// isn't known meanwhile.
	Resizing bool `json:"resizing,omitempty"`
	// Resized tells whether the pod's resources were changed.
	Resized bool `json:"resized,omitempty"`
	// Generation is that of the pod once it was changed.
	Generation int64 `json:"generation,omitempty"`
	// Containers are those that the kubelet restarts for a change, by name.
	Containers map[string]Before `json:"containers,omitempty"`
}

// Before is what a container was before a change.
type Before struct {
	// ID is the container's, and Image what it was made from.
	ID    string `json:"id,omitempty"`
	Image string `json:"image"`
	// Restarts is how far its restartCount goes by changes of the pod. What is beyond it has restarted for another reason.
	Restarts int32 `json:"restarts"`
}

// InPlaceOf is what a pod was changed to where it is; nothing of one that is as it was made.
func InPlaceOf(pod *corev1.Pod) InPlace {
	var record InPlace
	// What can't be read, somebody else wrote. The pod counts as it is then.
	if text, ok := pod.Annotations[v1alpha1.AnnotationInPlace]; !ok || json.Unmarshal([]byte(text), &record) != nil {
		return InPlace{}
	}
	return record
}

// String is the annotation.
func (r InPlace) String() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("a record of strings and numbers can't be encoded: %v", err))
	}
	return string(text)
}

// waits tells whether the kubelet hasn't made yet what the pod's spec says of a container, if it was changed.
func (r InPlace) waits(pod *corev1.Pod, name string) bool {
	before, changed := r.Containers[name]
	if !changed || before.Image == ContainerOf(&pod.Spec, name).Image {
		return false
	}
	id := StatusOf(pod, name).ContainerID
	return id == "" || id == before.ID
}

// explains tells whether changes of the pod explain how often a container has restarted.
func (r InPlace) explains(status *corev1.ContainerStatus) bool {
	return status.RestartCount <= r.Containers[status.Name].Restarts
}

// resizes finds a condition by which the kubelet says that it isn't done with the resources that the pod was changed to.
func (r InPlace) resizes(pod *corev1.Pod) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		condition := &pod.Status.Conditions[i]
		ours := r.Generation == 0 || condition.ObservedGeneration <= r.Generation
		if r.Resized && ours && condition.Status == corev1.ConditionTrue &&
			(condition.Type == corev1.PodResizePending || condition.Type == corev1.PodResizeInProgress) {
			return condition
		}
	}
	return nil
}

// Settled tells whether the kubelet has done all that a pod was changed to where it is.
func Settled(pod *corev1.Pod) bool {
	record := InPlaceOf(pod)
	if record.Hash == "" {
		return true
	}
	if of := pod.Status.ObservedGeneration; of > 0 && of < record.Generation || record.resizes(pod) != nil {
		return false
	}
	for name := range record.Containers {
		if record.waits(pod, name) {
			return false
		}
	}
	return true
}

// IsUpdated tells whether a pod is of the podSpec with a hash, in its spec and on its node.
func IsUpdated(pod *corev1.Pod, hash string) bool {
	return pod.Labels[v1alpha1.LabelPodTemplateHash] == hash && !InPlaceOf(pod).Resizing && Settled(pod)
}

// Infeasible tells whether a pod's node can't give it the resources of the podSpec with a hash, and never will: another node may.
func Infeasible(pod *corev1.Pod, hash string) bool {
	record := InPlaceOf(pod)
	if record.Hash != hash {
		return false
	}
	condition := record.resizes(pod)
	return condition != nil && condition.Type == corev1.PodResizePending && condition.Reason == corev1.PodReasonInfeasible
}

// DeferredResize says why a pod's node doesn't give it the resources that it was changed to; nothing where it does, is about to, or never will.
func DeferredResize(pod *corev1.Pod) string {
	condition := InPlaceOf(pod).resizes(pod)
	if condition == nil || condition.Reason != corev1.PodReasonDeferred && condition.Reason != corev1.PodReasonError {
		return ""
	}
	return condition.Message
}

// ContainerOf finds a container or init container of a podSpec; an empty one if there is none of the name.
func ContainerOf(spec *corev1.PodSpec, name string) *corev1.Container {
	if container := containerNamed(spec.Containers, name); container != nil {
		return container
	}
	if container := containerNamed(spec.InitContainers, name); container != nil {
		return container
	}
	return &corev1.Container{}
}

// StatusOf finds the status of a pod's container or init container; an empty one if there is none yet.
func StatusOf(pod *corev1.Pod, name string) *corev1.ContainerStatus {
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses} {
		for i := range statuses {
			if statuses[i].Name == name {
				return &statuses[i]
			}
		}
	}
	return &corev1.ContainerStatus{Name: name}
}
