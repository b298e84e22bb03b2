package view

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"grove.io/grove/controllers/plan"
)

// Mood is whether what is said is as it should be.
type Mood int

// Moods.
const (
	Good Mood = iota
	Waiting
	Bad
)

// PodState sums up a pod in a word or two, as `kubectl get pods` does, and says how good that is.
func PodState(pod *corev1.Pod) (string, Mood) {
	switch {
	case pod.DeletionTimestamp != nil:
		return "Terminating", Waiting
	case pod.Status.Phase == corev1.PodSucceeded:
		return "Completed", Good
	case pod.Status.Phase == corev1.PodFailed:
		if pod.Status.Reason != "" {
			return pod.Status.Reason, Bad
		}
		return "Failed", Bad
	case len(pod.Spec.SchedulingGates) > 0:
		return "SchedulingGated", Waiting
	}
	if stuck := Stuck(pod); stuck != nil {
		return stuck.Reason, Bad
	}
	if done, all := initDone(pod); pod.Spec.NodeName != "" && done < all && !plan.IsReady(pod) && pod.Status.Phase != corev1.PodRunning {
		return fmt.Sprintf("Init:%d/%d", done, all), Waiting
	}
	switch {
	case plan.IsReady(pod):
		return "Running", Good
	case pod.Status.Phase == corev1.PodRunning:
		return "Not ready", Waiting
	case pod.Spec.NodeName != "":
		return "Starting", Waiting
	default:
		return "Pending", Waiting
	}
}

// Trouble is why a container doesn't run, in the kubelet's words.
type Trouble struct {
	Container, Image, Reason, Message string
	// Restarts is how often the container was restarted; LastExit tells how it ended last, where it did.
	Restarts int32
	LastExit *corev1.ContainerStateTerminated
}

// usual are reasons for which a container may wait without anything being wrong.
var usual = map[string]bool{"": true, "ContainerCreating": true, "PodInitializing": true}

// Stuck is the first container of a pod that waits for a reason that isn't usual, such as ImagePullBackOff, or that has ended badly and won't
// come back; nil if there is none.
func Stuck(pod *corev1.Pod) *Trouble {
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for i := range statuses {
			status := &statuses[i]
			trouble := &Trouble{Container: status.Name, Image: status.Image, Restarts: status.RestartCount, LastExit: status.LastTerminationState.Terminated}
			switch waiting, ended := status.State.Waiting, status.State.Terminated; {
			case waiting != nil && !usual[waiting.Reason]:
				trouble.Reason, trouble.Message = waiting.Reason, waiting.Message
				return trouble
			case ended != nil && ended.ExitCode != 0:
				trouble.Reason, trouble.Message, trouble.LastExit = ended.Reason, ended.Message, ended
				return trouble
			}
		}
	}
	return nil
}

// initDone counts the init containers of a pod that have ended well or, as sidecars, have started.
func initDone(pod *corev1.Pod) (done, all int) {
	for _, status := range pod.Status.InitContainerStatuses {
		if ended := status.State.Terminated; ended != nil && ended.ExitCode == 0 || status.Started != nil && *status.Started {
			done++
		}
	}
	return done, len(pod.Spec.InitContainers)
}

// Age is a duration as kubectl says it.
func Age(d time.Duration) string { return duration.HumanDuration(d) }
