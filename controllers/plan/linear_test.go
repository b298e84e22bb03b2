package plan_test

import (
	"fmt"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/plan/podclique"
)

// replicated is a set of a standalone clique of 1 pod and a scaling group of one clique of 2 pods, some replicas of each.
func replicated(replicas, groupReplicas int32) *v1alpha1.PodCliqueSet {
	clique := func(name string, replicas int32) v1alpha1.PodCliqueTemplateSpec {
		return v1alpha1.PodCliqueTemplateSpec{Name: name, Spec: v1alpha1.PodCliqueSpec{Replicas: &replicas, PodSpec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "main", Image: "image", Env: []corev1.EnvVar{{Name: "OWN", Value: "1"}}}},
		}}}
	}
	return &v1alpha1.PodCliqueSet{
		ObjectMeta: metav1.ObjectMeta{Name: "train", Namespace: "ns", UID: "set", Generation: 1},
		Spec: v1alpha1.PodCliqueSetSpec{Replicas: replicas, Template: v1alpha1.PodCliqueSetTemplateSpec{
			Cliques: []v1alpha1.PodCliqueTemplateSpec{clique("alone", 1), clique("worker", 2)},
			PodCliqueScalingGroups: []v1alpha1.PodCliqueScalingGroupConfig{{
				Name: "group",
				PodCliqueScalingGroupSpec: v1alpha1.PodCliqueScalingGroupSpec{
					CliqueNames: []string{"worker"}, Replicas: &groupReplicas, MinAvailable: ptr.To[int32](1),
				},
			}},
		}},
	}
}

// sizes are how many replicas of a set, or group replicas of a replica, there are.
var sizes = []int32{10, 100, 1000}

// settled are the worlds of a set that is up, made once for each size: one set of so many replicas, and one of one replica with so many group replicas.
var settledSets, settledGroups = worlds(func(n int32) *v1alpha1.PodCliqueSet { return replicated(n, 1) }),
	worlds(func(n int32) *v1alpha1.PodCliqueSet { return replicated(1, n) })

func worlds(of func(n int32) *v1alpha1.PodCliqueSet) map[int32]func() *plantest.World {
	all := map[int32]func() *plantest.World{}
	for _, n := range sizes {
		all[n] = sync.OnceValue(func() *plantest.World {
			w := plantest.NewWorld(of(n), plantest.Ready)
			w.Settle()
			w.Settle() // by what those said that were described before what they depend on
			return w
		})
	}
	return all
}

// planned is something that is planned for each change of a set that is up, with n replicas or n group replicas.
type planned struct {
	name    string
	prepare func(n int32) (plan func())
}

var everythingPlanned = []planned{
	{"set/children", func(n int32) func() {
		w := settledSets[n]()
		return func() { w.Children() }
	}},
	{"set/removals", func(n int32) func() {
		w := settledSets[n]()
		return func() { w.Removals() }
	}},
	{"set/status", func(n int32) func() {
		w := settledSets[n]()
		return func() { w.Status(plantest.Applied(w.Object), true, plantest.Now) }
	}},
	{"set/groups/children", func(n int32) func() {
		w := settledGroups[n]()
		return func() { w.Children() }
	}},
	{"set/groups/status", func(n int32) func() {
		w := settledGroups[n]()
		return func() { w.Status(plantest.Applied(w.Object), true, plantest.Now) }
	}},
	{"scalinggroup/status", func(n int32) func() {
		group := settledSets[n]().ScalingGroup("train-group")
		return func() { group.Status(plantest.Now) }
	}},
	{"scalinggroup/groups/status", func(n int32) func() {
		group := settledGroups[n]().ScalingGroup("train-group")
		return func() { group.Status(plantest.Now) }
	}},
	{"podgang/groups/placements", func(n int32) func() {
		gang := settledGroups[n]().Gang("train-0")
		return func() { gang.Placements() }
	}},
	{"podgang/groups/replacements", func(n int32) func() {
		gang := settledGroups[n]().Gang("train-0")
		return func() { gang.Replacements() }
	}},
	{"podgang/groups/status", func(n int32) func() {
		gang := settledGroups[n]().Gang("train-0")
		return func() { gang.Status(plantest.Applied(gang.Object()), plantest.Now) }
	}},
	{"podclique/groups/actions", func(n int32) func() {
		clique := workers(n)
		return func() { clique.Actions(plantest.Now) }
	}},
	{"podclique/groups/status", func(n int32) func() {
		clique := workers(n)
		return func() { clique.Status(plantest.Applied(clique.Object), plantest.Now) }
	}},
}

// workers is the PodClique of the members of n group replicas.
func workers(n int32) podclique.Clique {
	for _, clique := range settledGroups[n]().Cliques {
		if clique.Object.Name == "train-worker-0" {
			return clique
		}
	}
	panic("the set has no PodClique train-worker-0")
}

// make bench-plan compares how much is allocated with testdata/plan.bench.
func BenchmarkPlan(b *testing.B) {
	for _, of := range everythingPlanned {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("%s/%d", of.name, n), func(b *testing.B) {
				plan := of.prepare(n)
				b.ReportAllocs()
				for b.Loop() {
					plan()
				}
			})
		}
	}
}

// What ten times as much costs more than ten times costs too much some day.
func TestPlanningIsLinear(t *testing.T) {
	const runs, most = 2, 12
	for _, of := range everythingPlanned {
		t.Run(of.name, func(t *testing.T) {
			some, many := testing.AllocsPerRun(runs, of.prepare(100)), testing.AllocsPerRun(runs, of.prepare(1000))
			if some == 0 || many > most*some {
				t.Errorf("%.0f allocations for 100, %.0f for 1000: more than %d times as many", some, many, most)
			}
		})
	}
}
