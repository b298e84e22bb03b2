package cases

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/e2e/cluster"
)

// PodFailure checks that lost pods come back under their names, and the others stay.
func PodFailure() types.Feature {
	return features.New("pod failure").
		Setup(step(func(s *scope) {
			s.create(newSet("web", 1, newClique("front", 3, 2)))
			s.waitForPods("web", podNames("web-front-0", 3))
		})).
		Assess("a failed pod is replaced", step(func(s *scope) {
			before := s.podUIDs("web")
			s.patch(pods, "web-front-0-1", `{"status": {"phase": "Failed"}}`, "status")
			s.waitForReplacement(pods, "web-front-0-1", before["web-front-0-1"])
			delete(before, "web-front-0-1")
			s.mustKeep(before, s.waitForPods("web", podNames("web-front-0", 3)))
			s.waitUntilAvailable("web")
		})).
		Assess("a terminating pod keeps its name until it is gone", step(func(s *scope) {
			before := s.podUIDs("web")
			s.patch(pods, "web-front-0-0", `{"metadata": {"finalizers": ["example.com/hold"]}}`)
			s.delete(pods, "web-front-0-0", metav1.DeleteOptions{})
			s.waitForReadyReplicas("web-front-0", 2)
			held := s.get(pods, "web-front-0-0")
			if held.GetUID() != before["web-front-0-0"] || held.GetDeletionTimestamp() == nil {
				s.Errorf("the terminating pod was replaced before it was gone: UID %s, was %s", held.GetUID(), before["web-front-0-0"])
			}
			s.patch(pods, "web-front-0-0", `{"metadata": {"finalizers": null}}`)
			s.waitForReplacement(pods, "web-front-0-0", before["web-front-0-0"])
			delete(before, "web-front-0-0")
			s.mustKeep(before, s.waitForPods("web", podNames("web-front-0", 3)))
			s.waitForReadyReplicas("web-front-0", 3)
		})).
		Feature()
}

// Unavailable checks that a set says why it has become unavailable, by an event.
func Unavailable() types.Feature {
	const pod = "web-front-0-0"
	return features.New("unavailable").
		Setup(step(func(s *scope) {
			set := newSet("web", 1, newClique("front", 1, 1))
			set.Spec.Template.Cliques[0].Annotations = map[string]string{cluster.AnnotationNobody: cluster.AnnotationNobodyValue}
			s.create(set)
			s.waitForBound(podNames("web-front-0", 1))
		})).
		Assess("is an event", step(func(s *scope) {
			s.makeReady(pod)
			s.waitUntilAvailable("web")
			s.patch(pods, pod, `{"status": {"conditions": [{"type": "Ready", "status": "False"}]}}`, "status")
			s.waitForEvent("web", v1alpha1.ReasonReplicasUnavailable, "web-front-0: 0 of 1 pods ready")
		})).
		Feature()
}

// waitForReadyReplicas waits until the operator has counted the ready pods of a PodClique.
func (s *scope) waitForReadyReplicas(podClique string, n int32) {
	s.Helper()
	s.eventually(fmt.Sprintf("%d ready replicas of PodClique %s", n, podClique), func() (string, error) {
		clique, err := s.grove.GroveV1alpha1().PodCliques(s.namespace).Get(s.ctx, podClique, metav1.GetOptions{})
		if err != nil || clique.Status.ReadyReplicas == n {
			return "", err
		}
		return fmt.Sprintf("status %+v", clique.Status), nil
	})
}
