package podclique_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/plan/podclique"
)

// What leads a pod to the domain that its replica is in, by what the scheduler can do: required of all but the first pod, which chooses. The
// others follow that pod alone, unless they are placed at one go, so that none may be the first in another domain.
func TestReplicasStayInTheirDomain(t *testing.T) {
	const first, worker, lead = "train-alone-0-0", "train-worker-0-0-1", "train-lead-0-0-0"
	flat := plan.Scheduling{Gangs: true, NetworkTopologyKey: "rack"}
	for name, test := range map[string]struct {
		scheduling plan.Scheduling
		mode       corev1.UnsatisfiableConstraintAction
		want       map[string]string
	}{
		"required, pods one by one": {plan.Scheduling{}, corev1.DoNotSchedule, map[string]string{
			first: "spread; prefers zone of gang", worker: "requires zone of lead", lead: "requires zone of lead"}},
		"preferred, pods one by one": {plan.Scheduling{}, corev1.ScheduleAnyway, map[string]string{
			first: "spread; prefers zone of gang", worker: "prefers zone of gang", lead: "prefers zone of gang"}},
		"required, gangs without topology": {flat, corev1.DoNotSchedule, map[string]string{
			first: "spread; prefers zone of gang", worker: "requires zone of gang", lead: "requires zone of gang"}},
		"required, gangs in a domain": {plantest.Everything, corev1.DoNotSchedule, map[string]string{first: "spread", worker: "", lead: ""}},
	} {
		t.Run(name, func(t *testing.T) {
			set := plantest.Workers()
			set.Spec.ReplicaSpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: test.mode}}
			got := map[string]string{}
			for _, clique := range plantest.Cliques(plantest.Observed(set), nil) {
				clique.Scheduling = test.scheduling
				for _, pod := range plantest.AllPods(podclique.Clique{Clique: clique.Clique}) {
					got[pod.Name] = placeOf(pod)
				}
			}
			for pod, want := range test.want {
				if got[pod] != want {
					t.Errorf("%s: %q, want %q", pod, got[pod], want)
				}
			}
		})
	}
}

// placeOf says what a pod asks of its place.
func placeOf(pod *corev1.Pod) string {
	var all []string
	if len(pod.Spec.TopologySpreadConstraints) > 0 {
		all = append(all, "spread")
	}
	of := func(term corev1.PodAffinityTerm) string {
		whom := "gang"
		if term.LabelSelector.MatchLabels[v1alpha1.LabelReplicaLead] == v1alpha1.ReplicaLead {
			whom = "lead"
		}
		return fmt.Sprintf("%s of %s", term.TopologyKey, whom)
	}
	if pod.Spec.Affinity != nil {
		for _, term := range pod.Spec.Affinity.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
			all = append(all, "requires "+of(term))
		}
		for _, term := range pod.Spec.Affinity.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
			all = append(all, "prefers "+of(term.PodAffinityTerm))
		}
	}
	return strings.Join(all, "; ")
}
