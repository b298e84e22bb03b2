package cases

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/e2e-framework/pkg/features"
	e2etypes "sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
)

// The cases of this file take a node away, so that nothing else can run beside them.

// Drain checks that the pods of a drained node come up elsewhere under their names, and the others stay.
func Drain() e2etypes.Feature {
	all := podNames("web-a-0", 4)
	var node string
	return features.New("a node is drained").
		Assess("and its pods move", step(func(s *scope) {
			s.apply(newSet("web", 1, s.spreadOverHosts(newRealClique("a", 4, 4))))
			s.waitUntilAvailable("web")
			node = s.pod(all[0]).Spec.NodeName
			stay := s.uidsOn("web", node, false)
			s.mustKubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=2m")
			s.mustKeep(stay, s.waitForPods("web", all))
			s.waitUntilAvailable("web")
			if left := s.uidsOn("web", node, true); len(left) > 0 {
				s.Errorf("pods are on the drained node: %v", left)
			}
		})).
		Teardown(step(func(s *scope) { s.mustKubectl("uncordon", node) })).
		Feature()
}

// spreadOverHosts puts about as many of a clique's pods on one worker as on the other, if it can.
func (s *scope) spreadOverHosts(clique v1alpha1.PodCliqueTemplateSpec) v1alpha1.PodCliqueTemplateSpec {
	clique.Spec.PodSpec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
		MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway,
		LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}},
	}}
	return clique
}

// KubeletStopped checks that a node that falls silent is told of, and that all is well once it is back, without a pod lost.
func KubeletStopped() e2etypes.Feature {
	all := podNames("web-a-0", 4)
	var node string
	var before map[string]types.UID
	return features.New("a kubelet is stopped").
		Assess("and its pods count no more", step(func(s *scope) {
			s.apply(newSet("web", 1, s.spreadOverHosts(newRealClique("a", 4, 4))))
			before = s.waitForPods("web", all)
			s.waitUntilAvailable("web")
			node = s.pod(all[0]).Spec.NodeName
			silent := len(s.uidsOn("web", node, true))
			s.onNode(node, "systemctl", "stop", "kubelet")
			s.waitForCondition("web-0", v1alpha1.ConditionReady, metav1.ConditionFalse, fmt.Sprintf("web-a-0: %d of 4 pods ready", 4-silent))
			s.waitForSet("web", "not available", func(set *v1alpha1.PodCliqueSet) string {
				if set.Status.AvailableReplicas == 0 && meta.IsStatusConditionFalse(set.Status.Conditions, v1alpha1.ConditionAvailable) {
					return ""
				}
				return fmt.Sprintf("%+v", set.Status)
			})
		})).
		Assess("until it is back", step(func(s *scope) {
			s.onNode(node, "systemctl", "start", "kubelet")
			s.mustKeep(before, s.waitForPods("web", all))
			s.waitUntilAvailable("web")
		})).
		Teardown(step(func(s *scope) {
			s.onNode(node, "systemctl", "start", "kubelet")
			if err := s.Kind.AddGPUs(s.ctx); err != nil {
				s.Error(err)
			}
		})).
		Feature()
}

// uidsOn are those of a set's pods that are on a node, or not.
func (s *scope) uidsOn(set, node string, on bool) map[string]types.UID {
	s.Helper()
	pods, err := s.podsOf(set)
	if err != nil {
		s.Fatal(err)
	}
	uids := map[string]types.UID{}
	for _, pod := range pods {
		if (pod.Spec.NodeName == node) == on {
			uids[pod.Name] = pod.UID
		}
	}
	return uids
}
