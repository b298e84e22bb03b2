package cases

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apitypes "k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
)

// newMany is a set of 4 replicas of a clique of 3 pods, of which 2 are needed; its pods are manyPods.
func newMany(delay time.Duration) *v1alpha1.PodCliqueSet {
	set := newSet("many", 4, newClique("a", 3, 2))
	set.Spec.Template.TerminationDelay = &metav1.Duration{Duration: delay}
	return set
}

func manyPods(i int) []string { return podNames(fmt.Sprintf("many-a-%d", i), 3) }

// Breaches checks what is a breach and what isn't, in sets of which several replicas have one.
func Breaches() types.Feature {
	// carefulDelay leaves a busy machine time between a moment just before the deadline and the deadline.
	const carefulDelay = 10 * time.Second
	var before map[string]apitypes.UID
	return features.New("breaches").
		Setup(step(func(s *scope) {
			s.create(newMany(shortDelay))
			before = s.waitForPods("many", manyPods(0), manyPods(1), manyPods(2), manyPods(3))
			s.waitUntilAvailable("many")
		})).
		Assess("of several replicas at once end each of them, and no other", step(func(s *scope) {
			for i := 1; i < 4; i++ {
				s.breakPod(manyPods(i)[0])
				s.breakPod(manyPods(i)[2])
			}
			before = s.waitForSuccessors("many", before, slices.Concat(manyPods(1), manyPods(2), manyPods(3))...)
			s.mustHaveRestarts("many", 0, 1, 1, 1)
		})).
		Assess("begin with the pod that is one too many, and count from then on", step(func(s *scope) {
			s.breakPod(manyPods(0)[0])
			// By the time that this one is terminated, the first would have been, too.
			s.breakPod(manyPods(1)[0])
			s.breakPod(manyPods(1)[1])
			s.eventually("the second termination of many-1", func() (string, error) {
				if record := s.unitOf("many-1", "many-1"); record.Restarts != 2 {
					return fmt.Sprintf("%+v", record), nil
				}
				return "", nil
			})
			if record := s.unitOf("many-0", "many-0"); record.BreachedSince != nil || record.Restarts > 0 {
				s.Errorf("with 2 of 3 pods: %+v", record)
			}
			s.change("many", func(set *v1alpha1.PodCliqueSet) { set.Spec.Template.TerminationDelay.Duration = carefulDelay })
			s.breakPod(manyPods(0)[1])
			s.waitForDegraded("many", "many-a-0: 1 of 3 pods available, at least 2 needed", "unless 1 more pod is available by then")
			since := s.unitOf("many-0", "many-0").BreachedSince
			s.breakPod(manyPods(0)[2])
			s.waitForDegraded("many", "many-a-0: 0 of 3 pods available, at least 2 needed", "unless 2 more pods are available by then")
			if now := s.unitOf("many-0", "many-0").BreachedSince; !now.Equal(since) {
				s.Errorf("the breach began at %s, and with the next pod at %s", since, now)
			}
			before = s.waitForSuccessors("many", before, slices.Concat(manyPods(0), manyPods(1))...)
			s.mustHaveRestarts("many", 1, 2, 1, 1)
		})).
		Assess("that heal just before the deadline do nothing", step(func(s *scope) {
			s.breakPod(manyPods(2)[0])
			s.breakPod(manyPods(2)[1])
			s.waitForDegraded("many", "gang unit many-2")
			end := s.unitOf("many-2", "many-2").BreachedSince.Add(carefulDelay)
			s.eventually("a moment just before the deadline", func() (string, error) {
				if time.Until(end) > carefulDelay/4 {
					return time.Until(end).String(), nil
				}
				return "", nil
			})
			s.mendPod(manyPods(2)[1])
			s.waitUntilAvailable("many")
			s.mendPod(manyPods(2)[0])
			s.breakPod(manyPods(3)[0])
			s.breakPod(manyPods(3)[1])
			before = s.waitForSuccessors("many", before, manyPods(3)...)
			s.mustHaveRestarts("many", 1, 2, 1, 2)
		})).
		Feature()
}

// unitOf is the record of a unit in a PodGang's status.
func (s *scope) unitOf(podGang, unit string) v1alpha1.UnitStatus {
	s.Helper()
	gang, err := s.grove.GroveV1alpha1().PodGangs(s.namespace).Get(s.ctx, podGang, metav1.GetOptions{})
	if err != nil {
		s.Fatal(err)
	}
	for _, record := range gang.Status.Units {
		if record.Name == unit {
			return record
		}
	}
	s.Fatalf("PodGang %s has no record of unit %s: %+v", podGang, unit, gang.Status.Units)
	return v1alpha1.UnitStatus{}
}

// Alarms checks of which breaches a warning tells, and that what is turned on is none.
func Alarms() types.Feature {
	return features.New("alarms").
		Assess("a breach that lasts is told, and so is its end", step(func(s *scope) {
			s.create(newDuo("duo", longDelay))
			s.waitUntilAvailable("duo")
			s.breakPod("duo-a-0-1")
			for _, object := range []string{"duo", "duo-0"} {
				s.waitForEvent(object, v1alpha1.ReasonMinAvailableBreached, "duo-a-0: 1 of 2 pods available, at least 2 needed, since")
			}
			s.mendPod("duo-a-0-1")
			for _, object := range []string{"duo", "duo-0"} {
				s.waitForEvent(object, v1alpha1.ReasonRecovered, "gang unit duo-0")
			}
		})).
		Assess("what is turned on without room is none, and ends nothing that works", step(func(s *scope) {
			s.addNodes(zone, rack, 2)
			set := s.onOwnNodes(newSet("web", 1, newClique("front", 1, 1), newClique("back", 1, 1)))
			set.Spec.Template.PodCliqueScalingGroups = []v1alpha1.PodCliqueScalingGroupConfig{newGroup("x", 1, 1, "back")}
			set.Spec.Template.TerminationDelay = &metav1.Duration{Duration: time.Second}
			s.create(set)
			s.waitUntilAvailable("web")
			before := s.podUIDs("web")
			delete(before, "web-back-0-0-0")
			s.mustKubectl("scale", "podcliquescalinggroup/web-x", "--replicas=0")
			s.waitForBound(podNames("web-front-0", 1), duoAll("duo"))
			s.cordon("", true)
			s.mustKubectl("scale", "podcliquescalinggroup/web-x", "--replicas=1")
			s.waitForCondition("web-0", v1alpha1.ConditionScheduled, metav1.ConditionFalse, "web-back-0-0: 0 of 1 pods scheduled", says)
			// Another unit that is terminated tells that the delay has passed.
			s.change("duo", func(set *v1alpha1.PodCliqueSet) { set.Spec.Template.TerminationDelay.Duration = shortDelay })
			s.breakPod("duo-a-0-0")
			s.waitForAnEvent("duo", v1alpha1.ReasonGangTerminated, "gang unit duo-0")
			if record := s.unitOf("web-0", "web-0"); record.BreachedSince != nil || record.Restarts > 0 {
				s.Errorf("%+v", record)
			}
			s.cordon("", false)
			s.waitUntilAvailable("web")
			s.mustKeep(before, s.podUIDs("web"))
			s.mustNotWarn("web")
		})).
		Feature()
}

// duoAll are all pods of a set that newDuo makes.
func duoAll(name string) []string {
	base0, scaled0 := duoPods(name, 0)
	base1, scaled1 := duoPods(name, 1)
	return slices.Concat(base0, scaled0, base1, scaled1)
}

// BreachesOfNodes checks what becomes of units whose nodes are gone, and that of one that never had its place nothing becomes.
func BreachesOfNodes() types.Feature {
	base, scaled := append(podNames("ml-a-0", 1), podNames("ml-b-0-0", 2)...), podNames("ml-b-0-1", 2)
	var waiting map[string]apitypes.UID
	return features.New("breaches by loss of nodes").
		Setup(step(func(s *scope) {
			s.addNodes(zone, rack, 5)
			set := s.onOwnNodes(newSet("ml", 1, newClique("a", 1, 1), newClique("b", 2, 2)))
			set.Spec.Template.PodCliqueScalingGroups = []v1alpha1.PodCliqueScalingGroupConfig{newGroup("x", 2, 1, "b")}
			set.Spec.Template.TerminationDelay = &metav1.Duration{Duration: shortDelay}
			s.create(set)
			s.waitForBound(base, scaled)
			s.waitUntilAvailable("ml")
			big := s.onOwnNodes(newSet("big", 1, newClique("w", 3, 3)))
			big.Spec.Template.TerminationDelay = &metav1.Duration{Duration: time.Second}
			s.create(big)
			s.waitForCondition("big-0", v1alpha1.ConditionScheduled, metav1.ConditionFalse, says)
			waiting = s.podUIDs("big")
		})).
		Assess("a scaled group replica that is lost whole is placed anew whole, and the base works on", step(func(s *scope) {
			before := s.podUIDs("ml")
			for _, pod := range scaled {
				delete(before, pod)
			}
			s.deleteNodesOf(scaled...)
			s.waitForSet("ml", "the loss of a scaled unit", func(set *v1alpha1.PodCliqueSet) string {
				degraded := meta.FindStatusCondition(set.Status.Conditions, v1alpha1.ConditionDegraded)
				if degraded.Status == metav1.ConditionFalse && strings.HasPrefix(degraded.Message, "every replica has its minimum; ml-b-0-1: ") {
					return ""
				}
				return fmt.Sprintf("%+v", degraded)
			})
			s.waitForAnEvent("ml", v1alpha1.ReasonGangTerminated, "gang unit ml-0-x-1 was below its minimum")
			s.addNodes(zone, rack, 1)
			s.waitForCondition("ml-0", v1alpha1.ConditionScaledGroupsScheduled, metav1.ConditionFalse, says)
			s.waitForBound(base)
			s.addNodes(zone, rack, 1)
			s.waitForBound(base, scaled)
			s.waitUntilAvailable("ml")
			s.mustKeep(before, s.podUIDs("ml"))
			if record := s.unitOf("ml-0", "ml-0-x-1"); record.Restarts != 1 {
				s.Errorf("%+v", record)
			}
			if record := s.unitOf("ml-0", "ml-0"); record.Restarts != 0 || record.BreachedSince != nil {
				s.Errorf("%+v", record)
			}
		})).
		Assess("one that never was scheduled is left alone", step(func(s *scope) {
			s.mustKeep(waiting, s.podUIDs("big"))
			if record := s.unitOf("big-0", "big-0"); record.Restarts != 0 || record.BreachedSince != nil || record.TerminatedAt != nil {
				s.Errorf("%+v", record)
			}
			s.mustNotWarn("big")
		})).
		Feature()
}

// HalfGang checks that a gang which loses the node of one half waits as a whole once it is terminated, and is placed as a whole.
func HalfGang() types.Feature {
	all := podNames("ml-w-0", 4)
	return features.New("a node with half a gang").
		Assess("is lost, and the gang moves together", step(func(s *scope) {
			s.addRooms(zone, rack, 2, 2)
			set := s.onOwnNodes(newSet("ml", 1, newClique("w", 4, 4)))
			set.Spec.Template.TerminationDelay = &metav1.Duration{Duration: shortDelay}
			s.create(set)
			before := s.waitForPods("ml", all)
			s.waitUntilAvailable("ml")
			s.deleteNodesOf(all[0])
			s.waitForDegraded("ml", "ml-w-0: 2 of 4 pods available, at least 4 needed", "unless 2 more pods are available by then")
			s.waitForBound(nil)
			s.waitForAnEvent("ml", v1alpha1.ReasonGangTerminated, "gang unit ml-0 was below its minimum")
			s.addRooms(zone, rack, 1, 2)
			s.waitForSuccessors("ml", before, all...)
			s.mustHaveRestarts("ml", 1)
		})).
		Feature()
}

// deleteNodesOf deletes the nodes of pods, at once.
func (s *scope) deleteNodesOf(pods ...string) {
	s.Helper()
	for _, pod := range pods {
		if err := s.core.CoreV1().Nodes().Delete(s.ctx, s.pod(pod).Spec.NodeName, metav1.DeleteOptions{}); err != nil {
			s.Fatal(err)
		}
	}
}
