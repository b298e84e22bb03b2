package podgang_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/plan/podgang"
)

// randomTopology adds what a set may ask of the places of its pods.
func randomTopology(random *rand.Rand, set *v1alpha1.PodCliqueSet) {
	hard := func() corev1.UnsatisfiableConstraintAction {
		return plantest.Pick(random, corev1.DoNotSchedule, corev1.ScheduleAnyway)
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
		group := v1alpha1.NetworkPackGroupConfig{TopologyKey: plantest.Pick(random, "", "rack", "zone"), WhenUnsatisfiable: hard()}
		for _, clique := range free[:size] {
			group.CliqueNames = append(group.CliqueNames, clique.Name)
		}
		policy.NetworkPackGroups = append(policy.NetworkPackGroups, group)
		free = free[size:]
	}
	set.Spec.Template.SchedulingPolicyConfig = policy
}

func randomScheduling(random *rand.Rand) plan.Scheduling {
	s := plan.Scheduling{NetworkTopologyKey: "rack", Gangs: random.IntN(4) > 0}
	s.Topology = s.Gangs && random.IntN(3) > 0
	s.Composite = s.Topology && random.IntN(2) > 0
	return s
}

// Whatever a set asks for and the scheduler can do, the first pods of each pod group name the one group that their unit's placement
// counts them in, no other pod names any, and the scheduler is told of as many as the unit needs before any of them exists.
func TestPlacementsCountExactlyTheirPods(t *testing.T) {
	plantest.ForRandomSets(t, func(t *testing.T, random *rand.Rand, set *v1alpha1.PodCliqueSet) {
		randomTopology(random, set)
		s := randomScheduling(random)
		for _, gang := range plantest.Gangs(plantest.Observed(set), s) {
			named := map[string]int32{}
			for name, pod := range gang.PodsByName() {
				if group := plan.SchedulerGroupOf(pod); group != "" {
					named[group]++
				} else if s.Gangs && slices.ContainsFunc(gang.Units(), func(u plan.Unit) bool { return inUnit(u, name) }) {
					t.Errorf("pod %s is in a unit, and names no group", name)
				}
			}
			placements := gang.Placements()
			if s.Gangs {
				mustCount(t, gang, placements, named)
			}
			for name, clique := range gang.Cliques {
				clique.Pods = nil
				gang.Cliques[name] = clique
			}
			if diff := cmp.Diff(gang.Placements(), placements); s.Gangs && diff != "" {
				t.Errorf("placements (-before there are pods +once there are):\n%s", diff)
			}
		}
	})
}

// mustCount checks that placements have all groups that pods name, and as many pods as do.
func mustCount(t *testing.T, gang podgang.Gang, placements []podgang.Placement, named map[string]int32) {
	t.Helper()
	sizes := map[string]int32{}
	for _, unit := range gang.Units() {
		for _, podGroup := range unit.PodGroups {
			sizes[unit.Name] += podGroup.MinReplicas
		}
	}
	for _, p := range placements {
		var pods int32
		for _, group := range p.Groups {
			if named[group.Name] != group.Pods {
				t.Errorf("group %s of %d pods is named by %d", group.Name, group.Pods, named[group.Name])
			}
			pods += group.Pods
			delete(named, group.Name)
		}
		if want := sizes[p.Name]; pods != want {
			t.Errorf("unit %s has %d pods; want %d", p.Name, pods, want)
		}
	}
	if len(named) > 0 {
		t.Errorf("groups that pods name and no unit has: %v", named)
	}
}

func inUnit(u plan.Unit, pod string) bool {
	for _, podGroup := range u.PodGroups {
		for n := range podGroup.MinReplicas {
			if plan.PodName(podGroup.Name, n) == pod {
				return true
			}
		}
	}
	return false
}

// What a pod names can't be changed: the scheduler must not wait for one that doesn't name the group, and never will.
func TestPlacementsCountWhatPodsName(t *testing.T) {
	for name, test := range map[string]struct {
		change func(pod *corev1.Pod)
		want   int32
	}{
		"it names the group":   {func(*corev1.Pod) {}, 4},
		"it names none":        {func(pod *corev1.Pod) { pod.Spec.SchedulingGroup = nil }, 3},
		"it names another":     {func(pod *corev1.Pod) { pod.Spec.SchedulingGroup.PodGroupName = ptr.To("other") }, 3},
		"it is on its way out": {plantest.Terminating, 4},
	} {
		t.Run(name, func(t *testing.T) {
			w := plantest.NewWorld(plantest.Workers(), plantest.Pending)
			test.change(w.Pod(t, "train-worker-0-0-1"))
			base := w.Gang("train-0").Placements()[0]
			if base.Name != "train-0" || len(base.Groups) != 1 || base.Groups[0].Pods != test.want {
				t.Errorf("the base unit is placed as %+v; want %d pods", base, test.want)
			}
		})
	}
}

// A scheduler forgets pods that have ended, and what is lost after that needs a place all the same.
func TestPlacementsLeaveOutWhatHasEnded(t *testing.T) {
	failed := func(pod *corev1.Pod) {
		plantest.Scheduled(pod)
		pod.Status.Phase = corev1.PodFailed
	}
	for name, test := range map[string]struct {
		worker, alone plantest.State // nil for none
		restarts      int32
		want          int32
	}{
		"one has succeeded, none needs a place":     {plantest.Succeeded, plantest.Ready, 0, 4},
		"one has succeeded, another is lost":        {plantest.Succeeded, nil, 0, 3},
		"one has succeeded, another isn't bound":    {plantest.Succeeded, plantest.Pending, 0, 3},
		"one has failed, another is lost":           {failed, nil, 0, 3},
		"both have ended":                           {plantest.Succeeded, plantest.Succeeded, 0, 4},
		"none has ended, one is lost":               {plantest.Ready, nil, 0, 4},
		"the unit was restarted, all comes anew":    {plantest.Succeeded, nil, 1, 4},
		"what has ended goes, another is lost, too": {func(pod *corev1.Pod) { plantest.Succeeded(pod); pod.DeletionTimestamp = ptr.To(metav1.Now()) }, nil, 0, 4},
	} {
		t.Run(name, func(t *testing.T) {
			w := plantest.NewWorld(plantest.Workers(), plantest.Ready)
			test.worker(w.Pod(t, "train-worker-0-0-1"))
			alone := w.Pod(t, "train-alone-0-0")
			gang := w.Gang("train-0")
			if test.alone == nil {
				clique := gang.Cliques["train-alone-0"]
				clique.Pods = nil
				gang.Cliques["train-alone-0"] = clique
			} else {
				alone.Spec.NodeName, alone.Status = "", corev1.PodStatus{}
				test.alone(alone)
			}
			gang.Object().Status.Units = []v1alpha1.UnitStatus{{Name: "train-0", Restarts: test.restarts}}
			if base := gang.Placements()[0]; len(base.Groups) != 1 || base.Groups[0].Pods != test.want {
				t.Errorf("the base unit is placed as %+v; want %d pods", base, test.want)
			}
		})
	}
}

// What nobody but a person writes into a PodGang ends nothing.
func TestAUnitWithoutPodGroups(t *testing.T) {
	w := plantest.NewWorld(plantest.Workers(), plantest.Ready)
	object := w.PodGangs["train-0"]
	object.Spec.ScaledGroups = append(object.Spec.ScaledGroups, v1alpha1.ScaledGroup{Name: "x"})
	gang := w.Gang("train-0")
	if placements := gang.Placements(); len(placements) != 2 {
		t.Errorf("%d placements", len(placements))
	}
	if status := gang.Status(plantest.Applied(object), plantest.Now); status.Phase != v1alpha1.PodGangRunning {
		t.Errorf("the gang is %s", status.Phase)
	}
	object.Spec = v1alpha1.PodGangSpec{ScaledGroups: []v1alpha1.ScaledGroup{{Name: "x"}}}
	if placements := w.Gang("train-0").Placements(); len(placements) != 0 {
		t.Errorf("%d placements of nothing", len(placements))
	}
}

func TestNamesOfGroups(t *testing.T) {
	w := plantest.NewWorld(plantest.Workers(), plantest.Ready)
	for _, name := range []string{"train-lead-0-1-0", "train-worker-0-1-0", "train-worker-0-1-1"} {
		plantest.Terminating(w.Pod(t, name))
	}
	plantest.Terminating(w.Pod(t, "train-alone-0-0"))
	names := w.Gang("train-0").Names()
	if diff := cmp.Diff(podgang.Names{
		Any:    map[string]bool{"train-0": true, "train-0-group-1": true},
		Living: map[string]bool{"train-0": true, "train-0-group-1": false},
	}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPlacementsMirrorTheSet(t *testing.T) {
	set := plantest.Workers()
	set.Labels = map[string]string{"kueue.x-k8s.io/queue-name": "q", "app.kubernetes.io/instance": "web"}
	set.Annotations = map[string]string{"note": "1", "argocd.argoproj.io/tracking-id": "web"}
	set.Spec.Template.PriorityClassName = "high"
	gang := plantest.Gangs(plantest.Observed(set), plantest.Everything)[0]
	for _, p := range gang.Placements() {
		if p.Labels["kueue.x-k8s.io/queue-name"] != "q" || p.Labels["app.kubernetes.io/instance"] != "" || p.Labels[v1alpha1.LabelPodGang] != "train-0" {
			t.Errorf("%s has labels %v", p.Name, p.Labels)
		}
		if diff := cmp.Diff(map[string]string{"note": "1"}, p.Annotations); diff != "" {
			t.Errorf("%s has annotations (-want +got):\n%s", p.Name, diff)
		}
		if p.PriorityClassName != "high" {
			t.Errorf("%s has the priority class %s", p.Name, p.PriorityClassName)
		}
	}
}

// A unit has the key of the domain that all of it has to be inside of, and a part of it that of its own.
func TestPlacementsHaveTopologyKeys(t *testing.T) {
	set := plantest.Workers()
	set.Spec.ReplicaSpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: corev1.DoNotSchedule}}
	set.Spec.Template.SchedulingPolicyConfig = &v1alpha1.SchedulingPolicyConfig{NetworkPackGroupConfigs: []v1alpha1.NetworkPackGroupConfig{
		{CliqueNames: []string{"worker"}, WhenUnsatisfiable: corev1.DoNotSchedule},
	}}
	var got []podgang.Placement
	for _, p := range plantest.Gangs(plantest.Observed(set), plantest.Everything)[0].Placements() {
		got = append(got, podgang.Placement{Name: p.Name, TopologyKey: p.TopologyKey, Groups: p.Groups})
	}
	if diff := cmp.Diff([]podgang.Placement{
		{Name: "train-0", TopologyKey: "zone", Groups: []podgang.PlacementGroup{
			{Name: "train-0.pack-0", TopologyKey: "rack", Pods: 2}, {Name: "train-0.rest", Pods: 2},
		}},
		{Name: "train-0-group-1", Groups: []podgang.PlacementGroup{
			{Name: "train-0-group-1.pack-0", TopologyKey: "rack", Pods: 2}, {Name: "train-0-group-1.rest", Pods: 1},
		}},
	}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPodCliquesOfAGang(t *testing.T) {
	gang := &v1alpha1.PodGang{ObjectMeta: metav1.ObjectMeta{Name: "s-0"}, Spec: v1alpha1.PodGangSpec{
		PodGroups:    []v1alpha1.PodGroup{{PodCliqueName: "b"}, {PodCliqueName: "a"}},
		ScaledGroups: []v1alpha1.ScaledGroup{{PodGroups: []v1alpha1.PodGroup{{PodCliqueName: "c"}, {PodCliqueName: "b"}}}, {Name: "empty"}},
	}}
	if diff := cmp.Diff([]string{"a", "b", "c"}, podgang.PodCliquesOf(gang)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A group lasts as long as pods name it, also those of PodCliques that were turned off and are about to go.
func TestGroupsOfPodsThatGoAreKept(t *testing.T) {
	w := plantest.NewWorld(plantest.Workers(), plantest.Ready)
	gang := w.Gang("train-0")
	for _, clique := range gang.Cliques {
		gang.Siblings = append(gang.Siblings, clique.Pods...)
	}
	clear(gang.Cliques)
	if names := gang.Names(); !names.Any["train-0"] || names.Living["train-0"] {
		t.Errorf("names %+v", names)
	}
}
