package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
)

// randomTopology adds what a set may ask of the places of its pods.
func randomTopology(random *rand.Rand, set *v1alpha1.PodCliqueSet) {
	hard := func() corev1.UnsatisfiableConstraintAction {
		return pick(random, []corev1.UnsatisfiableConstraintAction{corev1.DoNotSchedule, corev1.ScheduleAnyway})
	}
	if random.IntN(2) == 0 {
		set.Spec.ReplicaSpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: hard()}}
	}
	policy := &v1alpha1.SchedulingPolicyConfig{}
	free := set.Spec.Template.Cliques
	for range random.IntN(3) {
		size := random.IntN(len(free) + 1)
		if size == 0 {
			continue
		}
		group := v1alpha1.NetworkPackGroupConfig{TopologyKey: pick(random, []string{"", "rack", "zone"}), WhenUnsatisfiable: hard()}
		for _, clique := range free[:size] {
			group.CliqueNames = append(group.CliqueNames, clique.Name)
		}
		policy.NetworkPackGroups = append(policy.NetworkPackGroups, group)
		free = free[size:]
	}
	set.Spec.Template.SchedulingPolicyConfig = policy
}

func randomScheduling(random *rand.Rand) Scheduling {
	s := Scheduling{NetworkTopologyKey: "rack", Gangs: random.IntN(4) > 0}
	s.Topology = s.Gangs && random.IntN(3) > 0
	s.Composite = s.Topology && random.IntN(2) > 0
	return s
}

// observedGangs are the gangs of a set whose pods all exist.
func observedGangs(observed Set, s Scheduling) []Gang {
	all := cliques(observed, nil)
	var gangs []Gang
	for _, podGang := range observed.PodGangs {
		gang := Gang{Object: podGang, Set: observed.Object, Scheduling: s}
		for _, clique := range all {
			if PodGangOf(clique.Object) == podGang.Name {
				clique.Scheduling = s
				clique.Pods = allPods(clique)
				gang.Cliques = append(gang.Cliques, clique)
			}
		}
		gangs = append(gangs, gang)
	}
	return gangs
}

// Whatever a set asks for and the scheduler can do, the first pods of each slice name the one group that their unit's
// placement counts them in, no other pod names any, and a unit that lacks a pod isn't complete.
func TestPlacementsCountExactlyTheirPods(t *testing.T) {
	forRandomSets(t, func(t *testing.T, random *rand.Rand, set *v1alpha1.PodCliqueSet) {
		randomTopology(random, set)
		s := randomScheduling(random)
		for _, gang := range observedGangs(live(set, Set{Object: set}.Children()), s) {
			named := map[string]int32{}
			for name, pod := range gang.pods() {
				if group := schedulingGroupOf(pod); group != "" {
					named[group]++
				} else if s.Gangs && slices.ContainsFunc(unitsOf(gang.Object), func(u Unit) bool { return inUnit(u, name) }) {
					t.Errorf("pod %s is in a unit, and names no group", name)
				}
			}
			for _, p := range gang.Placements() {
				var pods int32
				for _, group := range p.Groups {
					if named[group.Name] != group.Pods {
						t.Errorf("group %s of %d pods is named by %d", group.Name, group.Pods, named[group.Name])
					}
					pods += group.Pods
					delete(named, group.Name)
				}
				if want := unitSize(p.Unit); s.Gangs && pods != want {
					t.Errorf("unit %s has %d pods; want %d", p.Name, pods, want)
				}
				if !p.Complete {
					t.Errorf("unit %s isn't complete while all of its pods exist", p.Name)
				}
			}
			if len(named) > 0 {
				t.Errorf("groups that pods name and no unit has: %v", named)
			}
			mustNotBeCompleteWithoutAnyPod(t, gang)
		}
	})
}

func mustNotBeCompleteWithoutAnyPod(t *testing.T, gang Gang) {
	t.Helper()
	for i := range gang.Cliques {
		all := gang.Cliques[i].Pods
		for j, lost := range all {
			gang.Cliques[i].Pods = slices.Delete(slices.Clone(all), j, j+1)
			for _, p := range gang.Placements() {
				if complete := !inUnit(p.Unit, lost.Name); p.Complete != complete {
					t.Errorf("unit %s complete: %t without pod %s", p.Name, p.Complete, lost.Name)
				}
			}
		}
		gang.Cliques[i].Pods = all
	}
}

func inUnit(u Unit, pod string) bool {
	for _, slice := range u.Slices {
		for n := range slice.MinReplicas {
			if PodName(slice.Name, n) == pod {
				return true
			}
		}
	}
	return false
}

func unitSize(u Unit) int32 {
	var size int32
	for _, slice := range u.Slices {
		size += slice.MinReplicas
	}
	return size
}

// Pods are created in the order base, scaled units, surplus, each as soon as what it waits for is scheduled, and in the end all.
func TestPodsWaitForTheirTurn(t *testing.T) {
	forRandomSets(t, func(t *testing.T, _ *rand.Rand, set *v1alpha1.PodCliqueSet) {
		observed := live(set, Set{Object: set}.Children())
		for _, gang := range observedGangs(observed, everything) {
			base := unitsOf(gang.Object)
			if len(base) == 0 || !base[0].Base {
				continue
			}
			for i := range gang.Cliques {
				gang.Cliques[i].Pods = nil
				gang.Cliques[i].Gang = gang.Object
			}
			allowed := map[string]bool{}
			for _, u := range base {
				for _, slice := range u.Slices {
					for n := range slice.MinReplicas {
						allowed[PodName(slice.Name, n)] = u.Base
					}
				}
			}
			for _, clique := range gang.Cliques {
				for _, pod := range clique.PodActions().Create {
					if !allowed[*pod.Config.Name] {
						t.Errorf("pod %s is created before its base unit is scheduled", *pod.Config.Name)
					}
				}
			}
			mustCreateScaledThenSurplus(t, gang)
		}
	})
}

func mustCreateScaledThenSurplus(t *testing.T, gang Gang) {
	t.Helper()
	scheduledBase := gang.Object.DeepCopy()
	for _, slice := range gang.Object.Spec.PodGroups {
		scheduledBase.Status.PodGroups = append(scheduledBase.Status.PodGroups, v1alpha1.PodGroupStatus{Name: slice.Name, Scheduled: slice.MinReplicas})
	}
	scaled := len(gang.Object.Spec.ScaledGroups) > 0
	if got, want := ReleaseOf(scheduledBase), (Release{Scaled: true, Surplus: !scaled}); got != want {
		t.Errorf("a scheduled base unit releases %+v; want %+v", got, want)
	}
	created := 0
	for _, clique := range gang.Cliques {
		clique.Gang = scheduledBase
		for _, pod := range clique.PodActions().Create {
			if scaled && pod.membership.surplus {
				t.Errorf("surplus pod %s is created before every unit is scheduled", *pod.Config.Name)
			}
		}
		clique.Gang = scheduledGang(gang.Object)
		created += len(clique.PodActions().Create)
		if len(clique.PodActions().Create) != len(clique.podIdentities()) {
			t.Errorf("of %s, %d of %d pods are created once every unit is scheduled", clique.Object.Name, len(clique.PodActions().Create), len(clique.podIdentities()))
		}
	}
	if created == 0 {
		t.Error("nothing was created")
	}
}

func TestLostPodsComeBackAtOnce(t *testing.T) {
	clique := cliqueNamed(t, workers(), "train-worker-0", allPods)
	clique.Gang.Status = v1alpha1.PodGangStatus{}
	clique.Pods = slices.Delete(clique.Pods, 3, 4) // of the scaled unit, whose other pod is there
	var got []string
	for _, pod := range clique.PodActions().Create {
		got = append(got, *pod.Config.Name)
	}
	if diff := cmp.Diff([]string{"train-worker-0-1-1"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestShape(t *testing.T) {
	zone := []corev1.TopologySpreadConstraint{{TopologyKey: "zone", WhenUnsatisfiable: corev1.DoNotSchedule}}
	softZone := []corev1.TopologySpreadConstraint{{TopologyKey: "zone", WhenUnsatisfiable: corev1.ScheduleAnyway}}
	group := func(key string, required bool, cliques ...string) pack {
		return pack{key: key, required: required, podCliques: cliques}
	}
	flat := Scheduling{Gangs: true, Topology: true}
	for name, test := range map[string]struct {
		topology
		Scheduling
		scaled bool
		want   string
		weaker string
	}{
		"nothing asked":                     {topology{}, everything, false, `one group ""`, ""},
		"spread":                            {topology{spread: zone}, everything, false, `one group "zone"`, ""},
		"spread, a scaled unit":             {topology{spread: zone}, everything, true, `one group ""`, ""},
		"spread, if possible":               {topology{spread: softZone}, everything, false, `one group ""`, ""},
		"spread, no topology":               {topology{spread: zone}, Scheduling{Gangs: true}, false, `one group ""`, "one zone for all"},
		"pack, if possible":                 {topology{packs: []pack{group("rack", false, "a", "b")}}, everything, false, `one group ""`, ""},
		"pack all":                          {topology{packs: []pack{group("rack", true, "a", "b")}}, flat, false, `one group "rack"`, ""},
		"pack all, a scaled unit of one":    {topology{packs: []pack{group("rack", true, "a")}}, flat, true, `one group "rack"`, ""},
		"pack others, a scaled unit":        {topology{packs: []pack{group("rack", true, "b")}}, everything, true, `one group ""`, ""},
		"pack some":                         {topology{packs: []pack{group("rack", true, "a")}}, everything, false, `"" over a: "rack"`, ""},
		"pack some, no composites":          {topology{packs: []pack{group("rack", true, "a")}}, flat, false, `one group ""`, "one rack for the pods of a"},
		"pack all and spread":               {topology{spread: zone, packs: []pack{group("rack", true, "a", "b")}}, everything, false, `"zone" over a b: "rack"`, ""},
		"pack all and spread, no composite": {topology{spread: zone, packs: []pack{group("rack", true, "a", "b")}}, flat, false, `one group "rack"`, "one zone for all"},
		"pack and spread over one key":      {topology{spread: zone, packs: []pack{group("zone", true, "a")}}, everything, false, `one group "zone"`, ""},
		"two packs":                         {topology{packs: []pack{group("rack", true, "a"), group("host", true, "b")}}, everything, false, `"" over a: "rack" b: "host"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			podCliques := []string{"a", "b"}
			if test.scaled {
				podCliques = podCliques[:1]
			}
			shape := test.shape(!test.scaled, podCliques, test.Scheduling)
			if diff := cmp.Diff(test.want, drawn(shape)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			weaker := test.topology.weaker(!test.scaled, podCliques, shape)
			if (test.weaker == "") != (len(weaker) == 0) || !strings.Contains(strings.Join(weaker, "; "), test.weaker) {
				t.Errorf("weaker: %q; want %q", weaker, test.weaker)
			}
		})
	}
}

// drawn writes a shape down.
func drawn(s shape) string {
	if !s.composite() {
		return fmt.Sprintf("one group %q", s.key)
	}
	text := fmt.Sprintf("%q over", s.key)
	for _, part := range s.parts {
		text += fmt.Sprintf(" %s: %q", strings.Join(part.podCliques, " "), part.key)
	}
	return text
}

func TestMirrored(t *testing.T) {
	got := mirrored(map[string]string{
		"kueue.x-k8s.io/queue-name": "q",
		"team":                      "a",
		"grove.io/anything":         "ours",
		v1alpha1.LabelManagedBy:     "helm",
		"kubectl.kubernetes.io/last-applied-configuration": "{}",
	})
	if diff := cmp.Diff(map[string]string{"kueue.x-k8s.io/queue-name": "q", "team": "a"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestGangSchedulingCondition(t *testing.T) {
	set := workers()
	observed := live(set, Set{Object: set}.Children())
	gangOf := func(s Scheduling) Gang {
		for _, gang := range observedGangs(observed, s) {
			if gang.Object.Name == "train-0" {
				return gang
			}
		}
		t.Fatal("no gang train-0")
		return Gang{}
	}
	lone := gangOf(Scheduling{})
	lone.Scheduling = everything
	for name, test := range map[string]struct {
		gang     Gang
		problems []Problem
		status   metav1.ConditionStatus
		reason   string
		message  string
	}{
		"enforced":            {gangOf(everything), nil, metav1.ConditionTrue, v1alpha1.ReasonEnforced, "all or nothing"},
		"not served":          {gangOf(Scheduling{Reason: v1alpha1.ReasonNotServed, Message: "why"}), nil, metav1.ConditionFalse, v1alpha1.ReasonNotServed, "why"},
		"pods without groups": {lone, nil, metav1.ConditionFalse, v1alpha1.ReasonSchedulingGroupMissing, "has no spec.schedulingGroup"},
		"a refused group": {gangOf(everything), []Problem{{Reason: v1alpha1.ReasonForbiddenChild, Message: "quota"}},
			metav1.ConditionFalse, v1alpha1.ReasonForbiddenChild, "quota"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, condition := range test.gang.Status(test.problems, someTime().Time).Conditions {
				if condition.Type != v1alpha1.ConditionGangScheduling {
					continue
				}
				if condition.Status != test.status || condition.Reason != test.reason || !strings.Contains(condition.Message, test.message) {
					t.Errorf("%+v; want %s, %s, %q", condition, test.status, test.reason, test.message)
				}
				return
			}
			t.Error("no such condition")
		})
	}
}
