package cases

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
)

// ScaleSet checks that a set gains and loses replicas, the highest ones, and keeps the others as they are.
func ScaleSet() types.Feature {
	pods := func(replicas int) []string {
		var names []string
		for i := range replicas {
			names = append(names, podNames(fmt.Sprintf("web-front-%d", i), 1)...)
			names = append(names, podNames(fmt.Sprintf("web-back-%d", i), 2)...)
		}
		return names
	}
	children := func(replicas int) names {
		want := names{podGangs: nil, podCliques: nil, services: {"web-headless"}}
		for i := range replicas {
			want[podGangs] = append(want[podGangs], fmt.Sprintf("web-%d", i))
			want[podCliques] = append(want[podCliques], fmt.Sprintf("web-front-%d", i), fmt.Sprintf("web-back-%d", i))
		}
		return want
	}
	return features.New("scale a set").
		Assess("by its spec and by kubectl scale", step(func(s *scope) {
			s.create(newSet("web", 2, newClique("front", 1, 1), newClique("back", 2, 1)))
			before := s.waitForPods("web", pods(2))
			for _, replicas := range []int{3, 1, 2} {
				s.change("web", func(set *v1alpha1.PodCliqueSet) { set.Spec.Replicas = int32(replicas) })
				after := s.waitForPods("web", pods(replicas))
				s.mustKeep(before, after)
				s.waitForChildren("web", children(replicas))
				before = after
			}
			for _, replicas := range []int{4, 1} {
				s.mustKubectl("scale", "podcliqueset/web", fmt.Sprintf("--replicas=%d", replicas))
				after := s.waitForPods("web", pods(replicas))
				s.mustKeep(before, after)
				s.waitForChildren("web", children(replicas))
				before = after
			}
			s.waitUntilAvailable("web")
		})).
		Assess("to nothing and back", step(func(s *scope) {
			s.mustKubectl("scale", "podcliqueset/web", "--replicas=0")
			s.waitForPods("web", nil)
			s.waitForChildren("web", children(0))
			s.mustKubectl("scale", "podcliqueset/web", "--replicas=1")
			s.waitForPods("web", pods(1))
			s.waitUntilAvailable("web")
		})).
		Feature()
}

// scaling is a child whose replicas both the template and kubectl scale set, in the set "job".
type scaling struct {
	kind schema.GroupVersionResource
	name string
	// set returns the manifest of the set, with the template's value for the child.
	set func(replicas int32) *v1alpha1.PodCliqueSet
	// pods are those of the set when the template says one thing and the child another.
	pods func(template, scaled int) []string
}

// ScaleGroup checks that a scaling group gains and loses group replicas, in every replica of the set.
func ScaleGroup() types.Feature {
	return scaling{
		kind: scalingGroups,
		name: "job-team",
		set: func(replicas int32) *v1alpha1.PodCliqueSet {
			set := newSet("job", 2, newClique("lead", 1, 1), newClique("worker", 2, 1), newClique("proxy", 1, 1))
			set.Spec.Template.PodCliqueScalingGroups = []v1alpha1.PodCliqueScalingGroupConfig{newGroup("team", replicas, 2, "lead", "worker")}
			return set
		},
		pods: func(_, scaled int) []string {
			var names []string
			for i := range 2 {
				names = append(names, fmt.Sprintf("job-proxy-%d-0", i))
				for g := range scaled {
					names = append(names, podNames(fmt.Sprintf("job-lead-%d-%d", i, g), 1)...)
					names = append(names, podNames(fmt.Sprintf("job-worker-%d-%d", i, g), 2)...)
				}
			}
			return names
		},
	}.feature("scale a group")
}

// ScaleClique checks that a standalone clique gains and loses pods, by kubectl scale in one replica of the set only.
func ScaleClique() types.Feature {
	return scaling{
		kind: podCliques,
		name: "job-worker-1",
		set: func(replicas int32) *v1alpha1.PodCliqueSet {
			return newSet("job", 2, newClique("worker", replicas, 2))
		},
		pods: func(template, scaled int) []string {
			return slices.Concat(podNames("job-worker-0", template), podNames("job-worker-1", scaled))
		},
	}.feature("scale a clique")
}

// ScaleMemberClique checks that a clique in a scaling group gains and loses pods in every group replica.
func ScaleMemberClique() types.Feature {
	return scaling{
		kind: podCliques,
		name: "job-worker-0",
		set: func(replicas int32) *v1alpha1.PodCliqueSet {
			set := newSet("job", 1, newClique("lead", 1, 1), newClique("worker", replicas, 2))
			set.Spec.Template.PodCliqueScalingGroups = []v1alpha1.PodCliqueScalingGroupConfig{newGroup("team", 2, 1, "lead", "worker")}
			return set
		},
		pods: func(_, scaled int) []string {
			var names []string
			for g := range 2 {
				names = append(names, fmt.Sprintf("job-lead-0-%d-0", g))
				names = append(names, podNames(fmt.Sprintf("job-worker-0-%d", g), scaled)...)
			}
			return names
		},
	}.feature("scale a member clique")
}

// feature takes a child with minAvailable 2 through all that may happen to its replicas.
func (c scaling) feature(name string) types.Feature {
	return features.New(name).
		Assess("by the template", step(func(s *scope) {
			s.apply(c.set(3))
			before := s.waitForPods("job", c.pods(3, 3))
			s.apply(c.set(4))
			after := s.waitForPods("job", c.pods(4, 4))
			s.mustKeep(before, after)
			s.apply(c.set(3))
			s.mustKeep(after, s.waitForPods("job", c.pods(3, 3)))
		})).
		Assess("by kubectl scale", step(func(s *scope) {
			c.scaleTo(s, 3, 5)
			c.scaleTo(s, 3, 2)
			c.scaleTo(s, 3, 4)
		})).
		Assess("without an alarm", step(func(s *scope) { s.mustNotWarn("job") })).
		Assess("below minAvailable, which amounts to that", step(func(s *scope) {
			before := s.podUIDs("job")
			s.mustKubectl("scale", c.kind.Resource+"/"+c.name, "--replicas=1")
			s.mustKeep(before, s.waitForPods("job", c.pods(3, 2)))
			s.waitUntilAvailable("job")
			c.scaleTo(s, 3, 4)
		})).
		Assess("and keep that when the set is applied again", step(func(s *scope) {
			set := c.set(3)
			s.apply(set)
			set.Annotations = map[string]string{"example.com/note": "changed"}
			s.apply(set)
			s.mark(set)
			c.mustHave(s, 4)
			s.waitForPods("job", c.pods(3, 4))
		})).
		Assess("until the template says something else", step(func(s *scope) {
			s.apply(c.set(2))
			s.waitForPods("job", c.pods(2, 2))
			s.waitUntilAvailable("job")
		})).
		Assess("to nothing and back", step(func(s *scope) {
			c.scaleTo(s, 2, 0)
			s.waitUntilAvailable("job")
			c.scaleTo(s, 2, 3)
			s.waitUntilAvailable("job")
			s.mustNotWarn("job")
		})).
		Feature()
}

// scaleTo scales the child as users do, and checks that the pods that stay are left alone.
func (c scaling) scaleTo(s *scope, template, replicas int) {
	s.Helper()
	before := s.podUIDs("job")
	s.mustKubectl("scale", c.kind.Resource+"/"+c.name, fmt.Sprintf("--replicas=%d", replicas))
	s.mustKeep(before, s.waitForPods("job", c.pods(template, replicas)))
	c.mustHave(s, replicas)
}

func (c scaling) mustHave(s *scope, replicas int) {
	s.Helper()
	if got := s.replicasOf(c.kind, c.name); got != int64(replicas) {
		s.Errorf("%s %s has %d replicas, want %d", c.kind.Resource, c.name, got, replicas)
	}
}

// mark changes an annotation of the set's cliques, and waits until it has reached all PodCliques. By then the operator has
// written whatever else followed from the set.
func (s *scope) mark(set *v1alpha1.PodCliqueSet) {
	s.Helper()
	for i := range set.Spec.Template.Cliques {
		set.Spec.Template.Cliques[i].Annotations = map[string]string{"example.com/mark": set.Name}
	}
	s.apply(set)
	s.eventually("PodCliques with the annotation", func() (string, error) {
		list, err := s.grove.GroveV1alpha1().PodCliques(s.namespace).List(s.ctx, metav1.ListOptions{LabelSelector: ofSet(set.Name)})
		if err != nil {
			return "", err
		}
		for _, podClique := range list.Items {
			if podClique.Annotations["example.com/mark"] != set.Name {
				return podClique.Name + " lacks it", nil
			}
		}
		return "", nil
	})
}

func (s *scope) replicasOf(kind schema.GroupVersionResource, name string) int64 {
	s.Helper()
	replicas, _, err := unstructured.NestedInt64(s.get(kind, name).Object, "spec", "replicas")
	if err != nil {
		s.Fatal(err)
	}
	return replicas
}
