package podcliqueset

import (
	"fmt"
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	autoscalingv2ac "k8s.io/client-go/applyconfigurations/autoscaling/v2"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// target is a child that an autoscaler scales.
type target struct {
	kind, name string
	labels     map[string]string
	config     *v1alpha1.AutoScalingConfig
	// minAvailable is the least that the child may have unless it is off.
	minAvailable int32
	// selector is what the live child says in its status; empty for none.
	selector string
}

// floor is the least that the autoscaler may ask for. 0 turns the child off, which breaches nothing.
func (t target) floor() int32 {
	asked := plan.ReplicasOf(t.config.MinReplicas)
	if asked == 0 {
		return 0
	}
	return max(asked, t.minAvailable)
}

// targets are the children that the set wants to be scaled by autoscalers: scaling groups, and PodCliques in the order of the replicas.
func (s Set) targets() []target {
	t := plan.TemplateOf(s.Object)
	var targets []target
	for _, scalingGroup := range t.ScalingGroups {
		if scalingGroup.ScaleConfig == nil {
			continue
		}
		name := plan.ScalingGroupName(s.Object.Name, scalingGroup.Name)
		one := target{
			kind: "PodCliqueScalingGroup", name: name, config: scalingGroup.ScaleConfig,
			labels:       plan.Merge(plan.SetLabels(s.Object), map[string]string{v1alpha1.LabelPodCliqueScalingGroup: name}),
			minAvailable: plan.ScalingGroupMinAvailable(&scalingGroup.PodCliqueScalingGroupSpec),
		}
		if live := s.ScalingGroups[name]; live != nil {
			one.selector = live.Status.Selector
		}
		targets = append(targets, one)
	}
	for i := range s.Object.Spec.Replicas {
		for j := range t.Cliques() {
			clique := &t.Cliques()[j]
			if clique.Spec.AutoScalingConfig == nil {
				continue
			}
			name := plan.PodCliqueName(s.Object.Name, clique.Name, i)
			one := target{
				kind: "PodClique", name: name, config: clique.Spec.AutoScalingConfig,
				labels:       plan.Merge(plan.ReplicaLabels(s.Object, i), map[string]string{v1alpha1.LabelPodClique: name}),
				minAvailable: plan.CliqueMinAvailable(&clique.Spec),
			}
			if live := s.PodCliques[name]; live != nil {
				one.selector = live.Status.Selector
			}
			targets = append(targets, one)
		}
	}
	return targets
}

// autoscalers are those that the set asks for, each named as its target. One waits until its target's status has a selector, without
// which kube-controller-manager would warn of a target that it can't scale.
func (s Set) autoscalers() []*autoscalingv2ac.HorizontalPodAutoscalerApplyConfiguration {
	var autoscalers []*autoscalingv2ac.HorizontalPodAutoscalerApplyConfiguration
	for _, t := range s.targets() {
		if t.selector == "" && s.Autoscalers[t.name] == nil {
			continue
		}
		spec := autoscalingv2ac.HorizontalPodAutoscalerSpec().
			WithScaleTargetRef(autoscalingv2ac.CrossVersionObjectReference().
				WithAPIVersion(v1alpha1.SchemeGroupVersion.String()).
				WithKind(t.kind).
				WithName(t.name)).
			WithMinReplicas(t.floor()).
			WithMaxReplicas(t.config.MaxReplicas)
		for i := range t.config.Metrics {
			spec.WithMetrics(plan.Configuration[autoscalingv2ac.MetricSpecApplyConfiguration](&t.config.Metrics[i]))
		}
		spec.Behavior = behavior(t.config.Behavior)
		autoscalers = append(autoscalers, autoscalingv2ac.HorizontalPodAutoscaler(t.name, s.Object.Namespace).
			WithLabels(t.labels).
			WithOwnerReferences(plan.ControllerReference(s.Object, Kind)).
			WithSpec(spec))
	}
	return autoscalers
}

// behavior is what a configuration says of how an autoscaler behaves, without rules that say nothing: the API server fills them with its
// defaults, and they would seem to differ from what was applied. It is nil where nothing is left.
func behavior(config *autoscalingv2.HorizontalPodAutoscalerBehavior) *autoscalingv2ac.HorizontalPodAutoscalerBehaviorApplyConfiguration {
	if config == nil {
		return nil
	}
	said := func(rules *autoscalingv2.HPAScalingRules) *autoscalingv2.HPAScalingRules {
		if rules == nil || equality.Semantic.DeepEqual(rules, &autoscalingv2.HPAScalingRules{}) {
			return nil
		}
		return rules
	}
	given := autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: said(config.ScaleUp), ScaleDown: said(config.ScaleDown)}
	if given.ScaleUp == nil && given.ScaleDown == nil {
		return nil
	}
	return plan.Configuration[autoscalingv2ac.HorizontalPodAutoscalerBehaviorApplyConfiguration](&given)
}

// unwantedAutoscalers are those of targets that are gone, or aren't autoscaled any more.
func (s Set) unwantedAutoscalers() []*autoscalingv2.HorizontalPodAutoscaler {
	wanted := map[string]bool{}
	for _, t := range s.targets() {
		wanted[t.name] = true
	}
	var unwanted []*autoscalingv2.HorizontalPodAutoscaler
	for name, autoscaler := range s.Autoscalers {
		if !wanted[name] && autoscaler.DeletionTimestamp == nil && metav1.IsControlledBy(autoscaler, s.Object) {
			unwanted = append(unwanted, autoscaler)
		}
	}
	slices.SortFunc(unwanted, plan.ByName)
	return unwanted
}

// raisedFloors says which configurations ask for fewer replicas than their target needs; nothing if none does.
func (s Set) raisedFloors() string {
	t := plan.TemplateOf(s.Object)
	var raised []string
	add := func(what string, config *v1alpha1.AutoScalingConfig, minAvailable int32) {
		if config != nil && config.MinReplicas != nil && *config.MinReplicas > 0 && *config.MinReplicas < minAvailable {
			raised = append(raised, fmt.Sprintf("%s: minReplicas is %d, and minAvailable %d", what, *config.MinReplicas, minAvailable))
		}
	}
	for i := range t.Cliques() {
		clique := &t.Cliques()[i]
		add("clique "+clique.Name, clique.Spec.AutoScalingConfig, plan.CliqueMinAvailable(&clique.Spec))
	}
	for _, scalingGroup := range t.ScalingGroups {
		add("scaling group "+scalingGroup.Name, scalingGroup.ScaleConfig, plan.ScalingGroupMinAvailable(&scalingGroup.PodCliqueScalingGroupSpec))
	}
	if len(raised) == 0 {
		return ""
	}
	return "autoscalers go down to minAvailable and no further; " + strings.Join(raised, "; ")
}
