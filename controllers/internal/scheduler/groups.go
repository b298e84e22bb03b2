package scheduler

import (
	schedulingv1alpha3 "k8s.io/api/scheduling/v1alpha3"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	schedulingv1alpha3ac "k8s.io/client-go/applyconfigurations/scheduling/v1alpha3"
	schedulingv1beta1ac "k8s.io/client-go/applyconfigurations/scheduling/v1beta1"

	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/podgang"
)

// Groups below a CompositePodGroup, and it, have to name templates in a Workload, which nobody reads and doesn't exist.
const (
	templateUnit = "unit"
	templatePart = "part"
)

func podGroups(owner apply.Owner, p podgang.Placement) []*schedulingv1beta1ac.PodGroupApplyConfiguration {
	var groups []*schedulingv1beta1ac.PodGroupApplyConfiguration
	for _, group := range p.Groups {
		key := group.TopologyKey
		if !p.Divided() {
			key = p.TopologyKey
		}
		spec := podGroupSpec(group.Pods, key)
		if p.Divided() {
			spec.WithParentCompositePodGroupName(p.Name).
				WithWorkloadRef(schedulingv1beta1ac.WorkloadReference().WithWorkloadName(owner.GetName()).WithTemplateName(templatePart))
		}
		if p.PriorityClassName != "" {
			spec.WithPriorityClassName(p.PriorityClassName)
		}
		groups = append(groups, schedulingv1beta1ac.PodGroup(group.Name, owner.GetNamespace()).
			WithLabels(p.Labels).
			WithAnnotations(p.Annotations).
			WithOwnerReferences(reference(owner)).
			WithSpec(spec))
	}
	return groups
}

// reference says that a PodGang controls a group, and doesn't wait for its end: a group that pods name is there as long as they are, so a PodGang
// that somebody deletes in the foreground would be on its way out for as long as its gang runs, and nothing would tell of it.
func reference(owner apply.Owner) *metav1ac.OwnerReferenceApplyConfiguration {
	return plan.ControllerReference(owner, owner.Kind).WithBlockOwnerDeletion(false)
}

// podGroupSpec is of a gang whose pods go together: into one domain, if a key is given, and when they are preempted.
func podGroupSpec(pods int32, key string) *schedulingv1beta1ac.PodGroupSpecApplyConfiguration {
	spec := schedulingv1beta1ac.PodGroupSpec().
		WithSchedulingPolicy(schedulingv1beta1ac.PodGroupSchedulingPolicy().
			WithGang(schedulingv1beta1ac.GangSchedulingPolicy().WithMinCount(pods))).
		WithDisruptionMode(schedulingv1beta1ac.DisruptionMode().WithAll(schedulingv1beta1.AllDisruptionMode{}))
	if key != "" {
		spec.WithSchedulingConstraints(schedulingv1beta1ac.PodGroupSchedulingConstraints().
			WithTopology(schedulingv1beta1ac.TopologyConstraint().WithKey(key)))
	}
	return spec
}

// composite is the root of a unit that is divided; none for others.
func composite(owner apply.Owner, p podgang.Placement) []*schedulingv1alpha3ac.CompositePodGroupApplyConfiguration {
	if len(p.Groups) == 0 || !p.Divided() {
		return nil
	}
	spec := schedulingv1alpha3ac.CompositePodGroupSpec().
		WithWorkloadRef(schedulingv1alpha3ac.WorkloadReference().WithWorkloadName(owner.GetName()).WithTemplateName(templateUnit)).
		WithSchedulingPolicy(schedulingv1alpha3ac.CompositePodGroupSchedulingPolicy().
			WithGang(schedulingv1alpha3ac.CompositeGangSchedulingPolicy().WithMinGroupCount(int32(len(p.Groups))))).
		WithDisruptionMode(schedulingv1alpha3ac.CompositeDisruptionMode().WithAll(schedulingv1alpha3.AllCompositeDisruptionMode{}))
	if p.TopologyKey != "" {
		spec.WithSchedulingConstraints(schedulingv1alpha3ac.CompositePodGroupSchedulingConstraints().
			WithTopology(schedulingv1alpha3ac.TopologyConstraint().WithKey(p.TopologyKey)))
	}
	if p.PriorityClassName != "" {
		spec.WithPriorityClassName(p.PriorityClassName)
	}
	root := schedulingv1alpha3ac.CompositePodGroup(p.Name, owner.GetNamespace()).
		WithLabels(p.Labels).
		WithAnnotations(p.Annotations).
		WithOwnerReferences(reference(owner)).
		WithSpec(spec)
	return []*schedulingv1alpha3ac.CompositePodGroupApplyConfiguration{root}
}
