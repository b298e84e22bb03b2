package cases

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/e2e-framework/pkg/features"
	e2etypes "sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
)

// refusal is how the policy begins to tell what is wrong.
const refusal = "is made from PodCliqueSet job, and Grove would undo this: edit the set instead"

// Protection checks the admission policy in a directory: hand edits are refused, and nothing else is. It holds for the whole cluster,
// so that nothing else can run beside it.
func Protection(dir string) e2etypes.Feature {
	return features.New("protection").
		Setup(step(func(s *scope) {
			s.mustKubectl("apply", "--server-side", "--validate=strict", "-k", dir)
			team := newTeam()
			team.Spec.Template.PodDisruptionBudget = &v1alpha1.PodDisruptionBudgetConfig{}
			team.Spec.Template.Cliques[1].Spec.AutoScalingConfig = &v1alpha1.AutoScalingConfig{MaxReplicas: 3}
			s.create(team)
			s.waitForPods("job", teamPods())
			s.waitForAutoscalers("job", "job-proxy-0")
			s.create(newSet("open", 1, newClique("a", 1, 1)))
			s.patch(podCliqueSets, "open", `{"metadata": {"annotations": {"`+v1alpha1.AnnotationDisableProtection+`": "true"}}}`)
			s.waitForChildren("open", names{podCliques: {"open-a-0"}})
		})).
		Assess("hand edits are refused", step(func(s *scope) {
			s.eventually("the policy is in force", func() (string, error) {
				err := s.tryPatch(drifting{podCliques, "job-worker-0", `{"spec": {"roleName": "edited"}}`})
				if err == nil {
					return "an edit was accepted", nil
				}
				return "", nil
			})
			for _, child := range driftingChildren {
				s.mustBeRefused(child)
			}
			s.mustBeRefused(drifting{autoscalers, "job-proxy-0", `{"spec": {"maxReplicas": 9}}`})
			s.mustBeRefused(drifting{disruptionBudgets, "job-proxy-0", `{"spec": {"minAvailable": 0}}`})
			for _, revision := range s.revisionsOf("job") {
				s.mustBeRefused(drifting{controllerRevisions, revision.Name, `{"revision": 99}`})
			}
			s.mustBeRefused(drifting{podCliques, "job-worker-0", `{"metadata": {"annotations": {"` + v1alpha1.AnnotationUpdateTo + `": "today"}}}`})
			s.mustBeRefused(drifting{podCliques, "job-worker-0", `{"metadata": {"labels": {"app.kubernetes.io/managed-by": null}}}`})
			s.mustBeRefused(drifting{podGangs, "job-0", `{"metadata": {"ownerReferences": null}}`})
			s.mustBeRefused(drifting{podCliques, "job-worker-0", `{"metadata": {"annotations": {"` + v1alpha1.AnnotationTemplateReplicas + `": "7"}}}`})
			s.mustBeRefused(drifting{podGroups, "job-0", `{"spec": {"schedulingPolicy": {"gang": {"minCount": 1}}}}`})
		})).
		Assess("scaling, deleting and labels of one's own are not", step(func(s *scope) {
			s.mustKubectl("label", "podclique/job-worker-0", "example.com/team=blue")
			s.mustKubectl("annotate", "pod/job-worker-0-0-0", "example.com/note=mine")
			s.patch(serviceAccounts, "grove-job", `{"imagePullSecrets": [{"name": "mine"}]}`)
			s.mustKubectl("scale", "podcliquescalinggroup/job-team", "--replicas=1")
			s.mustKubectl("scale", "podcliquescalinggroup/job-team", "--replicas=2")
			was := s.get(roles, "grove-job")
			s.delete(roles, "grove-job", metav1.DeleteOptions{})
			s.waitForReplacement(roles, "grove-job", was.GetUID())
			s.waitForChildren("job", names{pods: teamPods()})
		})).
		Assess("and what is no child of a set, whatever it is called, isn't either", step(func(s *scope) {
			labels := map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelPodCliqueSet: "job"}
			mine := metav1.ObjectMeta{Name: "mine", Namespace: s.namespace, Labels: labels}
			s.createObject(autoscalers, &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: mine, Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
				ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "mine"}, MaxReplicas: 2,
			}})
			s.createObject(disruptionBudgets, &policyv1.PodDisruptionBudget{ObjectMeta: mine})
			s.createObject(controllerRevisions, &appsv1.ControllerRevision{ObjectMeta: mine, Data: runtime.RawExtension{Raw: []byte("{}")}})
			for _, own := range []drifting{
				{autoscalers, "mine", `{"spec": {"maxReplicas": 9}}`},
				{disruptionBudgets, "mine", `{"spec": {"minAvailable": 1}}`},
				{controllerRevisions, "mine", `{"revision": 99}`},
			} {
				if err := s.tryPatch(own); err != nil {
					s.Error(err)
				}
				s.delete(own.kind, own.name, metav1.DeleteOptions{})
			}
		})).
		Assess("an annotation of the set lifts it", step(func(s *scope) {
			if err := s.tryPatch(drifting{podCliques, "open-a-0", `{"spec": {"roleName": "edited"}}`}); err != nil {
				s.Error(err)
			}
			s.eventually("Grove puts it back", func() (string, error) {
				if role, _, err := unstructured.NestedString(s.get(podCliques, "open-a-0").Object, "spec", "roleName"); err != nil || role == "a" {
					return "", err
				}
				return "it is still edited", nil
			})
			s.mustBeRefused(driftingChildren[0])
			s.mustKubectl("delete", "podcliqueset/job")
			s.waitForChildren("job", noChildren())
		})).
		Teardown(step(func(s *scope) { s.mustKubectl("delete", "-k", dir) })).
		Feature()
}

// tryPatch tries to edit a child by hand.
func (s *scope) tryPatch(child drifting) error {
	_, err := s.dynamic.Resource(child.kind).Namespace(s.namespace).Patch(s.ctx, child.name, types.MergePatchType, []byte(child.edit), metav1.PatchOptions{})
	return err
}

func (s *scope) mustBeRefused(child drifting) {
	s.Helper()
	what := fmt.Sprintf("edit %s of %s %s", child.edit, child.kind.Resource, child.name)
	switch err := s.tryPatch(child); {
	case err == nil:
		s.Errorf("%s was accepted", what)
	case !strings.Contains(err.Error(), child.name+" "+refusal):
		s.Errorf("%s: %v; want %q", what, err, refusal)
	}
}
