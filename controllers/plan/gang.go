package plan

import (
	grovev1alpha1 "grove.io/grove/apis/applyconfiguration/grove/v1alpha1"
	"grove.io/grove/apis/grove/v1alpha1"
)

// gang finds the units of replica i. A clique or group that is off, at 0 replicas, is in none of them.
type gang struct {
	template
	i int32
	// cliqueReplicas and groupReplicas are what the children have, by name; it may be more or less than the template says.
	cliqueReplicas, groupReplicas map[string]int32
}

// spec describes the units of the replica: the base, and one for each group replica at and above its group's minimum.
func (g gang) spec() *grovev1alpha1.PodGangSpecApplyConfiguration {
	// The index is always there: server-side apply leaves null of a struct that loses all its fields, as where every clique is
	// turned off, and the API server refuses that.
	spec := grovev1alpha1.PodGangSpec().WithReplicaIndex(g.i)
	if class := g.set.Spec.Template.PriorityClassName; class != "" {
		spec.WithPriorityClassName(class)
	}
	for i := range g.cliques() {
		if clique := &g.cliques()[i]; g.groupOf[clique.Name] == nil {
			spec.WithPodGroups(g.slice(clique, nil, nil)...)
		}
	}
	for _, group := range g.groups {
		replicas := g.groupReplicas[ScalingGroupName(g.set.Name, group.Name)]
		base := min(replicas, groupMinAvailable(&group.PodCliqueScalingGroupSpec))
		for r := range base {
			spec.WithPodGroups(g.groupReplica(group, r)...)
		}
		for r := base; r < replicas; r++ {
			if slices := g.groupReplica(group, r); len(slices) > 0 {
				spec.WithScaledGroups(grovev1alpha1.ScaledGroup().
					WithName(ScaledUnitName(g.set.Name, group.Name, g.i, r)).
					WithPodGroups(slices...))
			}
		}
	}
	return spec
}

// groupReplica has the slices of one replica of a group.
func (g gang) groupReplica(group *v1alpha1.PodCliqueScalingGroupConfig, r int32) []*grovev1alpha1.PodGroupApplyConfiguration {
	var slices []*grovev1alpha1.PodGroupApplyConfiguration
	for _, member := range g.members(group) {
		slices = append(slices, g.slice(member, group, &r)...)
	}
	return slices
}

// slice is one pod group, or none if the clique is off.
func (g gang) slice(clique *v1alpha1.PodCliqueTemplateSpec, group *v1alpha1.PodCliqueScalingGroupConfig, r *int32) []*grovev1alpha1.PodGroupApplyConfiguration {
	podClique := PodCliqueName(g.set.Name, clique.Name, g.i)
	replicas := g.cliqueReplicas[podClique]
	if replicas == 0 {
		return nil
	}
	slice := grovev1alpha1.PodGroup().
		WithName(sliceName(podClique, r)).
		WithPodCliqueName(podClique).
		WithMinReplicas(cliqueMinAvailable(&clique.Spec, replicas))
	if group != nil {
		slice.WithPodCliqueScalingGroupName(ScalingGroupName(g.set.Name, group.Name)).WithGroupReplicaIndex(*r)
	}
	return []*grovev1alpha1.PodGroupApplyConfiguration{slice}
}
