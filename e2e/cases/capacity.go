package cases

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/e2e/cluster"
)

// labelTest is on nodes that one case alone uses, with its namespace as value. They have a taint of the same key.
const labelTest = "e2e.grove.io/namespace"

// oneEach is the resource of which each node of a case has one, and each pod takes one: a node has room for one pod.
const oneEach = cluster.ResourceGPU

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
	capacity := corev1.ResourceList{
		oneEach:               resource.MustParse("1"),
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

// waitForBound waits until those pods of sets that are bound to nodes are exactly those named, and returns their nodes.
func (s *scope) waitForBound(names ...[]string) map[string]*corev1.Node {
	s.Helper()
	bound := s.waitForAnyBound(slices.Concat(names...))
	nodes := map[string]*corev1.Node{}
	for pod, name := range bound {
		node, err := s.core.CoreV1().Nodes().Get(s.ctx, name, metav1.GetOptions{})
		if err != nil {
			s.Fatal(err)
		}
		nodes[pod] = node
	}
	return nodes
}

// waitForAnyBound is waitForBound with several possibilities. It returns the names of the nodes.
func (s *scope) waitForAnyBound(possible ...[]string) map[string]string {
	s.Helper()
	bound := map[string]string{}
	s.eventually("pods that are bound to nodes", func() (string, error) {
		pods, err := s.core.CoreV1().Pods(s.namespace).List(s.ctx, metav1.ListOptions{LabelSelector: v1alpha1.LabelManagedBy + "=" + v1alpha1.ManagedBy})
		if err != nil {
			return "", err
		}
		clear(bound)
		for _, pod := range pods.Items {
			if pod.Spec.NodeName != "" && pod.DeletionTimestamp == nil {
				bound[pod.Name] = pod.Spec.NodeName
			}
		}
		diffs := ""
		for _, names := range possible {
			diff := cmp.Diff(slices.Sorted(slices.Values(names)), slices.Sorted(maps.Keys(bound)))
			if diff == "" {
				return "", nil
			}
			diffs += diff
		}
		return diffs, nil
	})
	return bound
}

// mustExist fails the test unless the pods of a set are exactly those named.
func (s *scope) mustExist(set string, names ...[]string) {
	s.Helper()
	want := slices.Sorted(slices.Values(slices.Concat(names...)))
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(s.podUIDs(set)))); diff != "" {
		s.Errorf("pods of %s (-want +got):\n%s", set, diff)
	}
}

// waitForCondition waits until a condition of a PodGang has a status and a message that contains all texts. A unit that the
// scheduler couldn't place has its words: it has tried by then.
func (s *scope) waitForCondition(podGang, kind string, status metav1.ConditionStatus, texts ...string) metav1.Condition {
	s.Helper()
	var found metav1.Condition
	s.eventually(fmt.Sprintf("condition %s=%s of PodGang %s with %q", kind, status, podGang, texts), func() (string, error) {
		gang, err := s.grove.GroveV1alpha1().PodGangs(s.namespace).Get(s.ctx, podGang, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		condition := meta.FindStatusCondition(gang.Status.Conditions, kind)
		if condition == nil || condition.Status != status {
			return fmt.Sprintf("%+v", gang.Status.Conditions), nil
		}
		for _, text := range texts {
			if !strings.Contains(condition.Message, text) {
				return fmt.Sprintf("%s: %s", condition.Reason, condition.Message), nil
			}
		}
		found = *condition
		return "", nil
	})
	return found
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
