package podclique_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/plan/podclique"
)

const grace = time.Minute

func ago(d time.Duration) metav1.Time { return metav1.NewTime(plantest.Now.Add(-d)) }

// node is one whose Ready has had a status for a time.
func node(name string, status corev1.ConditionStatus, since time.Duration) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status, LastTransitionTime: ago(since)}}},
	}
}

func outOfService(node *corev1.Node) *corev1.Node {
	node.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeOutOfService, Effect: corev1.TaintEffectNoExecute}}
	return node
}

func nodesOf(nodes ...*corev1.Node) podclique.Nodes {
	return podclique.Nodes{
		Grace: grace,
		Get: func(name string) *corev1.Node {
			if at := slices.IndexFunc(nodes, func(node *corev1.Node) bool { return node.Name == name }); at >= 0 {
				return nodes[at]
			}
			return nil
		},
		All: func() []*corev1.Node { return nodes },
	}
}

// onNode binds a pod to a node some time ago.
func onNode(pod *corev1.Pod, node string, bound time.Duration) {
	plantest.Ready(pod)
	pod.Spec.NodeName = node
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: ago(bound)})
}

func terminating(graceSeconds int64) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = ptr.To(ago(0)), &graceSeconds
	}
}

// When a pod is lost follows from it and its node alone, so that a restart of the operator neither forgets nor repeats.
func TestLostNodes(t *testing.T) {
	const unknown, no, yes = corev1.ConditionUnknown, corev1.ConditionFalse, corev1.ConditionTrue
	const never = -1
	young, old := time.Second, time.Hour
	for name, test := range map[string]struct {
		node  *corev1.Node // nil for none
		bound time.Duration
		state func(*corev1.Pod)
		again time.Duration // 0 for lost now
		why   string
	}{
		"ready":                                  {node("n", yes, old), old, nil, never, ""},
		"not ready, but heard":                   {node("n", no, old), old, nil, never, ""},
		"never heard of yet":                     {&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}}, old, nil, never, ""},
		"silent for a moment":                    {node("n", unknown, 10*time.Second), old, nil, 50 * time.Second, ""},
		"silent for nearly the grace":            {node("n", unknown, grace-1), old, nil, 1, ""},
		"silent for the grace":                   {node("n", unknown, grace), old, nil, 0, "has been silent since 2027-01-15T07:59:00Z"},
		"silent, bound since":                    {node("n", unknown, old), young, nil, grace - young, ""},
		"silent for a moment, terminating":       {node("n", unknown, 10*time.Second), old, terminating(30), 50 * time.Second, ""},
		"silent for the grace, terminating":      {node("n", unknown, grace), young, terminating(30), 0, "has been silent since 2027-01-15T07:59:00Z"},
		"silent, deleted so already":             {node("n", unknown, old), old, terminating(0), never, ""},
		"silent, succeeded":                      {node("n", unknown, old), old, func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodSucceeded }, never, ""},
		"silent, failed":                         {node("n", unknown, old), old, func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodFailed }, never, ""},
		"silent, not bound":                      {node("n", unknown, old), old, func(pod *corev1.Pod) { pod.Spec.NodeName = "" }, never, ""},
		"silent, of another controller":          {node("n", unknown, old), old, func(pod *corev1.Pod) { pod.OwnerReferences[0].Name = "other" }, never, ""},
		"silent, an orphan":                      {node("n", unknown, old), old, func(pod *corev1.Pod) { pod.OwnerReferences = nil }, never, ""},
		"silent, a predecessor's, alive":         {node("n", unknown, old), old, func(pod *corev1.Pod) { pod.OwnerReferences[0].UID = "before" }, never, ""},
		"out of service":                         {outOfService(node("n", unknown, 0)), old, nil, 0, "has the taint node.kubernetes.io/out-of-service"},
		"out of service, bound since":            {outOfService(node("n", yes, old)), young, nil, grace - young, ""},
		"out of service, terminating":            {outOfService(node("n", no, 0)), young, terminating(1), 0, "has the taint node.kubernetes.io/out-of-service"},
		"absent":                                 {nil, old, nil, 0, "doesn't exist any more"},
		"absent, bound since":                    {nil, young, nil, grace - young, ""},
		"absent, terminating":                    {nil, young, terminating(30), 0, "doesn't exist any more"},
		"absent, terminating, a predecessor's":   {nil, young, func(pod *corev1.Pod) { terminating(30)(pod); pod.OwnerReferences[0].UID = "before" }, 0, "doesn't exist any more"},
		"ready, terminating, a predecessor's":    {node("n", yes, old), old, func(pod *corev1.Pod) { terminating(30)(pod); pod.OwnerReferences[0].UID = "before" }, never, ""},
		"absent, nothing says when it was bound": {nil, old, func(pod *corev1.Pod) { pod.Status.Conditions, pod.CreationTimestamp = nil, ago(young) }, grace - young, ""},
	} {
		t.Run(name, func(t *testing.T) {
			clique := plantest.Clique(t, plantest.Workers(), "train-alone-0", plantest.AllPods)
			pod := clique.Pods[0]
			onNode(pod, "n", test.bound)
			if test.state != nil {
				test.state(pod)
			}
			nodes := []*corev1.Node{node("other", yes, old)}
			if test.node != nil {
				nodes = append(nodes, test.node)
			}
			lost, again := clique.Lost(clique.Pods, nodesOf(nodes...), plantest.Now)
			if again != max(test.again, 0) || len(lost) > 0 != (test.again == 0) {
				t.Fatalf("lost: %+v, and more after %s; want %s", lost, again, test.again)
			}
			for _, found := range lost {
				if found.Why != test.why || found.Name != "n" || found.Absent != (test.node == nil) || len(found.Pods) != 1 || found.Pods[0] != pod {
					t.Errorf("lost: %+v; want %q", found, test.why)
				}
			}
		})
	}
}

// Pods are told of by node, and the one that is lost next says when to look again.
func TestPodsAreLostByNode(t *testing.T) {
	clique := plantest.Clique(t, plantest.Workers(), "train-worker-0", plantest.AllPods)
	for i, on := range []string{"b", "a", "b", "c"} {
		onNode(clique.Pods[i], on, time.Hour)
	}
	nodes := nodesOf(node("a", corev1.ConditionTrue, 0), node("c", corev1.ConditionUnknown, 5*time.Second), node("d", corev1.ConditionTrue, 0))
	slices.Reverse(clique.Pods)
	lost, again := clique.Lost(clique.Pods, nodes, plantest.Now)
	var got []string
	for _, node := range lost {
		for _, pod := range node.Pods {
			got = append(got, fmt.Sprintf("%s: %s", node.Name, pod.Name))
		}
	}
	if diff := cmp.Diff([]string{"b: train-worker-0-0-0", "b: train-worker-0-1-0"}, got); diff != "" {
		t.Errorf("lost (-want +got):\n%s", diff)
	}
	if again != 55*time.Second {
		t.Errorf("more may be lost after %s", again)
	}
}

// A control plane that hears no node deletes nobody's pods, and looks again. What is known by other means is lost all the same.
func TestDisruptions(t *testing.T) {
	for name, test := range map[string]struct {
		silent, heard int
		lost          bool
	}{
		"the only node":    {1, 0, false},
		"all":              {2, 0, false},
		"one of two":       {1, 1, true},
		"two of three":     {2, 1, true},
		"three of six":     {3, 3, true},
		"three of five":    {3, 2, false},
		"54 of a hundred":  {54, 46, true},
		"55 of a hundred":  {55, 45, false},
		"one of a hundred": {1, 99, true},
	} {
		t.Run(name, func(t *testing.T) {
			var all []*corev1.Node
			for i := range test.silent {
				all = append(all, node(fmt.Sprintf("silent-%d", i), corev1.ConditionUnknown, time.Hour))
			}
			for i := range test.heard {
				all = append(all, node(fmt.Sprintf("heard-%d", i), corev1.ConditionTrue, time.Hour))
			}
			clique := plantest.Clique(t, plantest.Workers(), "train-alone-0", plantest.AllPods)
			onNode(clique.Pods[0], "silent-0", time.Hour)
			lost, again := clique.Lost(clique.Pods, nodesOf(all...), plantest.Now)
			if len(lost) > 0 != test.lost || again > 0 == test.lost {
				t.Errorf("lost: %+v, and more after %s", lost, again)
			}
			outOfService(all[0])
			if lost, _ := clique.Lost(clique.Pods, nodesOf(all...), plantest.Now); len(lost) != 1 {
				t.Errorf("out of service, and not lost")
			}
		})
	}
}
