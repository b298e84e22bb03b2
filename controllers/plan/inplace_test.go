package plan_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// The pod was changed from image 1 to image 2, and its label says so; the kubelet hasn't looked yet.
func changedPod() (*corev1.Pod, plan.InPlace) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Generation: 3, Labels: map[string]string{v1alpha1.LabelPodTemplateHash: "new"}},
		Spec:       corev1.PodSpec{NodeName: "node", Containers: []corev1.Container{{Name: "main", Image: "main:2"}}},
		Status: corev1.PodStatus{
			Phase:      corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{{
				Name: "main", Image: "main:1", ContainerID: "c1", Ready: true, Started: ptr.To(true), RestartCount: 4,
			}},
		},
	}
	return pod, plan.InPlace{Hash: "new", Generation: 3, Containers: map[string]plan.Before{"main": {ID: "c1", Image: "main:1", Restarts: 5}}}
}

func TestChangedPods(t *testing.T) {
	down := func(pod *corev1.Pod) {
		status := &pod.Status.ContainerStatuses[0]
		status.Ready, status.Started = false, ptr.To(false)
		status.State.Terminated = &corev1.ContainerStateTerminated{ExitCode: 143}
	}
	again := func(pod *corev1.Pod) {
		status := &pod.Status.ContainerStatuses[0]
		status.ContainerID, status.RestartCount = "c2", 5
	}
	pending := func(reason string, generation int64) func(pod *corev1.Pod, record *plan.InPlace) {
		return func(pod *corev1.Pod, record *plan.InPlace) {
			again(pod)
			record.Resized = true
			pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{
				Type: corev1.PodResizePending, Status: corev1.ConditionTrue, Reason: reason, Message: "no room", ObservedGeneration: generation,
			})
		}
	}
	type says struct {
		updated, available, restarted, infeasible bool
		deferred                                  string
	}
	for name, test := range map[string]struct {
		look func(pod *corev1.Pod, record *plan.InPlace)
		want says
	}{
		"one that the kubelet hasn't looked at": {func(*corev1.Pod, *plan.InPlace) {}, says{available: true}},
		"one whose old container is ending":     {func(pod *corev1.Pod, _ *plan.InPlace) { down(pod) }, says{available: true}},
		"one whose image isn't to be had": {func(pod *corev1.Pod, _ *plan.InPlace) {
			down(pod)
			pod.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}
		}, says{available: true}},
		"one whose container has restarted": {func(pod *corev1.Pod, _ *plan.InPlace) { again(pod) }, says{updated: true, available: true}},
		"by another name of the same image": {func(pod *corev1.Pod, _ *plan.InPlace) { again(pod); pod.Status.ContainerStatuses[0].Image = "main:1" }, says{updated: true, available: true}},
		"one that is starting": {func(pod *corev1.Pod, _ *plan.InPlace) {
			down(pod)
			again(pod)
			pod.Status.ContainerStatuses[0].State = corev1.ContainerState{}
		}, says{updated: true, available: true}},
		"one whose container has failed since": {func(pod *corev1.Pod, _ *plan.InPlace) { again(pod); pod.Status.ContainerStatuses[0].RestartCount++ }, says{updated: true, available: true, restarted: true}},
		"one whose container fails": {func(pod *corev1.Pod, _ *plan.InPlace) {
			down(pod)
			again(pod)
			pod.Status.ContainerStatuses[0].RestartCount++
		}, says{updated: true, restarted: true}},
		"one that the kubelet has seen an older of":   {func(pod *corev1.Pod, _ *plan.InPlace) { again(pod); pod.Status.ObservedGeneration = 2 }, says{available: true}},
		"one of which it has seen a newer":            {func(pod *corev1.Pod, _ *plan.InPlace) { again(pod); pod.Status.ObservedGeneration = 7 }, says{updated: true, available: true}},
		"one that was changed back before it started": {func(pod *corev1.Pod, _ *plan.InPlace) { pod.Spec.Containers[0].Image = "main:1" }, says{updated: true, available: true}},
		"one without a container yet":                 {func(pod *corev1.Pod, _ *plan.InPlace) { pod.Status.ContainerStatuses[0].ContainerID = "" }, says{available: true}},
		"one that is about to be resized":             {func(pod *corev1.Pod, record *plan.InPlace) { again(pod); record.Resizing = true }, says{available: true}},
		"one that waits for room":                     {pending(corev1.PodReasonDeferred, 3), says{available: true, deferred: "no room"}},
		"one for which there is none":                 {pending(corev1.PodReasonInfeasible, 3), says{available: true, infeasible: true}},
		"one that somebody else has resized later":    {pending(corev1.PodReasonInfeasible, 4), says{updated: true, available: true}},
	} {
		t.Run(name, func(t *testing.T) {
			pod, record := changedPod()
			test.look(pod, &record)
			pod.Annotations = map[string]string{v1alpha1.AnnotationInPlace: record.String()}
			got := says{plan.IsUpdated(pod, "new"), plan.IsAvailable(pod), plan.Restarted(pod), plan.Infeasible(pod, "new"), plan.DeferredResize(pod)}
			if got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
}

func TestAnnotationOfSomebodyElse(t *testing.T) {
	pod, _ := changedPod()
	pod.Annotations = map[string]string{v1alpha1.AnnotationInPlace: "yes"}
	if !plan.IsUpdated(pod, "new") || plan.IsUpdated(pod, "old") {
		t.Error("an annotation that can't be read says something")
	}
}
