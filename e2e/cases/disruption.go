package cases

import (
	"fmt"
	"strings"

	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/e2e/cluster"
)

var disruptionBudgets = schema.GroupVersionResource{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"}

// Evictions checks that a set's budgets let the API server evict what each clique can spare and no more, follow scaling, are put back, and go
// with the configuration.
func Evictions() types.Feature {
	fronts, leads := podNames("web-front-0", 3), append(podNames("web-lead-0-0", 2), podNames("web-lead-0-1", 2)...)
	workers := append(podNames("web-worker-0-0", 3), podNames("web-worker-0-1", 3)...)
	return features.New("evictions").
		Setup(step(func(s *scope) {
			set := newSet("web", 1, newClique("front", 3, 2), newClique("lead", 2, 1), newClique("worker", 3, 1))
			set.Spec.Template.PodCliqueScalingGroups = []v1alpha1.PodCliqueScalingGroupConfig{newGroup("team", 2, 1, "lead", "worker")}
			set.Spec.Template.PodDisruptionBudget = &v1alpha1.PodDisruptionBudgetConfig{}
			for i := range set.Spec.Template.Cliques {
				// Nobody ends evicted pods, so that none has a successor yet when the next is to be evicted.
				set.Spec.Template.Cliques[i].Annotations = map[string]string{cluster.AnnotationNobody: cluster.AnnotationNobodyValue}
			}
			s.create(set)
			s.waitForBound(fronts, leads, workers)
			for _, pods := range [][]string{fronts, leads, workers} {
				for _, pod := range pods {
					s.makeReady(pod)
				}
			}
			// 10 pods are in the scaling group, and lead can spare 1 in a group replica.
			s.waitForBudget("web-front-0", 2, 1)
			s.waitForBudget("web-team-0-group", 9, 1)
		})).
		Assess("take what can be spared", step(func(s *scope) {
			s.mustEvict(fronts[2])
			s.mustNotEvict(fronts[0], apierrors.IsTooManyRequests, "disruption budget")
			s.mustEvict(workers[0])
			s.mustNotEvict(leads[0], apierrors.IsTooManyRequests, "disruption budget")
			s.mustNotEvict(workers[3], apierrors.IsTooManyRequests, "disruption budget")
		})).
		Assess("follow scaling", step(func(s *scope) {
			s.mustKubectl("scale", "podcliquescalinggroup/web-team", "--replicas=3")
			s.waitForBudget("web-team-0-group", 14, 0)
			s.mustKubectl("scale", "podclique/web-lead-0", "--replicas=3")
			s.waitForBudget("web-team-0-group", 3*(3+3)-2, 0)
			s.change("web", func(set *v1alpha1.PodCliqueSet) { set.Spec.Replicas = 2 })
			s.waitForChildren("web", names{disruptionBudgets: {"web-front-0", "web-front-1", "web-team-0-group", "web-team-1-group"}})
			s.change("web", func(set *v1alpha1.PodCliqueSet) { set.Spec.Replicas = 1 })
			s.waitForChildren("web", names{disruptionBudgets: {"web-front-0", "web-team-0-group"}})
		})).
		Assess("are what the set says", step(func(s *scope) {
			s.patch(disruptionBudgets, "web-front-0", `{"spec": {"minAvailable": 0}}`)
			s.waitForBudget("web-front-0", 2, 0)
			was := s.get(disruptionBudgets, "web-front-0")
			s.delete(disruptionBudgets, "web-front-0", metav1.DeleteOptions{})
			s.waitForReplacement(disruptionBudgets, "web-front-0", was.GetUID())
			s.waitForBudget("web-front-0", 2, 0)
		})).
		Assess("are refused of a pod in two budgets", step(func(s *scope) {
			own := &policyv1.PodDisruptionBudget{
				ObjectMeta: metav1.ObjectMeta{Name: "own"},
				Spec:       policyv1.PodDisruptionBudgetSpec{MinAvailable: ptr.To(intstr.FromInt32(0)), Selector: &metav1.LabelSelector{}},
			}
			if _, err := s.core.PolicyV1().PodDisruptionBudgets(s.namespace).Create(s.ctx, own, metav1.CreateOptions{}); err != nil {
				s.Fatal(err)
			}
			s.mustNotEvict(fronts[0], apierrors.IsInternalError, "more than one PodDisruptionBudget")
			s.delete(disruptionBudgets, "own", metav1.DeleteOptions{})
		})).
		Assess("know no budget without the configuration", step(func(s *scope) {
			s.change("web", func(set *v1alpha1.PodCliqueSet) { set.Spec.Template.PodDisruptionBudget = nil })
			s.waitForChildren("web", names{disruptionBudgets: nil})
			s.mustEvict(fronts[0])
		})).
		Feature()
}

// waitForBudget waits until the disruption controller has seen a budget, with a number of pods that must be ready, and allows so many evictions.
func (s *scope) waitForBudget(name string, minAvailable, allowed int32) {
	s.Helper()
	s.eventually("PodDisruptionBudget "+name, func() (string, error) {
		budget, err := s.core.PolicyV1().PodDisruptionBudgets(s.namespace).Get(s.ctx, name, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		if budget.Spec.MinAvailable.IntVal == minAvailable && budget.Status.ObservedGeneration == budget.Generation && budget.Status.DisruptionsAllowed == allowed {
			return "", nil
		}
		return fmt.Sprintf("minAvailable %s, status %+v", budget.Spec.MinAvailable, budget.Status), nil
	})
}

func (s *scope) evict(pod string) error {
	return s.core.PolicyV1().Evictions(s.namespace).Evict(s.ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: pod}})
}

func (s *scope) mustEvict(pod string) {
	s.Helper()
	if err := s.evict(pod); err != nil {
		s.Errorf("evict %s: %v", pod, err)
	}
}

// mustNotEvict fails the test unless the API server refuses to evict a pod, and says why.
func (s *scope) mustNotEvict(pod string, is func(error) bool, why string) {
	s.Helper()
	if err := s.evict(pod); err == nil || !is(err) || !strings.Contains(err.Error(), why) {
		s.Errorf("evict %s: %v", pod, err)
	}
}
