package podgang_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/plan/podgang"
)

func TestGangSchedulingCondition(t *testing.T) {
	named := plantest.Workers()
	for i := range named.Spec.Template.Cliques {
		named.Spec.Template.Cliques[i].Spec.PodSpec.SchedulerName = "mine"
	}
	stock := plantest.Workers()
	stock.Spec.Template.Cliques[0].Spec.PodSpec.SchedulerName = corev1.DefaultSchedulerName
	gangOf := func(set *v1alpha1.PodCliqueSet, s plan.Scheduling) podgang.Gang {
		return plantest.Gangs(plantest.Observed(set), s)[0]
	}
	with := func(gang podgang.Gang, change func(*podgang.Gang)) podgang.Gang {
		change(&gang)
		return gang
	}
	enforced := gangOf(plantest.Workers(), plantest.Everything)
	withoutGroups := with(gangOf(plantest.Workers(), plan.Scheduling{}), func(g *podgang.Gang) { g.Scheduling = plantest.Everything })
	joined := gangOf(plantest.Workers(), plantest.Everything)
	joined.PodsByName()["train-worker-0-0-1"].Spec.SchedulingGroup = nil
	packed := plantest.Workers()
	packed.Spec.Template.SchedulingPolicyConfig = &v1alpha1.SchedulingPolicyConfig{NetworkPackGroupConfigs: []v1alpha1.NetworkPackGroupConfig{
		{CliqueNames: []string{"worker"}, WhenUnsatisfiable: corev1.DoNotSchedule},
	}}
	taken := func(string) plan.SchedulerGroup {
		return plan.SchedulerGroup{Taken: "PodGroup train-0 of an earlier gang is terminating"}
	}
	isTaken := with(gangOf(plantest.Workers(), plantest.Everything), func(g *podgang.Gang) { g.SchedulerGroups = taken })
	placed := with(gangOf(plantest.Workers(), plantest.Everything), func(g *podgang.Gang) {
		g.SchedulerGroups = taken
		for _, pod := range g.PodsByName() {
			plantest.Scheduled(pod)
		}
	})
	kept := with(gangOf(plantest.Workers(), plantest.Everything), func(g *podgang.Gang) {
		g.SchedulerGroups = func(string) plan.SchedulerGroup {
			return plan.SchedulerGroup{Exists: true, Taken: "of an earlier gang, whose pods live"}
		}
	})
	for name, test := range map[string]struct {
		gang     podgang.Gang
		problems []plan.Problem
		status   metav1.ConditionStatus
		reason   string
		message  string
	}{
		"enforced":                {enforced, nil, metav1.ConditionTrue, v1alpha1.ReasonEnforced, "all or nothing"},
		"not served":              {gangOf(plantest.Workers(), plan.Scheduling{Reason: v1alpha1.ReasonNotServed, Message: "why"}), nil, metav1.ConditionFalse, v1alpha1.ReasonNotServed, "why"},
		"pods without groups":     {withoutGroups, nil, metav1.ConditionFalse, v1alpha1.ReasonSchedulingGroupMissing, "has no spec.schedulingGroup"},
		"one that was surplus":    {joined, nil, metav1.ConditionTrue, v1alpha1.ReasonEnforced, "pod train-worker-0-0-1, which was created before it counted"},
		"a refused group":         {enforced, []plan.Problem{{Reason: v1alpha1.ReasonForbiddenChild, Message: "quota"}}, metav1.ConditionFalse, v1alpha1.ReasonForbiddenChild, "quota"},
		"a scheduler of its own":  {gangOf(named, plantest.Everything), nil, metav1.ConditionFalse, v1alpha1.ReasonUnknownScheduler, "the scheduler mine,"},
		"the stock scheduler":     {gangOf(stock, plantest.Everything), nil, metav1.ConditionTrue, v1alpha1.ReasonEnforced, "all or nothing"},
		"its name is taken":       {isTaken, nil, metav1.ConditionFalse, v1alpha1.ReasonNameTaken, "PodGroup train-0 of an earlier gang is terminating"},
		"taken, but it is placed": {placed, nil, metav1.ConditionTrue, v1alpha1.ReasonEnforced, "all or nothing"},
		"kept by living pods":     {kept, nil, metav1.ConditionTrue, v1alpha1.ReasonEnforced, "all or nothing"},
		"a weaker topology": {gangOf(packed, plan.Scheduling{Gangs: true, Topology: true, NetworkTopologyKey: "rack"}), nil,
			metav1.ConditionTrue, v1alpha1.ReasonTopologyWeakened, "one rack for the pods of train-worker-0 is required of each pod by pod affinity"},
	} {
		t.Run(name, func(t *testing.T) {
			got := condition(t, test.gang.Status(plan.Report{Generation: 1, Problems: test.problems}, plantest.Now), v1alpha1.ConditionGangScheduling)
			if got.Status != test.status || got.Reason != test.reason || !strings.Contains(got.Message, test.message) {
				t.Errorf("%+v; want %s, %s, %q", got, test.status, test.reason, test.message)
			}
		})
	}
}

func condition(t *testing.T, status v1alpha1.PodGangStatus, kind string) metav1.Condition {
	t.Helper()
	found := meta.FindStatusCondition(status.Conditions, kind)
	if found == nil {
		t.Fatalf("no condition %s", kind)
	}
	return *found
}

// A problem with what the scheduler is told stands until that was written once.
func TestProblemsWithGroupsStandUntilTheyAreGone(t *testing.T) {
	w := plantest.NewWorld(plantest.Workers(), plantest.Pending)
	object := w.PodGangs["train-0"]
	quota := []plan.Problem{{Reason: v1alpha1.ReasonForbiddenChild, Message: "quota"}}
	object.Status = w.Gang("train-0").Status(plan.Report{Generation: 1, Problems: quota}, plantest.Now)
	for name, test := range map[string]struct {
		report plan.Report
		want   string
	}{
		"nothing is known after a restart": {plan.Report{}, v1alpha1.ReasonForbiddenChild},
		"it was written":                   {plan.Report{Generation: 1}, v1alpha1.ReasonEnforced},
	} {
		if got := condition(t, w.Gang("train-0").Status(test.report, plantest.Now), v1alpha1.ConditionGangScheduling); got.Reason != test.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Why a unit isn't scheduled: what holds it back is said before what the scheduler says.
func TestWhatHoldsAUnitBack(t *testing.T) {
	const lacks = "train-alone-0: 0 of 1 pods scheduled, at least 1 needed; "
	refused := func(pod *corev1.Pod) {
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/3 nodes"}}
	}
	without := func(w *plantest.World, gone string) {
		for i := range w.Cliques {
			w.Cliques[i].Pods = slices.DeleteFunc(w.Cliques[i].Pods, func(pod *corev1.Pod) bool { return pod.Name == gone })
		}
	}
	for name, test := range map[string]struct {
		change  func(w *plantest.World, gang *podgang.Gang)
		reason  string
		message string
	}{
		"nobody has tried": {func(*plantest.World, *podgang.Gang) {}, v1alpha1.ReasonInsufficientPods, lacks + "the scheduler hasn't tried yet"},
		"the scheduler says of the group": {func(w *plantest.World, g *podgang.Gang) {
			refused(w.Pod(t, "train-lead-0-0-0"))
			g.Verdicts = map[string]string{"train-0": "the whole gang doesn't fit", "train-1": "another's"}
		}, v1alpha1.ReasonUnschedulable, lacks + "the scheduler says: the whole gang doesn't fit"},
		"the scheduler says of a pod": {func(w *plantest.World, _ *podgang.Gang) {
			refused(w.Pod(t, "train-lead-0-0-0"))
		}, v1alpha1.ReasonUnschedulable, lacks + "the scheduler says: 0/3 nodes"},
		"a pod is missing": {func(w *plantest.World, g *podgang.Gang) {
			without(w, "train-lead-0-0-0")
			g.Verdicts = map[string]string{"train-0": "old words"}
		}, v1alpha1.ReasonInsufficientPods, lacks + "3 of its 4 pods exist"},
		"a predecessor is ending": {func(w *plantest.World, _ *podgang.Gang) {
			pod := w.Pod(t, "train-lead-0-0-0")
			pod.DeletionTimestamp = ptr.To(metav1.NewTime(plantest.Now))
		}, v1alpha1.ReasonInsufficientPods, lacks + "pod train-lead-0-0-0 is terminating, and its successor waits for the name"},
		"a user's gate": {func(w *plantest.World, _ *podgang.Gang) {
			w.Pod(t, "train-lead-0-0-0").Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "quota"}}
		}, v1alpha1.ReasonSchedulingGated, lacks + "pod train-lead-0-0-0 is held back by its scheduling gate quota, and with it the whole unit"},
		"the group's name is taken": {func(w *plantest.World, g *podgang.Gang) {
			without(w, "train-lead-0-0-0")
			g.SchedulerGroups = func(name string) plan.SchedulerGroup {
				return plan.SchedulerGroup{Taken: "PodGroup " + name + " isn't Grove's"}
			}
		}, v1alpha1.ReasonNameTaken, lacks + "PodGroup train-0 isn't Grove's"},
	} {
		t.Run(name, func(t *testing.T) {
			w := plantest.NewWorld(plantest.Workers(), plantest.Pending)
			gang := w.Gang("train-0")
			test.change(w, &gang)
			for _, clique := range w.Cliques {
				if _, of := gang.Cliques[clique.Object.Name]; of {
					gang.Cliques[clique.Object.Name] = clique.Clique
				}
			}
			got := condition(t, gang.Status(plantest.Applied(gang.Object()), plantest.Now), v1alpha1.ConditionScheduled)
			if got.Status != metav1.ConditionFalse || got.Reason != test.reason || got.Message != test.message {
				t.Errorf("%+v; want %s, %q", got, test.reason, test.message)
			}
		})
	}
}

func TestScaledUnitsWaitForTheBase(t *testing.T) {
	w := plantest.NewWorld(plantest.Workers(), plantest.Pending)
	for i := range w.Cliques {
		w.Cliques[i].Pods = slices.DeleteFunc(w.Cliques[i].Pods, func(pod *corev1.Pod) bool {
			return strings.HasPrefix(pod.Name, "train-worker-0-1-") || strings.HasPrefix(pod.Name, "train-lead-0-1-")
		})
	}
	expect := func(want string) {
		t.Helper()
		w.Settle()
		got := meta.FindStatusCondition(w.PodGangs["train-0"].Status.Conditions, v1alpha1.ConditionScaledGroupsScheduled)
		if !strings.HasSuffix(got.Message, want) {
			t.Errorf("the scaled units wait since %q; want %q", got.Message, want)
		}
	}
	expect("its pods are created once the base unit is scheduled")
	for _, clique := range w.Cliques {
		for _, pod := range clique.Pods {
			plantest.Scheduled(pod)
		}
	}
	expect("0 of its 3 pods exist")
}
