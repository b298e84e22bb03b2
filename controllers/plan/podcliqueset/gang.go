package podcliqueset

import (
	grovev1alpha1 "grove.io/grove/apis/applyconfiguration/grove/v1alpha1"
	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// gangSpec describes the units of replica i: the base, and one for each group replica at and above its scaling group's minimum. A clique
// or scaling group that is off, at 0 replicas, is in none of them.
func (b *childBuilder) gangSpec(i int32) *grovev1alpha1.PodGangSpecApplyConfiguration {
	// The index is always there: server-side apply leaves null of a struct that loses all its fields, as where every clique is
	// turned off, and the API server refuses that.
	spec := grovev1alpha1.PodGangSpec().WithReplicaIndex(i)
	if class := b.Object.Spec.Template.PriorityClassName; class != "" {
		spec.WithPriorityClassName(class)
	}
	for j := range b.template.Cliques() {
		if clique := &b.template.Cliques()[j]; b.template.ScalingGroupOf[clique.Name] == nil {
			spec.WithPodGroups(b.podGroup(i, clique, nil, nil)...)
		}
	}
	for _, scalingGroup := range b.template.ScalingGroups {
		replicas := b.scalingGroupReplicas[plan.ScalingGroupName(b.Object.Name, scalingGroup.Name)]
		base := min(replicas, plan.ScalingGroupMinAvailable(&scalingGroup.PodCliqueScalingGroupSpec))
		for g := range base {
			spec.WithPodGroups(b.groupReplica(i, scalingGroup, g)...)
		}
		for g := base; g < replicas; g++ {
			if podGroups := b.groupReplica(i, scalingGroup, g); len(podGroups) > 0 {
				spec.WithScaledGroups(grovev1alpha1.ScaledGroup().
					WithName(plan.ScaledUnitName(b.Object.Name, scalingGroup.Name, i, g)).
					WithPodGroups(podGroups...))
			}
		}
	}
	return spec
}

// groupReplica has the pod groups of one replica of a scaling group.
func (b *childBuilder) groupReplica(i int32, scalingGroup *v1alpha1.PodCliqueScalingGroupConfig, g int32) []*grovev1alpha1.PodGroupApplyConfiguration {
	var podGroups []*grovev1alpha1.PodGroupApplyConfiguration
	for _, member := range b.template.Members(scalingGroup) {
		podGroups = append(podGroups, b.podGroup(i, member, scalingGroup, &g)...)
	}
	return podGroups
}

// podGroup is one pod group, or none if the clique is off.
func (b *childBuilder) podGroup(i int32, clique *v1alpha1.PodCliqueTemplateSpec, scalingGroup *v1alpha1.PodCliqueScalingGroupConfig, g *int32) []*grovev1alpha1.PodGroupApplyConfiguration {
	podClique := plan.PodCliqueName(b.Object.Name, clique.Name, i)
	if b.cliqueReplicas[podClique] == 0 {
		return nil
	}
	podGroup := grovev1alpha1.PodGroup().
		WithName(plan.PodGroupName(podClique, g)).
		WithPodCliqueName(podClique).
		WithMinReplicas(plan.CliqueMinAvailable(&clique.Spec))
	if scalingGroup != nil {
		podGroup.WithPodCliqueScalingGroupName(plan.ScalingGroupName(b.Object.Name, scalingGroup.Name)).WithGroupReplicaIndex(*g)
	}
	return []*grovev1alpha1.PodGroupApplyConfiguration{podGroup}
}
