package cases

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/e2e/cluster"
)

// Spread checks that replicas go into different zones, each into one, with its scaled units.
func Spread() types.Feature {
	replica := func(i int) []string {
		return slices.Concat(podNames(fmt.Sprintf("ha-a-%d", i), 1), podNames(fmt.Sprintf("ha-b-%d-0", i), 2), podNames(fmt.Sprintf("ha-b-%d-1", i), 2))
	}
	return features.New("spread").
		Assess("two replicas, two zones, each whole", step(func(s *scope) {
			s.addNodes("zone-a", "rack-a", 6)
			s.addNodes("zone-b", "rack-b", 6)
			set := s.onOwnNodes(newSet("ha", 2, newClique("a", 1, 1), newClique("b", 2, 1)))
			set.Spec.Template.PodCliqueScalingGroups = []v1alpha1.PodCliqueScalingGroupConfig{newGroup("x", 2, 1, "b")}
			set.Spec.ReplicaSpreadConstraints = spreadOver(corev1.LabelTopologyZone)
			s.create(set)
			nodes := s.waitForBound(replica(0), replica(1))
			if s.mustShare(corev1.LabelTopologyZone, nodes, replica(0)) == s.mustShare(corev1.LabelTopologyZone, nodes, replica(1)) {
				s.Error("both replicas are in one zone")
			}
			s.waitUntilAvailable("ha")
		})).
		Feature()
}

// PackWhole checks that a gang whose cliques all have to be in one rack waits for a rack that is large enough.
func PackWhole() types.Feature {
	all := slices.Concat(podNames("ml-lead-0", 1), podNames("ml-worker-0", 3))
	return features.New("pack a whole gang").
		Assess("racks of 3 are too small for 4", step(func(s *scope) {
			s.addNodes(zone, "rack-a", 3)
			s.addNodes(zone, "rack-b", 3)
			set := s.onOwnNodes(newSet("ml", 1, newClique("lead", 1, 1), newClique("worker", 3, 3)))
			set.Spec.Template.SchedulingPolicyConfig = packed(cluster.LabelRack, "lead", "worker")
			s.create(set)
			s.waitForCondition("ml-0", v1alpha1.ConditionScheduled, metav1.ConditionFalse, says, "minCount (4)")
			s.waitForBound(nil)
		})).
		Assess("one of 4 takes it", step(func(s *scope) {
			s.addNodes(zone, "rack-c", 4)
			if got := s.mustShare(cluster.LabelRack, s.waitForBound(all), all); got != "rack-c" {
				s.Errorf("the gang is in %s; want rack-c", got)
			}
			s.waitForCondition("ml-0", v1alpha1.ConditionGangScheduling, metav1.ConditionTrue)
		})).
		Feature()
}

// PackPart checks a pack group of some cliques: it waits for a rack that is large enough, and its gang with it, and the
// gang is inside one zone.
func PackPart() types.Feature {
	workers := podNames("ml-worker-0", 3)
	all := slices.Concat(podNames("ml-router-0", 2), workers)
	return features.New("pack a part of a gang, and spread").
		Assess("no rack is large enough", step(func(s *scope) {
			s.addNodes("zone-a", "rack-a", 2)
			s.addNodes("zone-a", "rack-b", 2)
			s.addNodes("zone-b", "rack-c", 3)
			set := s.onOwnNodes(newSet("ml", 1, newClique("router", 2, 2), newClique("worker", 3, 3)))
			set.Spec.Template.SchedulingPolicyConfig = packed(cluster.LabelRack, "worker")
			set.Spec.ReplicaSpreadConstraints = spreadOver(corev1.LabelTopologyZone)
			s.create(set)
			s.waitForCondition("ml-0", v1alpha1.ConditionScheduled, metav1.ConditionFalse, says)
			s.waitForBound(nil)
		})).
		Assess("a rack and its zone are", step(func(s *scope) {
			s.addNodes("zone-b", "rack-d", 2)
			nodes := s.waitForBound(all)
			s.mustShare(corev1.LabelTopologyZone, nodes, all)
			if got := s.mustShare(cluster.LabelRack, nodes, workers); got != "rack-c" {
				s.Errorf("the workers are in %s; want rack-c", got)
			}
			s.waitUntilAvailable("ml")
		})).
		Feature()
}

// PackScaled checks a pack group of a part of a scaling group: its scaled unit is placed as such, and leaves nothing behind.
func PackScaled() types.Feature {
	unit := func(g int) []string {
		return slices.Concat(podNames(fmt.Sprintf("ml-lead-0-%d", g), 1), podNames(fmt.Sprintf("ml-worker-0-%d", g), 2))
	}
	return features.New("pack a part of a scaling group").
		Assess("its scaled unit, too", step(func(s *scope) {
			s.addNodes("zone-a", "rack-a", 3)
			s.addNodes("zone-a", "rack-b", 3)
			set := s.onOwnNodes(newSet("ml", 1, newClique("lead", 1, 1), newClique("worker", 2, 2)))
			set.Spec.Template.PodCliqueScalingGroups = []v1alpha1.PodCliqueScalingGroupConfig{newGroup("x", 2, 1, "lead", "worker")}
			set.Spec.Template.SchedulingPolicyConfig = packed(cluster.LabelRack, "worker")
			s.create(set)
			nodes := s.waitForBound(unit(0), unit(1))
			for g := range 2 {
				s.mustShare(cluster.LabelRack, nodes, podNames(fmt.Sprintf("ml-worker-0-%d", g), 2))
			}
			s.waitForChildren("ml", names{compositePodGroups: {"ml-0", "ml-0-x-1"}})
		})).
		Assess("goes without a trace", step(func(s *scope) {
			s.mustKubectl("scale", "podcliquescalinggroup/ml-x", "--replicas=1")
			s.waitForBound(unit(0))
			s.waitForChildren("ml", names{compositePodGroups: {"ml-0"}})
		})).
		Feature()
}

// WeakTopology checks that what is required of the places of pods holds where the scheduler places gangs, and knows nothing of
// topology; and that the PodGang says what is weaker.
func WeakTopology() types.Feature {
	all := slices.Concat(podNames("ml-lead-0", 1), podNames("ml-worker-0", 3))
	return features.New("pack and spread without topology-aware scheduling").
		Assess("pods follow each other", step(func(s *scope) {
			s.addNodes("zone-a", "rack-a", 4)
			set := s.onOwnNodes(newSet("ml", 1, newClique("lead", 1, 1), newClique("worker", 3, 3)))
			set.Spec.Template.SchedulingPolicyConfig = packed(cluster.LabelRack, "lead", "worker")
			set.Spec.ReplicaSpreadConstraints = spreadOver(corev1.LabelTopologyZone)
			s.create(set)
			s.waitForBound(all)
			s.waitForCondition("ml-0", v1alpha1.ConditionGangScheduling, metav1.ConditionTrue, "one "+corev1.LabelTopologyZone, "TopologyAwareWorkloadScheduling")
			s.addNodes("zone-a", "rack-b", 3)
			s.addNodes("zone-b", "rack-c", 1)
			s.mustKubectl("scale", "podcliqueset/ml", "--replicas=2")
			s.waitForCondition("ml-1", v1alpha1.ConditionScheduled, metav1.ConditionFalse, says)
			s.waitForBound(all)
			s.addNodes("zone-b", "rack-c", 3)
			second := slices.Concat(podNames("ml-lead-1", 1), podNames("ml-worker-1", 3))
			nodes := s.waitForBound(all, second)
			if got := s.mustShare(cluster.LabelRack, nodes, second); got != "rack-c" {
				s.Errorf("the second replica is in %s; want rack-c", got)
			}
		})).
		Feature()
}

// NoGangs checks that pods run where the API server serves no PodGroups, and that the PodGang says what that means.
func NoGangs() types.Feature {
	return features.New("no gang scheduling").
		Assess("pods run one by one", step(func(s *scope) {
			s.addNodes(zone, rack, 2)
			s.create(s.onOwnNodes(newSet("web", 1, newClique("w", 3, 3))))
			s.waitForCondition("web-0", v1alpha1.ConditionGangScheduling, metav1.ConditionFalse, "doesn't serve PodGroups", "GenericWorkload")
			s.waitForAnyBound(podNames("web-w-0", 2), []string{"web-w-0-0", "web-w-0-2"}, []string{"web-w-0-1", "web-w-0-2"})
			s.waitForCondition("web-0", v1alpha1.ConditionScheduled, metav1.ConditionFalse, "2 of 3 pods scheduled", says)
			s.addNodes(zone, rack, 1)
			s.waitForBound(podNames("web-w-0", 3))
			s.waitUntilAvailable("web")
		})).
		Feature()
}
