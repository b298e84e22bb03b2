package cases

import (
	"fmt"
	"maps"
	"slices"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
)

// podNames are the names of the n pods of a slice.
func podNames(slice string, n int) []string {
	var names []string
	for p := range n {
		names = append(names, fmt.Sprintf("%s-%d", slice, p))
	}
	return names
}

// waitForPods waits until the pods of a set are exactly those named, all of them ready, and returns their UIDs.
func (s *scope) waitForPods(set string, names ...[]string) map[string]types.UID {
	s.Helper()
	want := map[string]string{}
	for _, name := range slices.Concat(names...) {
		want[name] = "ready"
	}
	uids := map[string]types.UID{}
	s.eventually("pods of "+set, func() (string, error) {
		pods, err := s.podsOf(set)
		if err != nil {
			return "", err
		}
		got := map[string]string{}
		clear(uids)
		for i := range pods {
			got[pods[i].Name] = stateOf(&pods[i])
			uids[pods[i].Name] = pods[i].UID
		}
		return cmp.Diff(want, got), nil
	})
	return uids
}

func (s *scope) podsOf(set string) ([]corev1.Pod, error) {
	pods, err := s.core.CoreV1().Pods(s.namespace).List(s.ctx, metav1.ListOptions{LabelSelector: ofSet(set)})
	if err != nil {
		return nil, err
	}
	return pods.Items, nil
}

func stateOf(pod *corev1.Pod) string {
	switch {
	case pod.DeletionTimestamp != nil:
		return "terminating"
	case isReady(pod):
		return "ready"
	default:
		return string(pod.Status.Phase)
	}
}

func isReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue && pod.DeletionTimestamp == nil
		}
	}
	return false
}

// mustKeep fails the test unless pods that are there before and after are the same.
func (s *scope) mustKeep(before, after map[string]types.UID) {
	s.Helper()
	kept := maps.Clone(after)
	maps.DeleteFunc(kept, func(name string, _ types.UID) bool { _, was := before[name]; return !was })
	was := maps.Clone(before)
	maps.DeleteFunc(was, func(name string, _ types.UID) bool { _, is := after[name]; return !is })
	if diff := cmp.Diff(was, kept); diff != "" {
		s.Errorf("pods were replaced that should have been left alone, UIDs before (-) and after (+):\n%s", diff)
	}
}

// podUIDs are the UIDs of a set's pods by name, as they are now.
func (s *scope) podUIDs(set string) map[string]types.UID {
	s.Helper()
	pods, err := s.podsOf(set)
	if err != nil {
		s.Fatal(err)
	}
	uids := map[string]types.UID{}
	for i := range pods {
		uids[pods[i].Name] = pods[i].UID
	}
	return uids
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

func (s *scope) pod(name string) *corev1.Pod {
	s.Helper()
	pod, err := s.core.CoreV1().Pods(s.namespace).Get(s.ctx, name, metav1.GetOptions{})
	if err != nil {
		s.Fatal(err)
	}
	return pod
}

// makeReady says of a pod what a kubelet would.
func (s *scope) makeReady(pod string) {
	s.Helper()
	s.patch(pods, pod, `{"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}`, "status")
}
