package plan

import (
	"slices"
	"time"

	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Template reads a set's template, with the defaults that its schema can't express, or that an older object lacks.
type Template struct {
	Set           *v1alpha1.PodCliqueSet
	ScalingGroups []*v1alpha1.PodCliqueScalingGroupConfig
	// ScalingGroupOf has the scaling group of each member clique.
	ScalingGroupOf map[string]*v1alpha1.PodCliqueScalingGroupConfig
}

// TemplateOf returns the template of a set.
func TemplateOf(set *v1alpha1.PodCliqueSet) Template {
	t := Template{Set: set, ScalingGroupOf: map[string]*v1alpha1.PodCliqueScalingGroupConfig{}}
	for i := range set.Spec.Template.PodCliqueScalingGroups {
		scalingGroup := &set.Spec.Template.PodCliqueScalingGroups[i]
		t.ScalingGroups = append(t.ScalingGroups, scalingGroup)
		for _, clique := range scalingGroup.CliqueNames {
			t.ScalingGroupOf[clique] = scalingGroup
		}
	}
	return t
}

// Cliques are those of the template.
func (t Template) Cliques() []v1alpha1.PodCliqueTemplateSpec { return t.Set.Spec.Template.Cliques }

// Members are the cliques of a scaling group, in the order of the template.
func (t Template) Members(scalingGroup *v1alpha1.PodCliqueScalingGroupConfig) []*v1alpha1.PodCliqueTemplateSpec {
	var members []*v1alpha1.PodCliqueTemplateSpec
	for i := range t.Cliques() {
		if clique := &t.Cliques()[i]; t.ScalingGroupOf[clique.Name] == scalingGroup {
			members = append(members, clique)
		}
	}
	return members
}

// Clique finds the clique of which a PodClique was made; nil if it isn't in the template.
func (t Template) Clique(podClique string, i int32) *v1alpha1.PodCliqueTemplateSpec {
	at := slices.IndexFunc(t.Cliques(), func(c v1alpha1.PodCliqueTemplateSpec) bool {
		return PodCliqueName(t.Set.Name, c.Name, i) == podClique
	})
	if at < 0 {
		return nil
	}
	return &t.Cliques()[at]
}

// defaultTerminationDelay is the terminationDelay where it isn't said.
const defaultTerminationDelay = 4 * time.Hour

// TerminationDelay is how long a unit that was available may have fewer pods than its minimum before it is terminated.
func (t Template) TerminationDelay() time.Duration {
	if delay := t.Set.Spec.Template.TerminationDelay; delay != nil {
		return delay.Duration
	}
	return defaultTerminationDelay
}

// HeadlessServiceEnabled tells whether the set has a headless Service.
func (t Template) HeadlessServiceEnabled() bool {
	return ptr.Deref(t.Set.Spec.Template.HeadlessServiceConfig.Enabled, true)
}

// PublishNotReadyAddresses tells whether pods are found before they are ready.
func (t Template) PublishNotReadyAddresses() bool {
	return ptr.Deref(t.Set.Spec.Template.HeadlessServiceConfig.PublishNotReadyAddresses, true)
}

// ReplicasOf a clique or a scaling group is 1 where it isn't said.
func ReplicasOf(replicas *int32) int32 { return ptr.Deref(replicas, 1) }

// CliqueMinAvailable is the template's replicas where it isn't said. A clique that is off in the template has nothing to be
// available; its minimum is 1, for the day that somebody turns it on by scaling it.
func CliqueMinAvailable(spec *v1alpha1.PodCliqueSpec) int32 {
	if spec.MinAvailable != nil {
		return *spec.MinAvailable
	}
	return max(1, ReplicasOf(spec.Replicas))
}

// ScalingGroupMinAvailable is 1 where it isn't said.
func ScalingGroupMinAvailable(spec *v1alpha1.PodCliqueScalingGroupSpec) int32 {
	return ptr.Deref(spec.MinAvailable, 1)
}

// Raised is what a number of replicas amounts to: 0 is off, and one below the minimum is the minimum. Autoscalers that know no
// minimum write such numbers: what KEDA's activation writes is 1.
func Raised(replicas, minAvailable int32) int32 {
	if replicas == 0 {
		return 0
	}
	return max(replicas, minAvailable)
}

// CliqueReplicas is how many pods each pod group of a PodClique shall have.
func CliqueReplicas(podClique *v1alpha1.PodClique) int32 {
	return Raised(ReplicasOf(podClique.Spec.Replicas), CliqueMinAvailable((*v1alpha1.PodCliqueSpec)(&podClique.Spec)))
}

// ScalingGroupReplicas is how many group replicas a scaling group shall have in each replica of the set.
func ScalingGroupReplicas(scalingGroup *v1alpha1.PodCliqueScalingGroup) int32 {
	return Raised(ReplicasOf(scalingGroup.Spec.Replicas), ScalingGroupMinAvailable(&scalingGroup.Spec))
}

// RoleOf a clique is its roleName, else its name.
func RoleOf(clique *v1alpha1.PodCliqueTemplateSpec) string {
	if clique.Spec.RoleName != "" {
		return clique.Spec.RoleName
	}
	return clique.Name
}

// CliqueLabels are on the PodClique of a clique in replica i and on its pods: the clique's own, and Grove's, which win.
func (t Template) CliqueLabels(clique *v1alpha1.PodCliqueTemplateSpec, i int32) map[string]string {
	labels := Merge(clique.Labels, ReplicaLabels(t.Set, i), map[string]string{
		v1alpha1.LabelPodClique: PodCliqueName(t.Set.Name, clique.Name, i),
		v1alpha1.LabelRole:      RoleOf(clique),
	})
	if scalingGroup := t.ScalingGroupOf[clique.Name]; scalingGroup != nil {
		labels[v1alpha1.LabelPodCliqueScalingGroup] = ScalingGroupName(t.Set.Name, scalingGroup.Name)
	}
	return labels
}

// PodTemplateHashes has the hash of each clique's podSpec, in the order of the template.
func (t Template) PodTemplateHashes() []string {
	var hashes []string
	for i := range t.Cliques() {
		hashes = append(hashes, PodTemplateHash(&t.Cliques()[i].Spec.PodSpec, t.RestartedAt(&t.Cliques()[i])))
	}
	return hashes
}

// ScalingGroupNameOf is the name of the PodCliqueScalingGroup that a PodClique of a set is a member of; empty if there is none.
func ScalingGroupNameOf(set *v1alpha1.PodCliqueSet, podClique *v1alpha1.PodClique) string {
	t := TemplateOf(set)
	i, _ := IndexLabel(podClique, v1alpha1.LabelReplicaIndex)
	clique := t.Clique(podClique.Name, i)
	if clique == nil || t.ScalingGroupOf[clique.Name] == nil {
		return ""
	}
	return ScalingGroupName(set.Name, t.ScalingGroupOf[clique.Name].Name)
}

// Leads tells whether a pod is the first of its replica: pod 0 of the first clique that the template turns on, standalone
// ones first, as in the PodGang.
func (t Template) Leads(clique *v1alpha1.PodCliqueTemplateSpec, id PodIdentity) bool {
	if id.Index != 0 || (id.GroupReplica != nil && *id.GroupReplica != 0) {
		return false
	}
	first := func(member bool) *v1alpha1.PodCliqueTemplateSpec {
		for i := range t.Cliques() {
			c := &t.Cliques()[i]
			if t.on(c) && (t.ScalingGroupOf[c.Name] != nil) == member {
				return c
			}
		}
		return nil
	}
	lead := first(false)
	if lead == nil {
		lead = first(true)
	}
	return lead != nil && lead.Name == clique.Name
}
