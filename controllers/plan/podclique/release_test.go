package podclique_test

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
	"grove.io/grove/controllers/plan/podclique"
)

// Pods are created in the order base, scaled units and surplus, each as soon as what it competes with is scheduled, and in the end all.
func TestPodsWaitForTheirTurn(t *testing.T) {
	plantest.ForRandomSets(t, func(t *testing.T, _ *rand.Rand, set *v1alpha1.PodCliqueSet) {
		for _, clique := range plantest.Cliques(plantest.Observed(set), nil) {
			gang := clique.Gang
			if len(gang.Spec.PodGroups) == 0 {
				continue
			}
			beginning, based, all := turn(clique, plantest.WithScheduled(gang)), turn(clique, plantest.WithScheduled(gang, gang.Name)), turn(clique, plantest.ScheduledGang(gang))
			scales := slices.ContainsFunc(gang.Spec.ScaledGroups, func(scaled v1alpha1.ScaledGroup) bool {
				return clique.ScalingGroup != nil && scaled.PodGroups[0].PodCliqueScalingGroupName == clique.ScalingGroup.Name
			})
			for id := range clique.Identities() {
				m := clique.Membership(id)
				if first := m.Base && !m.Surplus; beginning[id.Name] != first {
					t.Errorf("pod %s is created first: %v", id.Name, !first)
				}
				if second := !m.Surplus || !scales; based[id.Name] != second {
					t.Errorf("pod %s is created once the base unit is scheduled: %v", id.Name, !second)
				}
				if !all[id.Name] {
					t.Errorf("pod %s isn't created once every unit is scheduled", id.Name)
				}
			}
		}
	})
}

// turn has the pods that are created as a gang is.
func turn(clique podclique.Clique, gang *v1alpha1.PodGang) map[string]bool {
	clique.Gang = gang
	created := map[string]bool{}
	for _, name := range plantest.Names(clique.Actions(plantest.Now).Create) {
		created[name] = true
	}
	return created
}

func TestLostPodsComeBackAtOnce(t *testing.T) {
	set := plantest.Workers()
	set.Spec.Template.Cliques[1].Spec.Replicas, set.Spec.Template.Cliques[1].Spec.MinAvailable = ptr.To[int32](4), ptr.To[int32](1)
	lose := func(names ...string) func(*podclique.Clique) {
		return func(c *podclique.Clique) {
			c.Pods = slices.DeleteFunc(c.Pods, func(pod *corev1.Pod) bool { return slices.Contains(names, pod.Name) })
		}
	}
	for name, test := range map[string]struct {
		lose    func(*podclique.Clique)
		created map[string]int32 // what the gang's status remembers
		want    []string
	}{
		"one of a scaled unit, others above it are there": {lose("train-worker-0-1-0"), nil, []string{"train-worker-0-1-0"}},
		"surplus, others above it are there":              {lose("train-worker-0-0-1", "train-worker-0-0-2"), nil, []string{"train-worker-0-0-1", "train-worker-0-0-2"}},
		"surplus that is remembered":                      {lose("train-worker-0-0-3"), map[string]int32{"train-worker-0-0": 4}, []string{"train-worker-0-0-3"}},
		"surplus that nothing tells of":                   {lose("train-worker-0-0-3"), map[string]int32{"train-worker-0-0": 3}, nil},
		"all of a scaled unit, remembered": {lose("train-worker-0-1-0", "train-worker-0-1-1", "train-worker-0-1-2", "train-worker-0-1-3"),
			map[string]int32{"train-worker-0-1": 1}, []string{"train-worker-0-1-0"}},
	} {
		t.Run(name, func(t *testing.T) {
			clique := plantest.Clique(t, set, "train-worker-0", plantest.AllPods)
			clique.Gang.Status = v1alpha1.PodGangStatus{}
			for podGroup, created := range test.created {
				clique.Gang.Status.PodGroups = append(clique.Gang.Status.PodGroups, v1alpha1.PodGroupStatus{Name: podGroup, Created: created})
			}
			test.lose(&clique)
			if diff := cmp.Diff(test.want, plantest.Names(clique.Actions(plantest.Now).Create)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A frontend grows while a unit of a scaling group waits for GPUs.
func TestSurplusWaitsForWhatItCompetesWith(t *testing.T) {
	set := plantest.Workers()
	for i := range set.Spec.Template.Cliques {
		set.Spec.Template.Cliques[i].Spec.Replicas, set.Spec.Template.Cliques[i].Spec.MinAvailable = ptr.To[int32](2), ptr.To[int32](1)
	}
	for name, test := range map[string]struct {
		clique    string
		scheduled []string
		created   []string
		waits     string
	}{
		"standalone, base waits":        {"train-alone-0", nil, []string{"train-alone-0-0"}, "pod train-alone-0-1 waits until gang unit train-0 is scheduled"},
		"standalone, base is scheduled": {"train-alone-0", []string{"train-0"}, []string{"train-alone-0-0", "train-alone-0-1"}, ""},
		"member, base waits":            {"train-lead-0", nil, []string{"train-lead-0-0-0"}, "pod train-lead-0-0-1 waits until gang unit train-0 is scheduled (and 2 more)"},
		"member, a unit of its scaling group waits": {"train-lead-0", []string{"train-0"}, []string{"train-lead-0-0-0", "train-lead-0-1-0"},
			"pod train-lead-0-0-1 waits until gang unit train-0-group-1 is scheduled (and 1 more)"},
	} {
		t.Run(name, func(t *testing.T) {
			clique := plantest.Clique(t, set, test.clique, nil)
			clique.Gang = plantest.WithScheduled(clique.Gang, test.scheduled...)
			if diff := cmp.Diff(test.created, plantest.Names(clique.Actions(plantest.Now).Create)); diff != "" {
				t.Errorf("created (-want +got):\n%s", diff)
			}
			if got := clique.Waits(plantest.Now); got != test.waits {
				t.Errorf("it is said that %q; want %q", got, test.waits)
			}
		})
	}
}

// Pods with a scheduling gate of the user's take nobody's place: what lifts the gates may wait for all of them.
func TestGatedPodsAreAllMadeAtOnce(t *testing.T) {
	set := plantest.Workers()
	for i := range set.Spec.Template.Cliques {
		set.Spec.Template.Cliques[i].Spec.Replicas, set.Spec.Template.Cliques[i].Spec.MinAvailable = ptr.To[int32](2), ptr.To[int32](1)
		set.Spec.Template.Cliques[i].Spec.PodSpec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "quota"}}
	}
	for name, want := range map[string]int{"train-alone-0": 2, "train-worker-0": 4} {
		clique := plantest.Clique(t, set, name, nil)
		clique.Gang.Status = v1alpha1.PodGangStatus{}
		if got := len(clique.Actions(plantest.Now).Create); got != want || clique.Waits(plantest.Now) != "" {
			t.Errorf("%d pods of %s are made; want %d; it %q", got, name, want, clique.Waits(plantest.Now))
		}
	}
}

// A pod that names a group comes after the group; and the root of a unit that is divided after all of its parts.
func TestPodsWaitForTheirGroup(t *testing.T) {
	packed := func(set *v1alpha1.PodCliqueSet) {
		set.Spec.Template.SchedulingPolicyConfig = &v1alpha1.SchedulingPolicyConfig{NetworkPackGroupConfigs: []v1alpha1.NetworkPackGroupConfig{
			{CliqueNames: []string{"worker"}, WhenUnsatisfiable: corev1.DoNotSchedule},
		}}
	}
	exist := func(names ...string) func(string) plan.SchedulerGroup {
		return func(name string) plan.SchedulerGroup {
			return plan.SchedulerGroup{Exists: slices.Contains(names, name)}
		}
	}
	const first = "pod train-worker-0-0-0 waits"
	for name, test := range map[string]struct {
		change  func(*v1alpha1.PodCliqueSet)
		groups  func(string) plan.SchedulerGroup
		created []string
		waits   string
	}{
		"there is none": {func(*v1alpha1.PodCliqueSet) {}, exist(), nil, first + " until the scheduler is told of gang unit train-0 (and 3 more)"},
		"that of the base is there": {func(*v1alpha1.PodCliqueSet) {}, exist("train-0"), []string{"train-worker-0-0-0", "train-worker-0-0-1"},
			"pod train-worker-0-1-0 waits until the scheduler is told of gang unit train-0-group-1 (and 1 more)"},
		"its name is taken": {func(*v1alpha1.PodCliqueSet) {}, func(name string) plan.SchedulerGroup {
			return plan.SchedulerGroup{Exists: name != "train-0", Taken: "PodGroup " + name + " is terminating"}
		}, []string{"train-worker-0-1-0", "train-worker-0-1-1"}, first + ": PodGroup train-0 is terminating (and 1 more)"},
		"living pods name one that is terminating": {func(*v1alpha1.PodCliqueSet) {}, func(string) plan.SchedulerGroup {
			return plan.SchedulerGroup{Exists: true, Taken: "it is terminating"}
		}, []string{"train-worker-0-0-0", "train-worker-0-0-1", "train-worker-0-1-0", "train-worker-0-1-1"}, ""},
		"the part is there, the root isn't": {packed, exist("train-0.pack-0"), nil, first + " until the scheduler is told of gang unit train-0 (and 3 more)"},
		"part and root are there": {packed, exist("train-0.pack-0", "train-0"), []string{"train-worker-0-0-0", "train-worker-0-0-1"},
			"pod train-worker-0-1-0 waits until the scheduler is told of gang unit train-0-group-1 (and 1 more)"},
	} {
		t.Run(name, func(t *testing.T) {
			set := plantest.Workers()
			test.change(set)
			clique := plantest.Clique(t, set, "train-worker-0", nil)
			clique.SchedulerGroups = test.groups
			if diff := cmp.Diff(test.created, plantest.Names(clique.Actions(plantest.Now).Create)); diff != "" {
				t.Errorf("created (-want +got):\n%s", diff)
			}
			if got := clique.Waits(plantest.Now); got != test.waits {
				t.Errorf("it is said that %q; want %q", got, test.waits)
			}
		})
	}
}

// Where the scheduler places each pod by itself, nobody waits for a group.
func TestNobodyWaitsForGroupsWithoutGangs(t *testing.T) {
	clique := plantest.Clique(t, plantest.Workers(), "train-worker-0", nil)
	clique.Scheduling = plan.Scheduling{}
	clique.SchedulerGroups = func(string) plan.SchedulerGroup { return plan.SchedulerGroup{} }
	created := clique.Actions(plantest.Now).Create
	if len(created) != 4 || created[0].Group != "" || clique.Waits(plantest.Now) != "" {
		t.Errorf("%d pods are made, the first in %q; it %q", len(created), created[0].Group, clique.Waits(plantest.Now))
	}
}

func TestSuccessorsWaitForTheName(t *testing.T) {
	clique := plantest.Clique(t, plantest.Workers(), "train-alone-0", plantest.AllPods)
	clique.Pods[0].DeletionTimestamp = ptr.To(metav1.NewTime(plantest.Now))
	if got, want := clique.Waits(plantest.Now), "pod train-alone-0-0 waits until its predecessor has ended"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	clique.Pods = nil
	clique.Gang.Status.Phase = v1alpha1.PodGangSucceeded
	if got := clique.Waits(plantest.Now); got != "" {
		t.Errorf("the gang has run to its end, and it is said that %s", got)
	}
}

// A unit that was terminated is placed as a gang again: as long as the scheduler counts a pod from before, it would place a part of it.
func TestSuccessorsWaitForAllFromBeforeARestart(t *testing.T) {
	clique := plantest.Clique(t, plantest.Workers(), "train-worker-0", plantest.AllPods)
	clique.Pods = slices.DeleteFunc(clique.Pods, func(pod *corev1.Pod) bool { return pod.Name == "train-worker-0-0-0" })
	clique.Siblings = clique.Pods
	clique.Gang.Status.Units = []v1alpha1.UnitStatus{{Name: "train-0", Restarts: 1, TerminatedAt: ptr.To(metav1.NewMicroTime(plantest.Now))}}
	if created := plantest.Names(clique.Actions(plantest.Now).Create); len(created) > 0 {
		t.Errorf("pods %v are made", created)
	}
	if got, want := clique.Waits(plantest.Now), "pod train-worker-0-0-0 waits until pod train-worker-0-0-1 has ended, so that all are placed together"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	clique.Pods, clique.Siblings = nil, nil
	if created := plantest.Names(clique.Actions(plantest.Now).Create); !slices.Contains(created, "train-worker-0-0-0") {
		t.Errorf("once they are gone, pods %v are made", created)
	}
}

// Surplus is in no group, or it would stand for a pod that the unit needs.
func TestSurplusIsInNoGroup(t *testing.T) {
	set := plantest.Workers()
	set.Spec.Template.Cliques[2].Spec.Replicas, set.Spec.Template.Cliques[2].Spec.MinAvailable = ptr.To[int32](2), ptr.To[int32](1)
	created := plantest.Clique(t, set, "train-alone-0", nil).Actions(plantest.Now).Create
	if len(created) != 2 || created[0].Group != "train-0" || created[1].Group != "" {
		t.Errorf("made are %+v", created)
	}
}
