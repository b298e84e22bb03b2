package cases

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
)

// DroppedGroups checks that a user learns of an API server that drops the name of a pod's group, as one does whose feature gate
// is off beside others where it is on. Here, an admission policy does it.
func DroppedGroups() types.Feature {
	return features.New("the API server drops schedulingGroup").
		Assess("pods run, and the PodGang says so", step(func(s *scope) {
			s.dropSchedulingGroups()
			s.addNodes(zone, rack, 2)
			s.create(s.onOwnNodes(newSet("web", 1, newClique("w", 2, 2))))
			s.waitForBound(podNames("web-w-0", 2))
			s.waitForCondition("web-0", v1alpha1.ConditionGangScheduling, metav1.ConditionFalse, "has no spec.schedulingGroup", "GenericWorkload")
			s.waitForEvent("web-0", v1alpha1.ReasonSchedulingGroupMissing, "has no spec.schedulingGroup")
		})).
		Feature()
}

// dropSchedulingGroups makes the API server drop spec.schedulingGroup from new pods of the namespace, until the end of the step.
func (s *scope) dropSchedulingGroups() {
	s.Helper()
	name := metav1.ObjectMeta{Name: s.namespace}
	policies, bindings := s.core.AdmissionregistrationV1().MutatingAdmissionPolicies(), s.core.AdmissionregistrationV1().MutatingAdmissionPolicyBindings()
	policy := &admissionv1.MutatingAdmissionPolicy{ObjectMeta: name, Spec: admissionv1.MutatingAdmissionPolicySpec{
		MatchConstraints: &admissionv1.MatchResources{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: s.namespace}},
			ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
				Operations: []admissionv1.OperationType{admissionv1.Create},
				Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}}},
		},
		MatchConditions:    []admissionv1.MatchCondition{{Name: "grouped", Expression: "has(object.spec.schedulingGroup)"}},
		ReinvocationPolicy: admissionv1.NeverReinvocationPolicy,
		Mutations: []admissionv1.Mutation{{
			PatchType: admissionv1.PatchTypeJSONPatch,
			JSONPatch: &admissionv1.JSONPatch{Expression: `[JSONPatch{op: "remove", path: "/spec/schedulingGroup"}]`},
		}},
	}}
	if _, err := policies.Create(s.ctx, policy, metav1.CreateOptions{}); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if err := policies.Delete(s.ctx, name.Name, metav1.DeleteOptions{}); err != nil {
			s.Error(err)
		}
	})
	binding := &admissionv1.MutatingAdmissionPolicyBinding{ObjectMeta: name, Spec: admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: name.Name}}
	if _, err := bindings.Create(s.ctx, binding, metav1.CreateOptions{}); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if err := bindings.Delete(s.ctx, name.Name, metav1.DeleteOptions{}); err != nil {
			s.Error(err)
		}
	})
	s.eventually("the admission policy is in force", func() (string, error) {
		probe := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "probe"}, Spec: corev1.PodSpec{
			Containers:      []corev1.Container{{Name: "main", Image: image}},
			SchedulingGroup: &corev1.PodSchedulingGroup{PodGroupName: ptr.To("probe")},
		}}
		made, err := s.core.CoreV1().Pods(s.namespace).Create(s.ctx, probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil || made.Spec.SchedulingGroup == nil {
			return "", err
		}
		return "a pod keeps its schedulingGroup", nil
	})
}
