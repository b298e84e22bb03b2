package plan

import (
	"slices"

	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
)

// template reads a set's template, with the defaults that its schema can't express, or that an older object lacks.
type template struct {
	set    *v1alpha1.PodCliqueSet
	groups []*v1alpha1.PodCliqueScalingGroupConfig
	// groupOf has the scaling group of each member clique.
	groupOf map[string]*v1alpha1.PodCliqueScalingGroupConfig
}

func templateOf(set *v1alpha1.PodCliqueSet) template {
	t := template{set: set, groupOf: map[string]*v1alpha1.PodCliqueScalingGroupConfig{}}
	for i := range set.Spec.Template.PodCliqueScalingGroups {
		group := &set.Spec.Template.PodCliqueScalingGroups[i]
		t.groups = append(t.groups, group)
		for _, clique := range group.CliqueNames {
			t.groupOf[clique] = group
		}
	}
	return t
}

func (t template) cliques() []v1alpha1.PodCliqueTemplateSpec { return t.set.Spec.Template.Cliques }

// members are the cliques of a group, in the order of the template.
func (t template) members(group *v1alpha1.PodCliqueScalingGroupConfig) []*v1alpha1.PodCliqueTemplateSpec {
	var members []*v1alpha1.PodCliqueTemplateSpec
	for i := range t.cliques() {
		if clique := &t.cliques()[i]; t.groupOf[clique.Name] == group {
			members = append(members, clique)
		}
	}
	return members
}

// clique finds the clique of which a PodClique was made; nil if it isn't in the template.
func (t template) clique(podClique string, i int32) *v1alpha1.PodCliqueTemplateSpec {
	at := slices.IndexFunc(t.cliques(), func(c v1alpha1.PodCliqueTemplateSpec) bool {
		return PodCliqueName(t.set.Name, c.Name, i) == podClique
	})
	if at < 0 {
		return nil
	}
	return &t.cliques()[at]
}

// numGroupPods is how many pods the template gives one replica of a group.
func (t template) numGroupPods(group *v1alpha1.PodCliqueScalingGroupConfig) int32 {
	var pods int32
	for _, member := range t.members(group) {
		pods += replicasOf(member.Spec.Replicas)
	}
	return pods
}

// groupRank is how many pods of the same group replica, by the template, come before those of a clique.
func (t template) groupRank(group *v1alpha1.PodCliqueScalingGroupConfig, clique string) int32 {
	var before int32
	for _, member := range t.members(group) {
		if member.Name == clique {
			break
		}
		before += replicasOf(member.Spec.Replicas)
	}
	return before
}

func (t template) headlessServiceEnabled() bool {
	return ptr.Deref(t.set.Spec.Template.HeadlessServiceConfig.Enabled, true)
}

func (t template) publishNotReadyAddresses() bool {
	return ptr.Deref(t.set.Spec.Template.HeadlessServiceConfig.PublishNotReadyAddresses, true)
}

// replicasOf a clique or a group is 1 where it isn't said.
func replicasOf(replicas *int32) int32 { return ptr.Deref(replicas, 1) }

// cliqueMinAvailable is the template's replicas where it isn't said, or those that the PodClique has if they are fewer, as
// they are while an autoscaler has yet to follow the template. A clique that is off has nothing to be available; its minimum
// is 1, for the day that somebody turns it on by scaling it.
func cliqueMinAvailable(spec *v1alpha1.PodCliqueSpec, replicas int32) int32 {
	if spec.MinAvailable != nil {
		return *spec.MinAvailable
	}
	least := replicasOf(spec.Replicas)
	if replicas > 0 {
		least = min(least, replicas)
	}
	return max(1, least)
}

// groupMinAvailable is 1 where it isn't said.
func groupMinAvailable(spec *v1alpha1.PodCliqueScalingGroupSpec) int32 {
	return ptr.Deref(spec.MinAvailable, 1)
}

func roleOf(clique *v1alpha1.PodCliqueTemplateSpec) string {
	if clique.Spec.RoleName != "" {
		return clique.Spec.RoleName
	}
	return clique.Name
}

// cliqueLabels are on the PodClique of a clique in replica i and on its pods: the clique's own, and Grove's, which win.
func (t template) cliqueLabels(clique *v1alpha1.PodCliqueTemplateSpec, i int32) map[string]string {
	labels := merge(clique.Labels, replicaLabels(t.set, i), map[string]string{
		v1alpha1.LabelPodClique: PodCliqueName(t.set.Name, clique.Name, i),
		v1alpha1.LabelRole:      roleOf(clique),
	})
	if group := t.groupOf[clique.Name]; group != nil {
		labels[v1alpha1.LabelPodCliqueScalingGroup] = ScalingGroupName(t.set.Name, group.Name)
	}
	return labels
}

// podTemplateHashes has the hash of each clique's podSpec, in the order of the template.
func (t template) podTemplateHashes() []string {
	var hashes []string
	for i := range t.cliques() {
		hashes = append(hashes, PodTemplateHash(&t.cliques()[i].Spec.PodSpec))
	}
	return hashes
}
