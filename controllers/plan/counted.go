package plan

import "grove.io/grove/apis/grove/v1alpha1"

// An autoscaler counts the pods that the selector of its target matches, and kube-controller-manager stops two autoscalers that count one
// pod. So no two of these share a pod: PodCliques with an autoScalingConfig, of which one pod group counts; scaling groups, of which one pod
// of each group replica counts in the first replica of the set; and the set, of which one pod of each replica counts.

// GroupLead is the member of a scaling group whose first pods are counted for the group replicas: the first that has no autoscaler of its
// own, among those that the template turns on if there is one. It is nil where every member has one, which admission refuses.
func (t Template) GroupLead(scalingGroup *v1alpha1.PodCliqueScalingGroupConfig) *v1alpha1.PodCliqueTemplateSpec {
	var lead *v1alpha1.PodCliqueTemplateSpec
	for _, member := range t.Members(scalingGroup) {
		switch {
		case member.Spec.AutoScalingConfig != nil:
		case ReplicasOf(member.Spec.Replicas) > 0:
			return member
		case lead == nil:
			lead = member
		}
	}
	return lead
}

// CountsForSet tells whether a pod is the one of its replica that the set's own selector matches. Where every pod that a replica can't do
// without is counted for a part of the set that has an autoscaler, none is.
func (t Template) CountsForSet(clique *v1alpha1.PodCliqueTemplateSpec, id PodIdentity) bool {
	if id.Index > 1 || id.GroupReplica != nil && *id.GroupReplica > 1 {
		return false
	}
	var best *v1alpha1.PodCliqueTemplateSpec
	var spared place
	for i := range t.Cliques() {
		if c := &t.Cliques()[i]; t.on(c) {
			if at := t.spare(c); at.rank != none && (best == nil || at.rank < spared.rank) {
				best, spared = c, at
			}
		}
	}
	if best == nil || best.Name != clique.Name || id.Index != spared.index {
		return false
	}
	return id.GroupReplica == nil || *id.GroupReplica == spared.groupReplica
}

// place is a pod of a clique that may be counted for the set, and how well it suits: the less the better.
type place struct {
	rank                int
	groupReplica, index int32
}

// none is the rank of a clique without such a pod.
const none = 0

// spare is the pod of a clique that counts for nothing else, and that no replica of the set is without.
func (t Template) spare(clique *v1alpha1.PodCliqueTemplateSpec) place {
	scalingGroup, autoscaled := t.ScalingGroupOf[clique.Name], clique.Spec.AutoScalingConfig != nil
	switch {
	case scalingGroup == nil && autoscaled:
		return place{rank: none}
	case scalingGroup == nil:
		return place{rank: 1}
	case autoscaled && ScalingGroupMinAvailable(&scalingGroup.PodCliqueScalingGroupSpec) > 1:
		return place{rank: 4, groupReplica: 1}
	case autoscaled:
		return place{rank: none}
	case t.GroupLead(scalingGroup) != clique:
		return place{rank: 2}
	case CliqueMinAvailable(&clique.Spec) > 1:
		return place{rank: 3, index: 1}
	case scalingGroup.ScaleConfig == nil:
		return place{rank: 5}
	default:
		return place{rank: none}
	}
}

// on tells whether the template gives a clique pods.
func (t Template) on(clique *v1alpha1.PodCliqueTemplateSpec) bool {
	scalingGroup := t.ScalingGroupOf[clique.Name]
	return ReplicasOf(clique.Spec.Replicas) > 0 && (scalingGroup == nil || ReplicasOf(scalingGroup.Replicas) > 0)
}
