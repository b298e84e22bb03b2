package podcliqueset

import (
	"slices"

	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// disruptionBudgets are those of replica i: one for each standalone clique, and one for each scaling group, that has pods. Their selectors are
// disjoint, since the API server evicts no pod that is in two.
func (b *childBuilder) disruptionBudgets(i int32) []*policyv1ac.PodDisruptionBudgetApplyConfiguration {
	if b.Object.Spec.Template.PodDisruptionBudget == nil {
		return nil
	}
	var budgets []*policyv1ac.PodDisruptionBudgetApplyConfiguration
	for j := range b.template.Cliques() {
		clique := &b.template.Cliques()[j]
		name := plan.PodCliqueName(b.Object.Name, clique.Name, i)
		if b.template.ScalingGroupOf[clique.Name] == nil && b.cliqueReplicas[name] > 0 {
			budgets = append(budgets, b.disruptionBudget(name, i, plan.CliqueMinAvailable(&clique.Spec), v1alpha1.LabelPodClique, name))
		}
	}
	for _, config := range b.template.ScalingGroups {
		if minAvailable := b.groupBudget(config, i); minAvailable > 0 {
			name := plan.ScalingGroupName(b.Object.Name, config.Name)
			budgets = append(budgets, b.disruptionBudget(plan.GroupBudgetName(name, i), i, minAvailable, v1alpha1.LabelPodCliqueScalingGroup, name))
		}
	}
	return budgets
}

// groupBudget is how many pods of a scaling group have to be ready in replica i, so that no eviction takes a clique's pods in one group replica
// below its minimum: a budget doesn't say which of them go, so as many may as the clique can spare that can spare least. That there are more
// group replicas than needed spares nothing, since it may be one of the needed that goes. 0 for a scaling group that is off.
func (b *childBuilder) groupBudget(config *v1alpha1.PodCliqueScalingGroupConfig, i int32) int32 {
	var pods int32
	var spare []int32
	for _, clique := range b.template.Members(config) {
		if replicas := b.cliqueReplicas[plan.PodCliqueName(b.Object.Name, clique.Name, i)]; replicas > 0 {
			pods += replicas
			spare = append(spare, replicas-plan.CliqueMinAvailable(&clique.Spec))
		}
	}
	groupReplicas := b.scalingGroupReplicas[plan.ScalingGroupName(b.Object.Name, config.Name)]
	if pods == 0 || groupReplicas == 0 {
		return 0
	}
	return groupReplicas*pods - slices.Min(spare)
}

// disruptionBudget is of the pods of replica i that have a label. It asks for a number: a percentage, or maxUnavailable, would be of what the
// pods' PodCliques say at their scale subresource, where each counts the pods of one group replica only.
func (b *childBuilder) disruptionBudget(name string, i, minAvailable int32, label, value string) *policyv1ac.PodDisruptionBudgetApplyConfiguration {
	policy := b.Object.Spec.Template.PodDisruptionBudget.UnhealthyPodEvictionPolicy
	if policy == "" {
		policy = policyv1.IfHealthyBudget
	}
	return policyv1ac.PodDisruptionBudget(name, b.Object.Namespace).
		WithLabels(plan.ReplicaLabels(b.Object, i)).
		WithOwnerReferences(b.owner()).
		WithSpec(policyv1ac.PodDisruptionBudgetSpec().
			WithMinAvailable(intstr.FromInt32(minAvailable)).
			WithUnhealthyPodEvictionPolicy(policy).
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(plan.Merge(plan.ReplicaLabels(b.Object, i), map[string]string{label: value}))))
}

// surplusBudgets are the budgets that the set controls and doesn't ask for.
func (s Set) surplusBudgets(wanted []*policyv1ac.PodDisruptionBudgetApplyConfiguration) []*policyv1.PodDisruptionBudget {
	names := map[string]bool{}
	for _, budget := range wanted {
		names[*budget.Name] = true
	}
	var surplus []*policyv1.PodDisruptionBudget
	for _, budget := range s.DisruptionBudgets {
		if !names[budget.Name] {
			surplus = append(surplus, budget)
		}
	}
	slices.SortFunc(surplus, plan.ByName)
	return surplus
}
