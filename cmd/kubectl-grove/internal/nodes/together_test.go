package nodes

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestTogether(t *testing.T) {
	const gpu, rack = "nvidia.com/gpu", "rack"
	var s Snapshot
	for n, in := range []string{"a", "b", "b", ""} {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("n%d", n)}, Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{
			gpu: resource.MustParse("8"), corev1.ResourcePods: resource.MustParse("110"),
		}}}
		if in != "" {
			node.Labels = map[string]string{rack: in}
		}
		s.Nodes = append(s.Nodes, node)
	}
	var pods []*corev1.Pod
	for n := range 3 {
		pods = append(pods, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("p%d", n)}, Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{gpu: resource.MustParse("5")}},
		}}}})
	}
	for key, want := range map[string][]Attempt{
		"":     {{Nodes: 4, Placed: 3, Pods: 3}},
		rack:   {{Domain: "b", Nodes: 2, Placed: 2, Pods: 3, Missing: "p2"}, {Domain: "a", Nodes: 1, Placed: 1, Pods: 3, Missing: "p1"}},
		"none": nil,
	} {
		cluster := NewCluster(s)
		got := cluster.Together(pods, key)
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Attempt{}, "Verdicts")); diff != "" {
			t.Errorf("key %q (-want +got):\n%s", key, diff)
		}
		if again := cluster.Together(pods, key); cmp.Diff(got, again) != "" {
			t.Errorf("key %q: another attempt finds another cluster", key)
		}
	}
	words := Summary(NewCluster(s).Together(pods, rack)[0].Verdicts)[0].String()
	if want := "2 of 2 nodes: nvidia.com/gpu at most 3 free, 5 asked"; words != want {
		t.Errorf("%q, want %q", words, want)
	}
}
