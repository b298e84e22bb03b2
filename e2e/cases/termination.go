package cases

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apitypes "k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/e2e/cluster"
)

// shortDelay is a terminationDelay that a test waits for, and longDelay one that doesn't pass during a test.
const (
	shortDelay = 4 * time.Second
	longDelay  = time.Hour
)

// newDuo is a set of 2 replicas, each of a clique of 2 pods that are both needed, and of a scaling group of 2 of which 1 is needed.
func newDuo(name string, delay time.Duration) *v1alpha1.PodCliqueSet {
	set := newSet(name, 2, newClique("a", 2, 2), newClique("b", 1, 1))
	set.Spec.Template.PodCliqueScalingGroups = []v1alpha1.PodCliqueScalingGroupConfig{newGroup("x", 2, 1, "b")}
	set.Spec.Template.TerminationDelay = &metav1.Duration{Duration: delay}
	return set
}

// duoPods are the names of the pods of one of its replicas: those of the base unit, and that of the scaled one.
func duoPods(name string, i int) (base, scaled []string) {
	return append(podNames(fmt.Sprintf("%s-a-%d", name, i), 2), podNames(fmt.Sprintf("%s-b-%d-0", name, i), 1)...), podNames(fmt.Sprintf("%s-b-%d-1", name, i), 1)
}

// breakPod makes a pod's container unready that was ready, and mendPod makes it ready again.
func (s *scope) breakPod(pod string) { s.setContainerReady(pod, false) }
func (s *scope) mendPod(pod string)  { s.setContainerReady(pod, true) }

func (s *scope) setContainerReady(pod string, ready bool) {
	s.Helper()
	s.patch(pods, pod, fmt.Sprintf(`{"status": %s}`, readiness(ready)), "status")
}

// readiness is a pod's status whose container runs and is ready, or isn't.
func readiness(ready bool) string {
	condition := metav1.ConditionFalse
	if ready {
		condition = metav1.ConditionTrue
	}
	return fmt.Sprintf(`{"conditions": [{"type": "Ready", "status": %q}],
		"containerStatuses": [{"name": "main", "image": "none", "imageID": "", "ready": %t, "started": true, "restartCount": 0, "state": {"running": {}}}]}`, condition, ready)
}

// waitForSuccessors waits until the pods of a set are ready and none of those named is the one from before, and checks that all others are.
func (s *scope) waitForSuccessors(set string, before map[string]apitypes.UID, names ...string) map[string]apitypes.UID {
	s.Helper()
	all := make([]string, 0, len(before))
	for name := range before {
		all = append(all, name)
	}
	s.eventually(fmt.Sprintf("successors of pods %v", names), func() (string, error) {
		now, err := s.podsOf(set)
		if err != nil {
			return "", err
		}
		var missing []string
		successors := map[string]bool{}
		for i := range now {
			successors[now[i].Name] = now[i].DeletionTimestamp == nil && now[i].UID != before[now[i].Name]
		}
		for _, name := range names {
			if !successors[name] {
				missing = append(missing, name)
			}
		}
		if len(missing) == 0 {
			return "", nil
		}
		return "missing: " + strings.Join(missing, ", "), nil
	})
	after := s.waitForPods(set, all)
	kept := maps.Clone(before)
	for _, name := range names {
		delete(kept, name)
	}
	s.mustKeep(kept, after)
	return after
}

// waitForDegraded waits until a set says that it has lost what it had, in words that contain all texts.
func (s *scope) waitForDegraded(name string, texts ...string) {
	s.Helper()
	s.waitForSet(name, "Degraded", func(set *v1alpha1.PodCliqueSet) string {
		condition := meta.FindStatusCondition(set.Status.Conditions, v1alpha1.ConditionDegraded)
		if condition == nil || condition.Status != metav1.ConditionTrue || set.Status.Phase != v1alpha1.PodCliqueSetDegraded {
			return fmt.Sprintf("phase %s, %+v", set.Status.Phase, condition)
		}
		for _, text := range texts {
			if !strings.Contains(condition.Message, text) {
				return fmt.Sprintf("%q isn't in %q", text, condition.Message)
			}
		}
		return ""
	})
}

// mustHaveRestarts fails the test unless a set says of its replicas how often they were terminated.
func (s *scope) mustHaveRestarts(name string, want ...int32) {
	s.Helper()
	set := s.waitUntilAvailable(name)
	for i, summary := range set.Status.PodGangStatuses {
		if summary.Restarts != want[i] {
			s.Errorf("%s has %d restarts, want %d", summary.Name, summary.Restarts, want[i])
		}
	}
}

// Termination checks when the pods of a gang unit are replaced together.
func Termination() types.Feature {
	base0, scaled0 := duoPods("duo", 0)
	base1, scaled1 := duoPods("duo", 1)
	var before map[string]apitypes.UID
	return features.New("gang termination").
		Setup(step(func(s *scope) {
			s.create(newDuo("duo", shortDelay))
			before = s.waitForPods("duo", base0, scaled0, base1, scaled1)
			s.waitUntilAvailable("duo")
		})).
		Assess("a replica below its minimum for the whole delay is placed anew, and no other", step(func(s *scope) {
			s.breakPod("duo-a-0-1")
			s.waitForDegraded("duo", "duo-a-0: 1 of 2 pods available, at least 2 needed, since", "duo-0 is terminated, and placed anew, at", "unless 1 more pod is available by then")
			before = s.waitForSuccessors("duo", before, append(base0, scaled0...)...)
			s.mustHaveRestarts("duo", 1, 0)
			s.waitForEvent("duo", v1alpha1.ReasonGangTerminated, "gang unit duo-0 was below its minimum")
			s.waitForEvent("duo-0", v1alpha1.ReasonGangTerminated, "gang unit duo-0 was below its minimum")
		})).
		Assess("a scaled unit is placed anew alone", step(func(s *scope) {
			s.breakPod("duo-b-1-1-0")
			before = s.waitForSuccessors("duo", before, scaled1...)
			s.mustHaveRestarts("duo", 1, 0)
		})).
		Assess("what heals in time stays", step(func(s *scope) {
			s.breakPod("duo-a-0-0")
			s.waitForDegraded("duo", "gang unit duo-0")
			s.mendPod("duo-a-0-0")
			s.waitUntilAvailable("duo")
			// By the time that a unit is terminated which broke later, the first's deadline has passed.
			s.breakPod("duo-a-1-0")
			before = s.waitForSuccessors("duo", before, append(base1, scaled1...)...)
			s.mustHaveRestarts("duo", 1, 1)
		})).
		Assess("what somebody scaled stays scaled", step(func(s *scope) {
			s.mustKubectl("scale", "podcliquescalinggroup/duo-x", "--replicas=3")
			third := podNames("duo-b-0-2", 1)
			before = s.waitForPods("duo", base0, scaled0, third, base1, scaled1, podNames("duo-b-1-2", 1))
			s.waitUntilAvailable("duo")
			s.breakPod("duo-b-0-0-0")
			before = s.waitForSuccessors("duo", before, append(append(base0, scaled0...), third...)...)
			s.mustHaveRestarts("duo", 2, 1)
		})).
		Feature()
}

// TerminationAfterRestart checks that an operator that starts anew after it was killed neither forgets nor repeats a termination, and that a delay edited during
// a breach holds.
func TerminationAfterRestart() types.Feature {
	base0, scaled0 := duoPods("duo", 0)
	base1, scaled1 := duoPods("duo", 1)
	return features.New("gang termination after the operator was killed").
		Assess("goes on where the first was", step(func(s *scope) {
			operator := s.startOperator()
			s.create(newDuo("duo", longDelay))
			before := s.waitForPods("duo", base0, scaled0, base1, scaled1)
			s.waitUntilAvailable("duo")
			s.breakPod("duo-a-0-1")
			s.waitForDegraded("duo", "gang unit duo-0")
			s.kill(operator)
			operator = s.startOperator()
			s.change("duo", func(set *v1alpha1.PodCliqueSet) { set.Spec.Template.TerminationDelay.Duration = time.Second })
			before = s.waitForSuccessors("duo", before, append(base0, scaled0...)...)
			s.mustHaveRestarts("duo", 1, 0)
			s.kill(operator)
			operator = s.startOperator()
			s.breakPod("duo-b-1-1-0")
			s.waitForSuccessors("duo", before, scaled1...)
			s.mustHaveRestarts("duo", 1, 0)
			s.stop(operator)
		})).
		Feature()
}

// RestartPolicy checks which pods a restartPolicy recreates together.
func RestartPolicy() types.Feature {
	return features.New("restart policy").
		Assess("of a scaling group", step(func(s *scope) {
			set := newDuo("ranks", longDelay)
			set.Spec.Template.PodCliqueScalingGroups[0].CliqueNames = []string{"a", "b"}
			set.Spec.Template.PodCliqueScalingGroups[0].RestartPolicy = v1alpha1.RestartPolicyRecreateGroup
			s.create(set)
			var all []string
			for i := range 2 {
				for g := range 2 {
					all = append(append(all, podNames(fmt.Sprintf("ranks-a-%d-%d", i, g), 2)...), podNames(fmt.Sprintf("ranks-b-%d-%d", i, g), 1)...)
				}
			}
			before := s.waitForPods("ranks", all)
			s.waitUntilAvailable("ranks")
			for _, step := range []struct {
				lose  func()
				slice string
			}{
				{func() { s.patch(pods, "ranks-a-0-0-1", `{"status": {"phase": "Failed"}}`, "status") }, "0-0"},
				{func() { s.delete(pods, "ranks-b-1-0-0", metav1.DeleteOptions{}) }, "1-0"},
				{func() { s.delete(pods, "ranks-a-0-1-0", metav1.DeleteOptions{GracePeriodSeconds: new(int64)}) }, "0-1"},
			} {
				step.lose()
				before = s.waitForSuccessors("ranks", before, "ranks-a-"+step.slice+"-0", "ranks-a-"+step.slice+"-1", "ranks-b-"+step.slice+"-0")
			}
			s.mustHaveRestarts("ranks", 0, 0)
		})).
		Assess("of a clique", step(func(s *scope) {
			set := newDuo("slices", longDelay)
			set.Spec.Template.Cliques[0].Spec.RestartPolicy = v1alpha1.RestartPolicyRecreateGroup
			s.create(set)
			base0, scaled0 := duoPods("slices", 0)
			base1, scaled1 := duoPods("slices", 1)
			before := s.waitForPods("slices", base0, scaled0, base1, scaled1)
			s.waitUntilAvailable("slices")
			s.patch(pods, "slices-a-0-1", `{"status": {"phase": "Failed"}}`, "status")
			before = s.waitForSuccessors("slices", before, podNames("slices-a-0", 2)...)
			s.patch(pods, "slices-b-0-0-0", `{"status": {"phase": "Failed"}}`, "status")
			s.waitForSuccessors("slices", before, "slices-b-0-0-0")
		})).
		Feature()
}

// Relocation checks that a gang whose rack has no place for a lost pod moves to another as a whole, that it is terminated once although there
// is none, and that a gang that never was available is left alone.
func Relocation() types.Feature {
	all := podNames("ml-w-0", 2)
	var first string
	return features.New("gang termination and capacity").
		Assess("a rack that is full is left for another", step(func(s *scope) {
			s.addNodes(zone, "rack-a", 2)
			s.addNodes(zone, "rack-b", 2)
			set := s.onOwnNodes(newSet("ml", 1, newClique("w", 2, 2)))
			set.Spec.Template.SchedulingPolicyConfig = packed(cluster.LabelRack, "w")
			set.Spec.Template.TerminationDelay = &metav1.Duration{Duration: shortDelay}
			s.create(set)
			first = s.mustShare(cluster.LabelRack, s.waitForBound(all), all)
			before := s.waitForPods("ml", all)
			s.waitUntilAvailable("ml")
			s.cordon(first, true)
			s.delete(pods, "ml-w-0-1", metav1.DeleteOptions{})
			s.waitForDegraded("ml", "ml-w-0: 1 of 2 pods available")
			s.waitForSuccessors("ml", before, all...)
			if now := s.mustShare(cluster.LabelRack, s.waitForBound(all), all); now == first {
				s.Errorf("the gang is in %s still", now)
			}
			s.mustHaveRestarts("ml", 1)
		})).
		Assess("without a place, it waits as a whole, has failed in the end, and comes back", step(func(s *scope) {
			s.cordon("", true)
			s.breakPod("ml-w-0-0")
			s.waitForBound(nil)
			s.waitForSet("ml", "Failed", func(set *v1alpha1.PodCliqueSet) string {
				if set.Status.Phase == v1alpha1.PodCliqueSetFailed {
					return ""
				}
				return "phase " + string(set.Status.Phase)
			})
			s.cordon("", false)
			s.waitForPods("ml", all)
			s.mustHaveRestarts("ml", 2)
		})).
		Feature()
}

// cordon says of the nodes of the case in a rack, or of all, whether pods may come to them.
func (s *scope) cordon(rack string, unschedulable bool) {
	s.Helper()
	selector := labelTest + "=" + s.namespace
	if rack != "" {
		selector += "," + cluster.LabelRack + "=" + rack
	}
	command := "uncordon"
	if unschedulable {
		command = "cordon"
	}
	s.mustKubectl(command, "--selector="+selector)
}
