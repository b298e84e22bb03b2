package cases

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
)

// kubelet plays for the running pods of a set what kwok doesn't: containers have IDs, and are restarted for another image.
type kubelet struct {
	// infeasible is while it says that no pod can be given other resources.
	infeasible atomic.Bool

	stop context.CancelFunc
	done sync.WaitGroup
}

// kubeletPeriod is how often it looks at the pods.
const kubeletPeriod = 50 * time.Millisecond

// startKubelet plays the kubelets of a set's pods until the end of the feature, or until it is stopped.
func (s *scope) startKubelet(set string) *kubelet {
	var k kubelet
	ctx, stop := context.WithCancel(s.ctx)
	k.stop = stop
	k.done.Go(func() {
		wait.UntilWithContext(ctx, func(ctx context.Context) {
			list, err := s.core.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{LabelSelector: ofSet(set)})
			if err != nil {
				return
			}
			for i := range list.Items {
				pod := &list.Items[i]
				if pod.DeletionTimestamp != nil || pod.Status.Phase != corev1.PodRunning || !k.report(pod) {
					continue
				}
				if _, err := s.core.CoreV1().Pods(s.namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{}); err != nil &&
					!apierrors.IsConflict(err) && !apierrors.IsNotFound(err) && ctx.Err() == nil {
					s.Errorf("reporting the status of pod %s: %v", pod.Name, err)
				}
			}
		}, kubeletPeriod)
	})
	s.Cleanup(k.end)
	return &k
}

// end returns when it does nothing any more.
func (k *kubelet) end() {
	k.stop()
	k.done.Wait()
}

// report brings a pod's status up to date, and tells whether it has changed. A container is down for one look before it is another.
func (k *kubelet) report(pod *corev1.Pod) bool {
	before := pod.Status.DeepCopy()
	pod.Status.ObservedGeneration = pod.Generation
	ready := true
	for i := range pod.Status.ContainerStatuses {
		status, spec := &pod.Status.ContainerStatuses[i], &pod.Spec.Containers[i]
		switch {
		case status.ContainerID == "":
			status.ContainerID = fmt.Sprintf("fake://%s/%d", pod.UID, status.RestartCount)
			status.Resources = spec.Resources.DeepCopy()
		case status.Image != spec.Image && status.Ready:
			status.Ready = false
			status.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 143, ContainerID: status.ContainerID}}
		case status.Image != spec.Image:
			status.RestartCount++
			status.ContainerID = fmt.Sprintf("fake://%s/%d", pod.UID, status.RestartCount)
			status.Image, status.Ready = spec.Image, true
			status.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
		case !equality.Semantic.DeepEqual(*status.Resources, spec.Resources) && k.infeasible.Load():
			setPodCondition(pod, corev1.PodCondition{
				Type: corev1.PodResizePending, Status: corev1.ConditionTrue, Reason: corev1.PodReasonInfeasible, ObservedGeneration: pod.Generation,
			})
		default:
			status.Resources = spec.Resources.DeepCopy()
		}
		ready = ready && status.Ready
	}
	value := corev1.ConditionFalse
	if ready {
		value = corev1.ConditionTrue
	}
	setPodCondition(pod, corev1.PodCondition{Type: corev1.PodReady, Status: value})
	return !equality.Semantic.DeepEqual(*before, pod.Status)
}

// setPodCondition sets a condition, unless it is so.
func setPodCondition(pod *corev1.Pod, condition corev1.PodCondition) {
	for i := range pod.Status.Conditions {
		if found := &pod.Status.Conditions[i]; found.Type == condition.Type {
			if found.Status != condition.Status {
				*found = condition
			}
			return
		}
	}
	pod.Status.Conditions = append(pod.Status.Conditions, condition)
}

// hasItsImages tells whether a pod that kubelet plays for runs the images of its spec.
func hasItsImages(pod *corev1.Pod) bool {
	for i, status := range pod.Status.ContainerStatuses {
		if status.ContainerID != "" && status.Image != pod.Spec.Containers[i].Image {
			return false
		}
	}
	return true
}
