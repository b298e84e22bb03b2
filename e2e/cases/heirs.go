package cases

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Heirs checks that a gang isn't held up by the group that an earlier gang of its name has left in the scheduler.
func Heirs() types.Feature {
	return features.New("what an earlier gang has left in the scheduler").
		Assess("a gang whose PodGang was deleted goes on", step(func(s *scope) {
			clique := newClique("w", 4, 1)
			clique.Spec.MinAvailable = nil
			s.create(newSet("web", 1, clique))
			s.waitUntilAvailable("web")
			before := s.podUIDs("web")
			for _, way := range []metav1.DeletionPropagation{metav1.DeletePropagationBackground, metav1.DeletePropagationForeground} {
				uid := s.get(podGangs, "web-0").GetUID()
				s.delete(podGangs, "web-0", metav1.DeleteOptions{PropagationPolicy: &way})
				s.waitForReplacement(podGangs, "web-0", uid)
				s.mustKeep(before, s.waitForPods("web", podNames("web-w-0", 4)))
			}

			two := int32(2)
			s.change("web", func(set *v1alpha1.PodCliqueSet) { set.Spec.Template.Cliques[0].Spec.Replicas = &two })
			s.waitForPods("web", podNames("web-w-0", 2))
			pod := s.get(pods, "web-w-0-0").GetUID()
			s.delete(pods, "web-w-0-0", metav1.DeleteOptions{})
			s.waitForReplacement(pods, "web-w-0-0", pod)
			s.waitForPods("web", podNames("web-w-0", 2))
			s.waitUntilAvailable("web")
		})).
		Assess("a set that is made again at once has groups of its own", step(func(s *scope) {
			const replicas = 8
			for range 3 {
				s.create(newSet("again", replicas, newClique("w", 2, 2)))
				s.waitUntilAvailable("again")
				s.mustKubectl("delete", "podcliqueset", "again", "--wait=false")
				s.eventually("the set's end", func() (string, error) {
					_, err := s.grove.GroveV1alpha1().PodCliqueSets(s.namespace).Get(s.ctx, "again", metav1.GetOptions{})
					if apierrors.IsNotFound(err) {
						return "", nil
					}
					return "it is still there", err
				})
			}
			s.create(newSet("again", replicas, newClique("w", 2, 2)))
			s.waitUntilAvailable("again")
			s.eventually("groups in the scheduler", func() (string, error) {
				groups, err := s.core.SchedulingV1beta1().PodGroups(s.namespace).List(s.ctx, metav1.ListOptions{LabelSelector: ofSet("again")})
				if err != nil {
					return "", err
				}
				var wrong []string
				for i := range groups.Items {
					group := &groups.Items[i]
					if group.DeletionTimestamp != nil || group.Spec.SchedulingPolicy.Gang.MinCount != 2 {
						wrong = append(wrong, fmt.Sprintf("%s, terminating since %v, minCount %d", group.Name, group.DeletionTimestamp, group.Spec.SchedulingPolicy.Gang.MinCount))
					}
				}
				if len(groups.Items) != replicas {
					wrong = append(wrong, fmt.Sprintf("%d groups for %d replicas", len(groups.Items), replicas))
				}
				return strings.Join(wrong, "\n"), nil
			})
		})).
		Feature()
}

// ForeignRole checks that nobody gets the rights of a Role that isn't Grove's by giving a set its name.
func ForeignRole() types.Feature {
	return features.New("a Role that has the name of a set's").
		Assess("isn't bound", step(func(s *scope) {
			role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "grove-boss"}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}}}}
			s.createObject(roles, role)
			s.create(newSet("boss", 1, newClique("front", 1, 1)))
			s.waitForProblem(podCliqueSets, "boss", v1alpha1.ReasonNameConflict, "Role grove-boss exists and isn't controlled by anything")
			s.waitUntilAvailable("boss")
			if _, err := s.core.RbacV1().RoleBindings(s.namespace).Get(s.ctx, "grove-boss", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
				s.Errorf("there is a RoleBinding for it (error %v)", err)
			}
		})).
		Assess("is followed by the set's own", step(func(s *scope) {
			s.delete(roles, "grove-boss", metav1.DeleteOptions{})
			s.waitForSolution(podCliqueSets, "boss")
			s.eventually("the RoleBinding", func() (string, error) {
				_, err := s.core.RbacV1().RoleBindings(s.namespace).Get(s.ctx, "grove-boss", metav1.GetOptions{})
				return "", err
			})
		})).
		Feature()
}

// Completion checks a set whose pods run to their end.
func Completion() types.Feature {
	return features.New("pods that run to their end").
		Assess("aren't waited for by what a gang loses later", step(func(s *scope) {
			clique := newClique("job", 3, 3)
			clique.Spec.PodSpec.RestartPolicy = corev1.RestartPolicyNever
			s.create(newSet("mixed", 1, clique))
			s.waitUntilAvailable("mixed")
			s.patch(pods, "mixed-job-0-0", `{"status": {"phase": "Succeeded", "conditions": [{"type": "Ready", "status": "False", "reason": "PodCompleted"}]}}`, "status")
			before := s.get(pods, "mixed-job-0-1").GetUID()
			s.delete(pods, "mixed-job-0-1", metav1.DeleteOptions{})
			s.waitForReplacement(pods, "mixed-job-0-1", before)
			s.eventually("a place for the pod that was lost", func() (string, error) {
				pod, err := s.core.CoreV1().Pods(s.namespace).Get(s.ctx, "mixed-job-0-1", metav1.GetOptions{})
				if err != nil || pod.Spec.NodeName != "" {
					return "", err
				}
				return fmt.Sprintf("%+v", pod.Status.Conditions), nil
			})
		})).
		Assess("complete the set", step(func(s *scope) {
			clique := newClique("job", 2, 2)
			clique.Spec.PodSpec.RestartPolicy = corev1.RestartPolicyNever
			s.create(newSet("batch", 1, clique))
			s.waitUntilAvailable("batch")
			for _, name := range podNames("batch-job-0", 2) {
				s.patch(pods, name, `{"status": {"phase": "Succeeded", "conditions": [{"type": "Ready", "status": "False", "reason": "PodCompleted"}]}}`, "status")
			}
			s.waitForSet("batch", "completed", func(set *v1alpha1.PodCliqueSet) string {
				if set.Status.Phase == v1alpha1.PodCliqueSetCompleted && meta.IsStatusConditionTrue(set.Status.Conditions, v1alpha1.ConditionComplete) {
					return ""
				}
				return fmt.Sprintf("%+v", set.Status)
			})
		})).
		Assess("and aren't made again", step(func(s *scope) {
			s.delete(pods, "batch-job-0-0", metav1.DeleteOptions{})
			s.change("batch", func(set *v1alpha1.PodCliqueSet) { set.Spec.Replicas = 2 })
			s.eventually("pods of the new replica alone", func() (string, error) {
				var names []string
				for name := range s.podUIDs("batch") {
					names = append(names, name)
				}
				got := strings.Join(slices.Sorted(slices.Values(names)), " ")
				if got != "batch-job-0-1 batch-job-1-0 batch-job-1-1" {
					return got, nil
				}
				return "", nil
			})
			s.waitUntilAvailable("batch")
		})).
		Feature()
}
