package nodes

import (
	"fmt"
	"strings"
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
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Attempt{}, "Verdicts", "Places")); diff != "" {
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

// A unit is in one zone, and a part of it in one rack.
func TestParts(t *testing.T) {
	const gpu, zone, rack = "nvidia.com/gpu", "zone", "rack"
	var s Snapshot
	for n, in := range []string{"a r1", "a r1", "a r2", "b r3", "b r4", "b r4", "b"} {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("n%d", n), Labels: map[string]string{}}, Status: corev1.NodeStatus{
			Allocatable: corev1.ResourceList{gpu: resource.MustParse("8"), corev1.ResourcePods: resource.MustParse("110")},
		}}
		labels := strings.Fields(in)
		node.Labels[zone] = labels[0]
		if len(labels) > 1 {
			node.Labels[rack] = labels[1]
		}
		s.Nodes = append(s.Nodes, node)
	}
	pods := func(name string, count int, gpus string) []*corev1.Pod {
		var all []*corev1.Pod
		for n := range count {
			all = append(all, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s%d", name, n)}, Spec: corev1.PodSpec{Containers: []corev1.Container{{
				Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{gpu: resource.MustParse(gpus)}},
			}}}})
		}
		return all
	}
	for name, test := range map[string]struct {
		parts []Part
		want  string
	}{
		"fits":                 {[]Part{{rack, pods("w", 2, "8")}, {"", pods("f", 2, "8")}}, "b 4/4 r4; a 3/4 r1, f1 lacks"},
		"fits nowhere":         {[]Part{{rack, pods("w", 3, "8")}}, "a 2/3 r1, w2 lacks; b 2/3 r4, w2 lacks"},
		"a key that none has":  {[]Part{{"block", pods("w", 1, "8")}}, "a 0/1, w0 lacks; b 0/1, w0 lacks"},
		"two parts in a rack":  {[]Part{{rack, pods("v", 1, "8")}, {rack, pods("w", 2, "8")}}, "b 3/3 r3 r4; a 2/3 r1 r1, w1 lacks"},
		"nothing beside parts": {[]Part{{rack, pods("w", 1, "8")}, {"", nil}}, "a 1/1 r1; b 1/1 r3"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			cluster := NewCluster(s)
			for _, attempt := range cluster.Parts(test.parts, zone) {
				words := fmt.Sprintf("%s %d/%d", attempt.Domain, attempt.Placed, attempt.Pods)
				for _, part := range attempt.Parts {
					words += " " + part.Domain
				}
				if attempt.Missing != "" {
					words += ", " + attempt.Missing + " lacks"
				}
				got = append(got, words)
			}
			if strings.Join(got, "; ") != test.want {
				t.Errorf("got %q, want %q", strings.Join(got, "; "), test.want)
			}
			first := cluster.Parts(test.parts, zone)[0]
			cluster.Keep(first)
			kept := 0
			for range cluster.pods() {
				kept++
			}
			if kept != first.Placed {
				t.Errorf("%d pods take a place once %d are kept", kept, first.Placed)
			}
		})
	}
}
