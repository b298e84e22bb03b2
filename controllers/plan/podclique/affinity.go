package podclique

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// preferenceWeight is the weight of what is preferred: the highest there is, since other preferences are about less.
const preferenceWeight = 100

// place adds to a pod what leads it to where its replica, and its pack group, are. The replica's first pod chooses the
// domain for all: it alone is spread.
func (b builder) place(pod *corev1ac.PodApplyConfiguration, m plan.Membership, shape plan.Shape, leads bool) {
	podClique := b.Object.Name
	inUnit := func(key string) bool { return !m.Surplus && shape.Keeps(key, podClique) }
	for _, constraint := range b.topology.Spread {
		if leads {
			pod.Spec.WithTopologySpreadConstraints(spreadLeads(constraint, pod.Labels[v1alpha1.LabelPodCliqueSet]))
		}
		if !inUnit(constraint.TopologyKey) {
			b.followReplica(pod, constraint, m, leads)
		}
	}
	if p := b.topology.PackOf(podClique); p != nil && !inUnit(p.Key) {
		together := metav1ac.LabelSelector().
			WithMatchLabels(map[string]string{v1alpha1.LabelGangUnit: m.Unit}).
			WithMatchExpressions(metav1ac.LabelSelectorRequirement().
				WithKey(v1alpha1.LabelPodClique).
				WithOperator("In").
				WithValues(p.PodCliques...))
		follow(pod, p.Key, p.Required, together)
	}
}

// followReplica leads a pod to the domain that its replica is in. A pod may be placed anywhere as long as its own affinity matches
// nothing but itself, so where the domain is required the others follow the first pod alone, and wait for it. The first pod itself is
// only drawn to the others: a required term would keep it from choosing. In a unit that is placed at one go no pod can wait for another,
// which the scheduler may take up later: there they follow whichever comes first.
func (b builder) followReplica(pod *corev1ac.PodApplyConfiguration, constraint corev1.TopologySpreadConstraint, m plan.Membership, leads bool) {
	replica := map[string]string{v1alpha1.LabelPodGang: pod.Labels[v1alpha1.LabelPodGang]}
	required := constraint.WhenUnsatisfiable == corev1.DoNotSchedule && !leads
	if atOneGo := b.Scheduling.Gangs && m.Base && !m.Surplus; required && !atOneGo {
		replica[v1alpha1.LabelReplicaLead] = v1alpha1.ReplicaLead
	}
	follow(pod, constraint.TopologyKey, required, metav1ac.LabelSelector().WithMatchLabels(replica))
}

// spreadLeads spreads the first pods of a set's replicas.
func spreadLeads(constraint corev1.TopologySpreadConstraint, set string) *corev1ac.TopologySpreadConstraintApplyConfiguration {
	return plan.Configuration[corev1ac.TopologySpreadConstraintApplyConfiguration](&constraint).
		WithLabelSelector(metav1ac.LabelSelector().WithMatchLabels(map[string]string{
			v1alpha1.LabelPodCliqueSet: set,
			v1alpha1.LabelReplicaLead:  v1alpha1.ReplicaLead,
		}))
}

// follow makes a pod go where the pods are that a selector matches; the first of them may go anywhere. What the pod's own
// affinity says stays.
func follow(pod *corev1ac.PodApplyConfiguration, key string, required bool, selector *metav1ac.LabelSelectorApplyConfiguration) {
	affinity, podAffinity := corev1ac.Affinity(), corev1ac.PodAffinity()
	if own := pod.Spec.Affinity; own != nil {
		*affinity = *own // shared between the pods of a PodClique
		if own.PodAffinity != nil {
			podAffinity.RequiredDuringSchedulingIgnoredDuringExecution = slices.Clone(own.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
			podAffinity.PreferredDuringSchedulingIgnoredDuringExecution = slices.Clone(own.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution)
		}
	}
	term := corev1ac.PodAffinityTerm().WithTopologyKey(key).WithLabelSelector(selector)
	if required {
		podAffinity.WithRequiredDuringSchedulingIgnoredDuringExecution(term)
	} else {
		podAffinity.WithPreferredDuringSchedulingIgnoredDuringExecution(
			corev1ac.WeightedPodAffinityTerm().WithWeight(preferenceWeight).WithPodAffinityTerm(term))
	}
	pod.Spec.Affinity = affinity.WithPodAffinity(podAffinity)
}
