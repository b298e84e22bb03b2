package why

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/cmd/kubectl-grove/view"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/startup"
)

// unready is why a unit isn't ready that is scheduled. Its last pod group that isn't up leads, by what it starts after, to the one that waits for
// nobody.
func (f Finder) unready(r plan.Replica, unit plan.Unit) *Cause {
	for _, group := range slices.Backward(unit.PodGroups) {
		if !group.Has(plan.Ready) {
			return f.group(r, group.Name, nil)
		}
	}
	return nil
}

// group is why a pod group isn't up, with the chain of those that wait for it.
func (f Finder) group(r plan.Replica, name string, chain []string) *Cause {
	for _, object := range f.Cliques {
		clique, ok := r.Cliques[object.Name]
		if !ok {
			continue
		}
		pods := clique.PodsByName()
		for id := range clique.Identities() {
			switch pod := pods[id.Name]; {
			case id.PodGroup != name || isUp(pod):
			case pod == nil:
				cause := f.notCreated(clique, id)
				cause.Chain = chain
				return cause
			default:
				return f.inOrder(r, pod, chain)
			}
		}
	}
	return &Cause{Kind: Starting, Object: "pg/" + r.Gang.Name, Words: fmt.Sprintf("pod group %s is up, and the PodGang's status doesn't say so yet", name), Chain: chain}
}

// inOrder follows what a pod waits for before it starts.
func (f Finder) inOrder(r plan.Replica, pod *corev1.Pod, chain []string) *Cause {
	own := pod.Labels[v1alpha1.LabelPodClique]
	if g := pod.Labels[v1alpha1.LabelGroupReplicaIndex]; g != "" {
		own += "-" + g
	}
	if waits := waitsFor(pod, r.Gang); waits != "" && len(chain) < len(r.Cliques)+1 {
		next, _, isGroup := strings.Cut(waits, ": ")
		chain = append(chain, fmt.Sprintf("%s starts after %s", own, waits))
		if isGroup {
			return f.group(r, next, chain)
		}
	}
	cause := f.pod(pod)
	cause.Chain = chain
	return cause
}

// waitsFor is the last pod group, in the order of startup, that a pod still waits for before it starts, and what that lacks: it waits for the
// others itself. It is empty if there is none, or the container that waits has trouble of its own.
func waitsFor(pod *corev1.Pod, gang *v1alpha1.PodGang) string {
	at := slices.IndexFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == startup.ContainerName })
	if at < 0 || pod.Spec.NodeName == "" || view.Stuck(pod) != nil {
		return ""
	}
	for _, status := range pod.Status.InitContainerStatuses {
		if status.Name == startup.ContainerName && status.State.Terminated != nil && status.State.Terminated.ExitCode == 0 {
			return ""
		}
	}
	var order startup.Order
	flags := pflag.NewFlagSet(startup.ContainerName, pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	order.AddFlags(flags)
	if flags.Parse(pod.Spec.InitContainers[at].Args) != nil {
		return ""
	}
	missing := order.Missing(gang)
	if len(missing) == 0 {
		return ""
	}
	return missing[len(missing)-1]
}

// Pod answers for one pod.
func (f Finder) Pod(pod *corev1.Pod) Answer {
	answer := f.answer("pod/" + pod.Name)
	answer.State, _ = view.PodState(pod)
	if isUp(pod) {
		return answer
	}
	at := slices.IndexFunc(f.Gangs, func(g *v1alpha1.PodGang) bool { return g.Name == pod.Labels[v1alpha1.LabelPodGang] })
	if at < 0 || !plan.Lives(pod) {
		answer.Cause = f.pod(pod)
		return answer
	}
	r := f.Replica(f.Gangs[at])
	if pod.Spec.NodeName != "" {
		answer.Cause = f.inOrder(r, pod, nil)
		return answer
	}
	for _, unit := range r.Units() {
		if slices.ContainsFunc(members(r, unit), func(m member) bool { return m.id.Name == pod.Name }) && !unit.Has(plan.Scheduled) {
			answer.Lacks, answer.Cause = f.unit(r, unit)
			return answer
		}
	}
	answer.Cause = f.pod(pod)
	return answer
}

// Absent answers for a pod that shall be there and isn't; it reports whether the set shall have one of that name.
func (f Finder) Absent(name string) (Answer, bool) {
	for _, gang := range f.Gangs {
		for _, clique := range f.Replica(gang).Cliques {
			for id := range clique.Identities() {
				if id.Name == name {
					answer := f.answer("pod/" + name)
					answer.State, answer.Cause = "not created", f.notCreated(clique, id)
					return answer, true
				}
			}
		}
	}
	return Answer{}, false
}

// pod is why a pod isn't up, seen by itself.
func (f Finder) pod(pod *corev1.Pod) *Cause {
	cause := &Cause{Object: "pod/" + pod.Name}
	switch {
	case pod.DeletionTimestamp != nil:
		return f.terminating(pod)
	case pod.Status.Phase == corev1.PodFailed:
		cause.Kind, cause.Words = PodFailed, strings.TrimRight(fmt.Sprintf("pod %s has failed: %s", pod.Name, cmp.Or(pod.Status.Message, exitOf(pod), pod.Status.Reason)), ": ")
		return cause.next("Grove replaces it under its own name: at once the first time, then after 1, 2, 4 seconds and so on, up to five minutes")
	case len(pod.Spec.SchedulingGates) > 0:
		return gated(pod, "")
	case pod.Spec.NodeName == "":
		return f.alone(pod)
	}
	if trouble := view.Stuck(pod); trouble != nil {
		return f.troubled(cause, pod, trouble)
	}
	if container := startedUnready(pod); container != nil {
		cause.Kind, cause.Words = NotReady, fmt.Sprintf("container %s of pod %s runs on node %s, and isn't ready", container.Name, pod.Name, pod.Spec.NodeName)
		f.warn(cause, pod)
		return cause.next("it is ready once its readinessProbe succeeds")
	}
	cause.Kind, cause.Words = Starting, fmt.Sprintf("pod %s is on node %s, whose kubelet hasn't started all of its containers", pod.Name, pod.Spec.NodeName)
	f.warn(cause, pod)
	return cause.next("the kubelet pulls images, mounts volumes and starts the containers")
}

// warn adds the last warning about a pod.
func (f Finder) warn(cause *Cause, pod *corev1.Pod) {
	if warning := f.Warning(pod); warning != "" {
		cause.Notes = append(cause.Notes, "the last warning about the pod: "+warning)
	}
}

func startedUnready(pod *corev1.Pod) *corev1.ContainerStatus {
	for i := range pod.Status.ContainerStatuses {
		if status := &pod.Status.ContainerStatuses[i]; status.State.Running != nil && !status.Ready {
			return status
		}
	}
	return nil
}

func exitOf(pod *corev1.Pod) string {
	for _, status := range pod.Status.ContainerStatuses {
		if ended := status.State.Terminated; ended != nil && ended.ExitCode != 0 {
			return fmt.Sprintf("container %s %s", status.Name, exit(ended))
		}
	}
	return ""
}

func exit(ended *corev1.ContainerStateTerminated) string {
	words := fmt.Sprintf("ended with exit code %d (%s)", ended.ExitCode, cmp.Or(ended.Reason, "Error"))
	if ended.Message != "" {
		words += ": " + strings.TrimSpace(ended.Message)
	}
	return words
}

// pullTroubles are reasons of the kubelet that are about an image.
var pullTroubles = []string{"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed"}

// troubled is what is wrong with a container.
func (f Finder) troubled(cause *Cause, pod *corev1.Pod, trouble *view.Trouble) *Cause {
	container := fmt.Sprintf("container %s of pod %s", trouble.Container, pod.Name)
	switch {
	case slices.Contains(pullTroubles, trouble.Reason):
		cause.Kind, cause.Words = ImagePull, fmt.Sprintf("the image %s of %s can't be pulled on node %s: %s", trouble.Image, container, pod.Spec.NodeName, said(trouble))
		return cause.next("the kubelet tries again by itself, at least every five minutes; another image in the set's template replaces the pod at once")
	case trouble.LastExit != nil:
		cause.Kind, cause.Words = ContainerFailed, fmt.Sprintf("%s, on node %s, %s, and was restarted %d times", container, pod.Spec.NodeName, exit(trouble.LastExit), trouble.Restarts)
		cause.Notes = append(cause.Notes, fmt.Sprintf("its output: kubectl logs %s -c %s --previous", pod.Name, trouble.Container))
		return cause.next("the kubelet starts it again, after a back-off of up to five minutes, where its restartPolicy says so")
	default:
		cause.Kind, cause.Words = ContainerFailed, fmt.Sprintf("%s can't be started on node %s: %s", container, pod.Spec.NodeName, said(trouble))
		f.warn(cause, pod)
		return cause.next("the kubelet tries again by itself")
	}
}

func said(trouble *view.Trouble) string {
	if trouble.Message == "" {
		return trouble.Reason
	}
	return trouble.Reason + ", " + trouble.Message
}
