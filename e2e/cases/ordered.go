package cases

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/startup"
)

// OrderInOrder checks the order of real containers by what they say themselves, and what a pod waits for that comes back later.
func OrderInOrder() types.Feature {
	a, b, c := podNames("line-a-0", 2), podNames("line-b-0", 1), podNames("line-c-0", 1)
	return features.New("start in order").
		Assess("one clique after the other", step(func(s *scope) {
			s.apply(inOrder(newSet("line", 1,
				newRealClique("a", 2, 2, "-ready-after=1s"), newRealClique("b", 1, 1, "-ready-after=500ms"), newRealClique("c", 1, 1))))
			s.waitUntilAvailable("line")
			s.mustStartAfter(b, a)
			s.mustStartAfter(c, slices.Concat(a, b))
		})).
		Assess("a pod that comes back starts at once", step(func(s *scope) {
			s.comeBack(c[0])
			s.waitUntilReady(c)
			log, err := s.logOf(c[0], startup.ContainerName)
			if err != nil {
				s.Fatal(err)
			}
			if strings.Contains(log, "Waiting") {
				s.Errorf("%s waited though everything before it was ready; its init container's log:\n%s", c[0], log)
			}
			s.checkMentions("waited ", "describe", "pod", c[0])
		})).
		Assess("unless what it starts after is down", step(func(s *scope) {
			s.become(a[0], false)
			s.waitForCondition("line-0", v1alpha1.ConditionReady, metav1.ConditionFalse, "line-a-0: 1 of 2 pods ready")
			s.comeBack(c[0])
			s.waitForContainerLog(c[0], startup.ContainerName, "line-a-0: 1 of 2 pods ready")
			s.mustWait(c[0])
			s.become(a[0], true)
			s.waitUntilReady(c)
			s.waitUntilAvailable("line")
		})).
		Feature()
}

// comeBack deletes a pod, and returns once there is another of its name.
func (s *scope) comeBack(pod string) {
	s.Helper()
	was := s.get(pods, pod).GetUID()
	s.delete(pods, pod, metav1.DeleteOptions{})
	s.waitForReplacement(pods, pod, was)
}

// OrderDiamond checks a diamond whose cliques are listed in the reverse of their order.
func OrderDiamond() types.Feature {
	first, left, right, last := podNames("gem-first-0", 1), podNames("gem-left-0", 2), podNames("gem-right-0", 1), podNames("gem-last-0", 1)
	return features.New("start as a diamond").
		Assess("each after those that it names", step(func(s *scope) {
			s.apply(explicitly(newSet("gem", 1,
				newRealClique("last", 1, 1), newRealClique("right", 1, 1, "-ready-after=1s"), newRealClique("left", 2, 2), newRealClique("first", 1, 1, "-ready-after=1s")),
				map[string][]string{"last": {"right", "left"}, "right": {"first"}, "left": {"first"}}))
			s.waitUntilAvailable("gem")
			s.mustStartAfter(slices.Concat(left, right), first)
			s.mustStartAfter(last, slices.Concat(first, left, right))
		})).
		Feature()
}

// OrderInGroups checks that each replica of a scaling group is in order within itself, whatever the others do.
func OrderInGroups() types.Feature {
	lead, worker := []string{"team-lead-0-0-0", "team-lead-0-1-0"}, []string{"team-worker-0-0-0", "team-worker-0-1-0"}
	return features.New("start in a scaling group").
		Assess("a scaled replica doesn't wait for its sibling", step(func(s *scope) {
			set := inOrder(newSet("team", 1, newRealClique("lead", 1, 1, untilTold), newRealClique("worker", 1, 1)))
			set.Spec.Template.PodCliqueScalingGroups = []v1alpha1.PodCliqueScalingGroupConfig{newGroup("g", 2, 1, "lead", "worker")}
			s.apply(set)
			s.waitUntilStarted(lead)
			s.become(lead[1], true)
			s.waitUntilReady(worker[1:])
			s.mustStartAfter(worker[1:], lead[1:])
			s.waitForContainerLog(worker[0], startup.ContainerName, "team-lead-0-0: 0 of 1 pods ready")
			s.mustWait(worker[0])
		})).
		Assess("nor the other way round", step(func(s *scope) {
			s.become(lead[0], true)
			s.waitUntilReady(worker)
			s.mustStartAfter(worker[:1], lead[:1])
			s.waitUntilAvailable("team")
		})).
		Feature()
}

// OrderThroughGroups checks a chain that leaves a scaling group and comes back to it.
func OrderThroughGroups() types.Feature {
	load, cache, serve := podNames("chain-load-0-0", 1), podNames("chain-cache-0", 1), podNames("chain-serve-0-0", 1)
	return features.New("start through a scaling group").
		Assess("member, standalone, member", step(func(s *scope) {
			set := explicitly(newSet("chain", 1, newRealClique("serve", 1, 1), newRealClique("cache", 1, 1, "-ready-after=1s"), newRealClique("load", 1, 1, "-ready-after=1s")),
				map[string][]string{"serve": {"cache"}, "cache": {"load"}})
			set.Spec.Template.PodCliqueScalingGroups = []v1alpha1.PodCliqueScalingGroupConfig{newGroup("g", 1, 1, "load", "serve")}
			s.apply(set)
			s.waitUntilAvailable("chain")
			s.mustStartAfter(cache, load)
			s.mustStartAfter(serve, slices.Concat(load, cache))
		})).
		Feature()
}

// OrderStuck checks what users see of a pod that waits for one that never gets ready.
func OrderStuck() types.Feature {
	const reason = "stuck-first-0: 0 of 1 pods ready"
	return features.New("start after what never gets ready").
		Assess("is told where users look", step(func(s *scope) {
			s.apply(inOrder(newSet("stuck", 1, newRealClique("first", 1, 1, untilTold), newRealClique("second", 1, 1))))
			s.waitUntilStarted(podNames("stuck-first-0", 1))
			s.waitForContainerLog("stuck-second-0-0", startup.ContainerName, reason)
			s.waitForCondition("stuck-0", v1alpha1.ConditionReady, metav1.ConditionFalse, reason)
			s.waitForSet("stuck", "says what it waits for", func(set *v1alpha1.PodCliqueSet) string {
				available := meta.FindStatusCondition(set.Status.Conditions, v1alpha1.ConditionAvailable)
				if available != nil && available.Status == metav1.ConditionFalse && strings.Contains(available.Message, reason) {
					return ""
				}
				return fmt.Sprintf("%+v", set.Status.Conditions)
			})
			s.mustWait("stuck-second-0-0")
			s.checkMentions("Init:0/1", "get", "pod", "stuck-second-0-0")
		})).
		Feature()
}
