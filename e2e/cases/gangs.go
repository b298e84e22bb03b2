package cases

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
)

// tenPods is the set "ten" of cliques a of 2 pods, and b of 1 and c of 3 in a group of 2 replicas, on the case's own nodes.
func (s *scope) tenPods(minA, minC, minGroup int32) *v1alpha1.PodCliqueSet {
	return s.onOwnNodes(newTen(minA, minC, minGroup))
}

func newTen(minA, minC, minGroup int32) *v1alpha1.PodCliqueSet {
	set := newSet("ten", 1, newClique("a", 2, minA), newClique("b", 1, 1), newClique("c", 3, minC))
	set.Spec.Template.PodCliqueScalingGroups = []v1alpha1.PodCliqueScalingGroupConfig{newGroup("x", 2, minGroup, "b", "c")}
	return set
}

// tenPodsOfA and tenPodsOfX are the names of pods in replica i of that set.
func tenPodsOfA(i int) []string { return podNames(fmt.Sprintf("ten-a-%d", i), 2) }

func tenPodsOfX(i, g int) []string {
	return append(podNames(fmt.Sprintf("ten-b-%d-%d", i, g), 1), podNames(fmt.Sprintf("ten-c-%d-%d", i, g), 3)...)
}

// GangFull checks that a set whose minima are all it has is placed whole or not at all, and that it grows by whole units.
func GangFull() types.Feature {
	whole := slices.Concat(tenPodsOfA(0), tenPodsOfX(0, 0), tenPodsOfX(0, 1))
	return features.New("a gang of full minima").
		Assess("0 pods on 9 nodes", step(func(s *scope) {
			s.addNodes(zone, rack, 9)
			s.create(s.tenPods(2, 3, 2))
			s.waitForCondition("ten-0", v1alpha1.ConditionScheduled, metav1.ConditionFalse, says, "minCount (10)")
			s.waitForBound(nil)
			s.mustExist("ten", whole)
			s.waitForCondition("ten-0", v1alpha1.ConditionGangScheduling, metav1.ConditionTrue)
		})).
		Assess("all 10 on 10", step(func(s *scope) {
			s.addNodes(zone, rack, 1)
			s.waitForBound(whole)
			s.waitUntilAvailable("ten")
			s.waitForCondition("ten-0", v1alpha1.ConditionScheduled, metav1.ConditionTrue)
		})).
		Assess("the group grows by whole units", step(func(s *scope) {
			before := s.podUIDs("ten")
			s.addNodes(zone, rack, 3)
			s.mustKubectl("scale", "podcliquescalinggroup/ten-x", "--replicas=3")
			s.waitForCondition("ten-0", v1alpha1.ConditionScaledGroupsScheduled, metav1.ConditionFalse, says, "minCount (4)")
			s.waitForBound(whole)
			s.addNodes(zone, rack, 1)
			s.waitForBound(whole, tenPodsOfX(0, 2))
			s.waitForCondition("ten-0", v1alpha1.ConditionScaledGroupsScheduled, metav1.ConditionTrue)
			s.mustKeep(before, s.podUIDs("ten"))
		})).
		Assess("a pod deleted by hand returns to its gang", step(func(s *scope) {
			uid := s.get(pods, "ten-c-0-1-1").GetUID()
			s.delete(pods, "ten-c-0-1-1", metav1.DeleteOptions{})
			s.waitForReplacement(pods, "ten-c-0-1-1", uid)
			pod, err := s.core.CoreV1().Pods(s.namespace).Get(s.ctx, "ten-c-0-1-1", metav1.GetOptions{})
			if err != nil {
				s.Fatal(err)
			}
			if group := pod.Spec.SchedulingGroup; group == nil || *group.PodGroupName != "ten-0" {
				s.Errorf("the new pod names the group %v; want ten-0", group)
			}
			s.waitForBound(whole, tenPodsOfX(0, 2))
			s.waitUntilAvailable("ten")
		})).
		Feature()
}

// GangMinimum checks the order in which a set of small minima gets what there is: its base unit, then the surplus of a standalone clique, which
// competes with nothing else, and the scaled unit, and at last the surplus of members.
func GangMinimum() types.Feature {
	base := []string{"ten-a-0-0", "ten-b-0-0-0", "ten-c-0-0-0"}
	scaled := []string{"ten-b-0-1-0", "ten-c-0-1-0"}
	standalone := []string{"ten-a-0-1"}
	surplus := []string{"ten-c-0-0-1", "ten-c-0-0-2", "ten-c-0-1-1", "ten-c-0-1-2"}
	return features.New("a gang of minima of 1").
		Assess("nothing on 2 nodes, and no surplus", step(func(s *scope) {
			s.addNodes(zone, rack, 2)
			s.create(s.tenPods(1, 1, 1))
			s.waitForCondition("ten-0", v1alpha1.ConditionScheduled, metav1.ConditionFalse, says, "minCount (3)")
			s.waitForCondition("ten-0", v1alpha1.ConditionScaledGroupsScheduled, metav1.ConditionFalse, "once the base unit is scheduled")
			s.waitForBound(nil)
			s.mustExist("ten", base)
		})).
		Assess("the base on 3", step(func(s *scope) {
			s.addNodes(zone, rack, 1)
			s.waitForBound(base)
			s.waitForCondition("ten-0", v1alpha1.ConditionScaledGroupsScheduled, metav1.ConditionFalse, says, "minCount (2)")
			s.waitForBound(base)
			s.eventually("pods of ten", func() (string, error) {
				want := slices.Sorted(slices.Values(slices.Concat(base, scaled, standalone)))
				return cmp.Diff(want, slices.Sorted(maps.Keys(s.podUIDs("ten")))), nil
			})
			s.waitUntilAvailable("ten")
			s.eventually("what surplus of ten-c-0 waits for", func() (string, error) {
				podClique, err := s.grove.GroveV1alpha1().PodCliques(s.namespace).Get(s.ctx, "ten-c-0", metav1.GetOptions{})
				if err != nil {
					return "", err
				}
				scheduled := meta.FindStatusCondition(podClique.Status.Conditions, v1alpha1.ConditionPodCliqueScheduled)
				if scheduled == nil || scheduled.Status != metav1.ConditionTrue || !strings.Contains(scheduled.Message, "waits until gang unit ten-0-x-1 is scheduled") {
					return fmt.Sprintf("%+v", scheduled), nil
				}
				return "", nil
			})
		})).
		Assess("the scaled unit and what competes with nothing on 6", step(func(s *scope) {
			s.addNodes(zone, rack, 1)
			s.addNodes(zone, rack, 2)
			s.waitForBound(base, scaled, standalone)
			s.waitForCondition("ten-0", v1alpha1.ConditionScaledGroupsScheduled, metav1.ConditionTrue)
		})).
		Assess("then surplus", step(func(s *scope) {
			s.addNodes(zone, rack, 4)
			s.waitForBound(base, scaled, standalone, surplus)
			s.waitForPods("ten", base, scaled, standalone, surplus)
		})).
		Feature()
}

// GangScale checks what scaling before anything fits, and after, brings when nodes come one unit after the other.
func GangScale() types.Feature {
	base := func(i int) []string { return slices.Concat(tenPodsOfA(i), tenPodsOfX(i, 0)) }
	var placed []string
	return features.New("scale gangs").
		Assess("group and set while the base doesn't fit", step(func(s *scope) {
			s.addNodes(zone, rack, 5)
			s.create(s.tenPods(2, 3, 1))
			s.waitForCondition("ten-0", v1alpha1.ConditionScheduled, metav1.ConditionFalse, says, "minCount (6)")
			s.mustKubectl("scale", "podcliquescalinggroup/ten-x", "--replicas=3")
			s.waitForCondition("ten-0", v1alpha1.ConditionScaledGroupsScheduled, metav1.ConditionFalse, "once the base unit is scheduled")
			s.mustKubectl("scale", "podcliqueset/ten", "--replicas=2")
			s.waitForCondition("ten-1", v1alpha1.ConditionScheduled, metav1.ConditionFalse, says, "minCount (6)")
			s.waitForBound(nil)
			s.mustExist("ten", base(0), base(1))
		})).
		Assess("a base, its scaled units, and the same again, each whole", step(func(s *scope) {
			s.addNodes(zone, rack, 1)
			first := s.waitForScheduled("ten-0", "ten-1")
			for _, i := range []int{first, 1 - first} {
				placed = append(placed, base(i)...)
				s.waitForBound(placed)
				gang := fmt.Sprintf("ten-%d", i)
				s.waitForCondition(gang, v1alpha1.ConditionScaledGroupsScheduled, metav1.ConditionFalse, says, "minCount (4)")
				s.addNodes(zone, rack, 4) // fewer than the other base needs
				s.waitForAnyBound(slices.Concat(placed, tenPodsOfX(i, 1)), slices.Concat(placed, tenPodsOfX(i, 2)))
				s.addNodes(zone, rack, 4)
				placed = slices.Concat(placed, tenPodsOfX(i, 1), tenPodsOfX(i, 2))
				s.waitForBound(placed)
				s.waitForCondition(gang, v1alpha1.ConditionScaledGroupsScheduled, metav1.ConditionTrue)
				if i == first {
					s.addNodes(zone, rack, 6)
				}
			}
			s.waitUntilAvailable("ten")
		})).
		Assess("both after all fits", step(func(s *scope) {
			before := s.podUIDs("ten")
			s.mustKubectl("scale", "podcliqueset/ten", "--replicas=3")
			s.waitForCondition("ten-2", v1alpha1.ConditionScheduled, metav1.ConditionFalse, says)
			s.mustKubectl("scale", "podcliquescalinggroup/ten-x", "--replicas=2")
			s.waitForBound(base(0), base(1), base(2), tenPodsOfX(0, 1), tenPodsOfX(1, 1))
			s.addNodes(zone, rack, 2)
			s.waitForBound(base(0), base(1), base(2), tenPodsOfX(0, 1), tenPodsOfX(1, 1), tenPodsOfX(2, 1))
			s.mustKeep(before, s.podUIDs("ten"))
		})).
		Feature()
}

// waitForScheduled waits until one of several PodGangs is scheduled, and returns which.
func (s *scope) waitForScheduled(podGangs ...string) int {
	s.Helper()
	first := -1
	s.eventually(fmt.Sprintf("one of %v is scheduled", podGangs), func() (string, error) {
		for i, name := range podGangs {
			gang, err := s.grove.GroveV1alpha1().PodGangs(s.namespace).Get(s.ctx, name, metav1.GetOptions{})
			if err != nil {
				return "", err
			}
			if meta.IsStatusConditionTrue(gang.Status.Conditions, v1alpha1.ConditionScheduled) {
				first = i
				return "", nil
			}
		}
		return "none is", nil
	})
	return first
}

// GangRivals checks that of two sets that fit only one by one, one gets in, whole, and the other once it has gone.
func GangRivals() types.Feature {
	rivals := []string{"red", "blue"}
	of := func(name string) []string { return podNames(name+"-w-0", 6) }
	return features.New("rival gangs").
		Assess("one gets in, whole, and then the other", step(func(s *scope) {
			s.addNodes(zone, rack, 10)
			for _, name := range rivals {
				s.create(s.onOwnNodes(newSet(name, 1, newClique("w", 6, 6))))
			}
			first := s.waitForScheduled("red-0", "blue-0")
			winner, loser := rivals[first], rivals[1-first]
			s.waitForCondition(loser+"-0", v1alpha1.ConditionScheduled, metav1.ConditionFalse, says)
			s.waitForBound(of(winner))
			s.delete(podCliqueSets, winner, metav1.DeleteOptions{})
			s.waitForBound(of(loser))
			s.waitUntilAvailable(loser)
		})).
		Feature()
}

// GangNodeLoss checks that a gang gets its lost pod back when the node that it was on, or another, comes.
func GangNodeLoss() types.Feature {
	all := podNames("web-w-0", 4)
	return features.New("a node dies and comes back").
		Assess("and the pod with it", step(func(s *scope) {
			s.addNodes(zone, rack, 4)
			s.create(s.onOwnNodes(newSet("web", 1, newClique("w", 4, 4))))
			nodes := s.waitForBound(all)
			before := s.podUIDs("web")
			if err := s.core.CoreV1().Nodes().Delete(s.ctx, nodes[all[2]].Name, metav1.DeleteOptions{}); err != nil {
				s.Fatal(err)
			}
			s.waitForCondition("web-0", v1alpha1.ConditionScheduled, metav1.ConditionFalse, "3 of 4 pods scheduled", says)
			s.addNodes(zone, rack, 1)
			s.waitForBound(all)
			s.waitUntilAvailable("web")
			delete(before, all[2])
			s.mustKeep(before, s.podUIDs("web"))
		})).
		Feature()
}

// GangPriority checks that a gang of higher priority drives out a whole gang, never a part.
func GangPriority() types.Feature {
	return features.New("priorities").
		Assess("drive out whole gangs", step(func(s *scope) {
			s.addNodes(zone, rack, 4)
			low, high := s.newPriorityClass("low", 10), s.newPriorityClass("high", 1000)
			loser := s.onOwnNodes(newSet("loser", 1, newClique("w", 4, 4)))
			loser.Spec.Template.PriorityClassName = low
			s.create(loser)
			s.waitForBound(podNames("loser-w-0", 4))
			winner := s.onOwnNodes(newSet("winner", 1, newClique("w", 2, 2)))
			winner.Spec.Template.PriorityClassName = high
			s.create(winner)
			s.waitForBound(podNames("winner-w-0", 2))
			s.waitUntilAvailable("winner")
			s.waitForCondition("loser-0", v1alpha1.ConditionScheduled, metav1.ConditionFalse, says)
			s.waitForBound(podNames("winner-w-0", 2))
			s.mustExist("loser", podNames("loser-w-0", 4))
		})).
		Feature()
}

// newPriorityClass creates a PriorityClass for the case, and returns its name.
func (s *scope) newPriorityClass(name string, value int32) string {
	s.Helper()
	classes := s.core.SchedulingV1().PriorityClasses()
	class, err := classes.Create(s.ctx, &schedulingv1.PriorityClass{
		ObjectMeta: metav1.ObjectMeta{Name: s.namespace + "-" + name},
		Value:      value,
	}, metav1.CreateOptions{})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if err := classes.Delete(s.ctx, class.Name, metav1.DeleteOptions{}); err != nil {
			s.Error(err)
		}
	})
	return class.Name
}

// GangGate checks that a user's scheduling gate holds back its whole gang, and that the PodGang names it.
func GangGate() types.Feature {
	const gate = "example.com/quota"
	all := slices.Concat(podNames("web-free-0", 2), podNames("web-gated-0", 1))
	return features.New("a user's scheduling gate").
		Assess("holds back the gang", step(func(s *scope) {
			s.addNodes(zone, rack, 3)
			set := s.onOwnNodes(newSet("web", 1, newClique("free", 2, 2), newClique("gated", 1, 1)))
			set.Spec.Template.Cliques[1].Spec.PodSpec.SchedulingGates = []corev1.PodSchedulingGate{{Name: gate}}
			s.create(set)
			s.waitForCondition("web-0", v1alpha1.ConditionScheduled, metav1.ConditionFalse, "web-gated-0-0", gate)
			s.waitForBound(nil)
			s.patch(pods, "web-gated-0-0", `{"spec": {"schedulingGates": null}}`)
			s.waitForBound(all)
			s.waitUntilAvailable("web")
		})).
		Feature()
}

// GangMetadata checks that what a set is labelled and annotated with is where queues and quotas look for it.
func GangMetadata() types.Feature {
	const queue, note = "kueue.x-k8s.io/queue-name", "example.com/commit"
	// waitFor waits until a PodGang and its PodGroup have them.
	waitFor := func(s *scope, podGang, wantQueue, wantNote string) {
		s.Helper()
		s.eventually(fmt.Sprintf("%s is labelled %s=%s and annotated %s=%s", podGang, queue, wantQueue, note, wantNote), func() (string, error) {
			for _, kind := range []schema.GroupVersionResource{podGangs, podGroups} {
				object, err := s.dynamic.Resource(kind).Namespace(s.namespace).Get(s.ctx, podGang, metav1.GetOptions{})
				if apierrors.IsNotFound(err) {
					return "there is no " + kind.Resource, nil
				}
				if err != nil {
					return "", err
				}
				if labels, annotations := object.GetLabels(), object.GetAnnotations(); labels[queue] != wantQueue || annotations[note] != wantNote {
					return fmt.Sprintf("%s has labels %v and annotations %v", kind.Resource, labels, annotations), nil
				}
			}
			return "", nil
		})
	}
	return features.New("labels and annotations of a set").
		Assess("are on what schedulers see", step(func(s *scope) {
			set := newSet("web", 1, newClique("w", 2, 2))
			set.Labels, set.Annotations = map[string]string{queue: "blue"}, map[string]string{note: "1"}
			s.create(set)
			waitFor(s, "web-0", "blue", "1")
		})).
		Assess("and follow, an annotation with the next change", step(func(s *scope) {
			s.patch(podCliqueSets, "web", `{"metadata": {"annotations": {"example.com/commit": "2"}}}`)
			s.mustKubectl("scale", "podcliqueset/web", "--replicas=2")
			waitFor(s, "web-1", "blue", "2")
			waitFor(s, "web-0", "blue", "1")
			s.patch(podCliqueSets, "web", `{"metadata": {"labels": {"kueue.x-k8s.io/queue-name": "red"}}}`)
			waitFor(s, "web-0", "red", "2")
			waitFor(s, "web-1", "red", "2")
		})).
		Feature()
}
