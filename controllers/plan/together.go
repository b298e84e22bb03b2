package plan

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Together says which pods a restartPolicy recreates together.
type Together int

const (
	// Alone: a pod is restarted or replaced by itself.
	Alone Together = iota
	// Slice: all pods of the pod group.
	Slice
	// WholeGroupReplica: all pods of the group replica, of every member.
	WholeGroupReplica
)

// Together is what the restartPolicy of a clique, or of its scaling group, which goes before, says.
func (t Template) Together(clique *v1alpha1.PodCliqueTemplateSpec) Together {
	switch scalingGroup := t.ScalingGroupOf[clique.Name]; {
	case scalingGroup != nil && scalingGroup.RestartPolicy == v1alpha1.RestartPolicyRecreateGroup:
		return WholeGroupReplica
	case clique.Spec.RestartPolicy == v1alpha1.RestartPolicyRecreateGroup:
		return Slice
	default:
		return Alone
	}
}

// Together is what is recreated together with a pod of the PodClique.
func (c Clique) Together() Together {
	t := TemplateOf(c.Set)
	if clique := t.Clique(c.Object.Name, c.Index()); clique != nil {
		return t.Together(clique)
	}
	return Alone
}

// Peers are the pods of a replica that live, by the group replica, or else the slice, that they are in.
func (r Restarts) Peers(pods []*corev1.Pod) map[string]int {
	peers := map[string]int{}
	for _, pod := range pods {
		if of := PodGroupOf(pod); Lives(pod) && !r.Outlived(pod, of) {
			peers[r.together[of]]++
		}
	}
	return peers
}

// Among is the group replica, or else the slice, that a pod group is in, as Peers has it.
func (r Restarts) Among(podGroup string) string { return r.together[podGroup] }

// WasWhole tells whether a pod that doesn't exist was part of a slice that was whole, by the last status of that: it was lost, rather than
// never made. A slice that an update replaces is whole once it is of the podSpec that its PodClique has: until then the update has taken the pod.
func (c Clique) WasWhole(gang *v1alpha1.PodGang, id PodIdentity) bool {
	if gang == nil {
		return false
	}
	at := slices.IndexFunc(gang.Status.PodGroups, func(group v1alpha1.PodGroupStatus) bool { return group.Name == id.PodGroup })
	if at < 0 {
		return false
	}
	group := &gang.Status.PodGroups[at]
	if id.Index >= group.Desired || group.Scheduled < group.Desired {
		return false
	}
	hash := c.TemplateHash()
	return !Replaces(c.Set) || !HasTurn(c.Object, hash) || group.TemplateHash == hash && group.Updated >= group.Desired
}

// Restarted tells whether a container of a pod was started again, a sidecar's included, and not for a change of the pod.
func Restarted(pod *corev1.Pod) bool {
	record := InPlaceOf(pod)
	for i := range pod.Status.ContainerStatuses {
		if !record.explains(&pod.Status.ContainerStatuses[i]) {
			return true
		}
	}
	for i := range pod.Status.InitContainerStatuses {
		status := &pod.Status.InitContainerStatuses[i]
		if !record.explains(status) && isSidecar(containerNamed(pod.Spec.InitContainers, status.Name)) {
			return true
		}
	}
	return false
}
