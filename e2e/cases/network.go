package cases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Network checks what containers see of their set: each other, before they are ready, and who they are.
func Network() types.Feature {
	set := inGroup(newSet("net", 2, newRealClique("router", 1, 1, untilTold), newRealClique("lead", 1, 1, untilTold), newRealClique("worker", 2, 2, untilTold)), "lead", "worker")
	var all []string
	for i := range 2 {
		all = append(all, podNames(fmt.Sprintf("net-router-%d", i), 1)...)
		for g := range 2 {
			all = append(all, podNames(fmt.Sprintf("net-lead-%d-%d", i, g), 1)...)
			all = append(all, podNames(fmt.Sprintf("net-worker-%d-%d", i, g), 2)...)
		}
	}
	return features.New("network").
		Assess("every pod finds every other before any is ready", step(func(s *scope) {
			s.apply(set)
			s.waitUntilStarted(all)
			var hosts []string
			for _, pod := range all {
				hosts = append(hosts, pod+".net-headless")
			}
			for _, pod := range all {
				s.exec(pod, "-lookup="+strings.Join(hosts, ","))
			}
			s.waitForSet("net", "nothing is ready", func(set *v1alpha1.PodCliqueSet) string {
				if set.Status.AvailableReplicas == 0 && set.Status.Phase == v1alpha1.PodCliqueSetScheduling {
					return ""
				}
				return fmt.Sprintf("%+v", set.Status)
			})
		})).
		Assess("a container knows who it is", step(func(s *scope) {
			s.checkEnvironment("net-router-1-0",
				"GROVE_HEADLESS_SERVICE=net-headless."+s.namespace+".svc",
				"GROVE_PCLQ_NAME=net-router-1", "GROVE_PCLQ_POD_INDEX=0", "GROVE_PCS_INDEX=1", "GROVE_PCS_NAME=net",
				"GROVE_POD_ADDRESS=net-router-1-0.net-headless."+s.namespace+".svc")
			s.checkEnvironment("net-worker-0-1-1",
				"GROVE_HEADLESS_SERVICE=net-headless."+s.namespace+".svc",
				"GROVE_LEADER_ADDRESS=net-lead-0-1-0.net-headless."+s.namespace+".svc",
				"GROVE_PCLQ_NAME=net-worker-0", "GROVE_PCLQ_POD_INDEX=1", "GROVE_PCSG_INDEX=1", "GROVE_PCSG_NAME=net-g",
				"GROVE_PCSG_POD_INDEX=2", "GROVE_PCSG_TEMPLATE_NUM_PODS=3", "GROVE_PCS_INDEX=0", "GROVE_PCS_NAME=net",
				"GROVE_POD_ADDRESS=net-worker-0-1-1.net-headless."+s.namespace+".svc")
		})).
		Feature()
}

// inGroup puts cliques of a set into a scaling group g of two replicas.
func inGroup(set *v1alpha1.PodCliqueSet, cliques ...string) *v1alpha1.PodCliqueSet {
	set.Spec.Template.PodCliqueScalingGroups = []v1alpha1.PodCliqueScalingGroupConfig{newGroup("g", 2, 1, cliques...)}
	return set
}

// checkEnvironment compares the variables that Grove sets, as a container sees them.
func (s *scope) checkEnvironment(pod string, want ...string) {
	s.Helper()
	var got []string
	for line := range strings.Lines(s.exec(pod, "-env")) {
		if strings.HasPrefix(line, "GROVE_") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("environment of %s (-want +got):\n%s", pod, diff)
	}
}

// Leaders checks that workers find the leader of their own group replica, and leaders themselves, by the addresses that Grove tells them.
func Leaders() types.Feature {
	const leader, self = "http://$(GROVE_LEADER_ADDRESS):8080/name", "http://$(GROVE_POD_ADDRESS):8080/name"
	return features.New("leaders").
		Assess("are found by their workers", step(func(s *scope) {
			s.apply(inGroup(newSet("ring", 2, newRealClique("lead", 1, 1, "-call="+self), newRealClique("worker", 2, 2, "-call="+leader)), "lead", "worker"))
			s.waitUntilAvailable("ring")
			for i := range 2 {
				for g := range 2 {
					lead := fmt.Sprintf("ring-lead-%d-%d-0", i, g)
					s.waitForContainerLog(lead, mainContainer, "called "+lead+"\n")
					for _, pod := range podNames(fmt.Sprintf("ring-worker-%d-%d", i, g), 2) {
						s.waitForContainerLog(pod, mainContainer, "called "+lead+"\n")
					}
				}
			}
		})).
		Feature()
}
