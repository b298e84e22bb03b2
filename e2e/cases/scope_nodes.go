package cases

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/e2e/cluster"
)

// labelTest is on nodes that one case alone uses, with its namespace as value. They have a taint of the same key.
const labelTest = "e2e.grove.io/namespace"

// oneEach is the resource of which each node of a case has one, and each pod takes one: a node has room for one pod.
const oneEach = cluster.ResourceGPU

// zone and rack are where nodes are in cases that aren't about topology.
const zone, rack = "zone-a", "rack-a"

// onOwnNodes makes the pods of a set take one node each, of the case's own.
func (s *scope) onOwnNodes(set *v1alpha1.PodCliqueSet) *v1alpha1.PodCliqueSet {
	for i := range set.Spec.Template.Cliques {
		spec := &set.Spec.Template.Cliques[i].Spec.PodSpec
		spec.NodeSelector = map[string]string{labelTest: s.namespace}
		spec.Tolerations = []corev1.Toleration{{Key: labelTest, Operator: corev1.TolerationOpExists}}
		for j := range spec.Containers {
			spec.Containers[j].Resources.Limits = corev1.ResourceList{oneEach: resource.MustParse("1")}
		}
	}
	return set
}

// addNodes adds nodes, each with room for one pod, to a rack in a zone. They end with the case.
func (s *scope) addNodes(zone, rack string, n int) {
	s.Helper()
	s.addRooms(zone, rack, n, 1)
}

// addRooms is addNodes with room for several pods on each.
func (s *scope) addRooms(zone, rack string, n, pods int) {
	s.Helper()
	capacity := corev1.ResourceList{
		oneEach:               *resource.NewQuantity(int64(pods), resource.DecimalSI),
		corev1.ResourceCPU:    resource.MustParse("8"),
		corev1.ResourceMemory: resource.MustParse("32Gi"),
		corev1.ResourcePods:   resource.MustParse("10"),
	}
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: s.namespace + "-",
			Labels:       map[string]string{labelTest: s.namespace, corev1.LabelTopologyZone: zone, cluster.LabelRack: rack},
		},
		Spec:   corev1.NodeSpec{Taints: []corev1.Taint{{Key: labelTest, Effect: corev1.TaintEffectNoSchedule}}},
		Status: corev1.NodeStatus{Capacity: capacity, Allocatable: capacity},
	}
	for range n {
		if _, err := s.core.CoreV1().Nodes().Create(s.ctx, node, metav1.CreateOptions{}); err != nil {
			s.Fatal(err)
		}
	}
}

// deleteNodes deletes the nodes of the case.
func (s *scope) deleteNodes() error {
	return s.core.CoreV1().Nodes().DeleteCollection(s.ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: labelTest + "=" + s.namespace})
}

// mustShare fails the test unless the nodes of pods have one value of a label, and returns it.
func (s *scope) mustShare(label string, nodes map[string]*corev1.Node, pods ...[]string) string {
	s.Helper()
	values := map[string][]string{}
	for _, name := range slices.Concat(pods...) {
		value := nodes[name].Labels[label]
		values[value] = append(values[value], name)
	}
	if len(values) != 1 {
		s.Errorf("pods that belong into one %s are in several: %v", label, values)
	}
	for value := range values {
		return value
	}
	return ""
}

func (s *scope) onNode(node string, command ...string) {
	s.Helper()
	if err := s.Kind.OnNode(s.ctx, node, command...); err != nil {
		s.Fatal(err)
	}
}
