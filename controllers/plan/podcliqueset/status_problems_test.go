package podcliqueset_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
)

// A problem with a pod is in the set's condition, and what the set waits for, at once.
func TestProblemsOfPartsReachTheSet(t *testing.T) {
	refused := plan.Problem{Reason: v1alpha1.ReasonInvalidChild, Message: "no such volume"}
	quota := plan.Problem{Reason: v1alpha1.ReasonForbiddenChild, Message: "quota"}
	for name, test := range map[string]struct {
		of      func(w *plantest.World)
		reason  string
		message string
	}{
		"a pod": {func(w *plantest.World) {
			clique := w.Cliques[0]
			clique.Object.Status = clique.Status(plan.Report{Generation: 1, Problems: []plan.Problem{refused}}, plantest.Now)
		}, refused.Reason, refused.Message},
		"pods of two PodCliques, and a group": {func(w *plantest.World) {
			for _, clique := range w.Cliques[:2] {
				clique.Object.Status = clique.Status(plan.Report{Generation: 1, Problems: []plan.Problem{refused, refused}}, plantest.Now)
			}
			w.PodGangs["train-1"].Status = w.Gang("train-1").Status(plan.Report{Generation: 1, Problems: []plan.Problem{quota}}, plantest.Now)
		}, refused.Reason, refused.Message + " (and 1 more); more parts of the set have problems: 2"},
		"a group in the scheduler": {func(w *plantest.World) {
			w.PodGangs["train-1"].Status = w.Gang("train-1").Status(plan.Report{Generation: 1, Problems: []plan.Problem{quota}}, plantest.Now)
		}, quota.Reason, quota.Message},
	} {
		t.Run(name, func(t *testing.T) {
			w := plantest.NewWorld(plantest.Workers(), plantest.Pending)
			w.Settle()
			test.of(w)
			status := w.Status(plantest.Applied(w.Object), true, plantest.Now)
			got := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionResourcesApplied)
			if got.Status != metav1.ConditionFalse || got.Reason != test.reason || got.Message != test.message {
				t.Errorf("it is refused: %+v", got)
			}
			if available := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionAvailable); available.Message != "0 of 2 replicas available; "+test.message {
				t.Errorf("the set waits: %s", available.Message)
			}
			if got := w.Urgency(&status); got != plan.Urgent {
				t.Errorf("the urgency is %d", got)
			}
		})
	}
}

// As long as it isn't known that every child, and every pod, is as it should be, nothing says so.
func TestResourcesAreAppliedOnceAllIsKnown(t *testing.T) {
	stands := []metav1.Condition{{Type: v1alpha1.ConditionResourcesApplied, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNameConflict, Message: "x"}}
	for name, test := range map[string]struct {
		live   []metav1.Condition
		report plan.Report
		stale  bool
		change func(w *plantest.World)
		want   metav1.ConditionStatus
	}{
		"all is known":                        {report: plan.Report{Generation: 1}, want: metav1.ConditionTrue},
		"nothing is reported yet":             {want: metav1.ConditionUnknown},
		"the caches are behind":               {report: plan.Report{Generation: 1}, stale: true, want: metav1.ConditionUnknown},
		"a PodClique has said nothing yet":    {report: plan.Report{Generation: 1}, change: func(w *plantest.World) { w.PodCliques["train-lead-0"].Status = v1alpha1.PodCliqueStatus{} }, want: metav1.ConditionUnknown},
		"a PodClique says what was":           {report: plan.Report{Generation: 1}, change: func(w *plantest.World) { w.PodCliques["train-lead-0"].Generation = 2 }, want: metav1.ConditionUnknown},
		"a PodClique is missing":              {report: plan.Report{Generation: 1}, change: func(w *plantest.World) { delete(w.PodCliques, "train-lead-0") }, want: metav1.ConditionUnknown},
		"a problem stood before a restart":    {live: stands, want: metav1.ConditionFalse},
		"a problem stood, and isn't one more": {live: stands, report: plan.Report{Generation: 1}, want: metav1.ConditionTrue},
		"a problem stood, caches are behind":  {live: stands, report: plan.Report{Generation: 1}, stale: true, want: metav1.ConditionFalse},
	} {
		t.Run(name, func(t *testing.T) {
			w := plantest.NewWorld(plantest.Workers(), plantest.Ready)
			w.Settle()
			w.Object.Status.Conditions = test.live
			if test.change != nil {
				test.change(w)
			}
			status := w.Status(test.report, !test.stale, plantest.Now)
			if got := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionResourcesApplied); got.Status != test.want {
				t.Errorf("%+v; want %s", got, test.want)
			}
		})
	}
}

// After a restart of the operator nothing that was said of a set, a PodClique or a gang turns for a moment, whatever stood.
func TestARestartTurnsNoCondition(t *testing.T) {
	well, problem := plan.Report{Generation: 1}, plan.Report{Generation: 1, Problems: []plan.Problem{{Reason: v1alpha1.ReasonForbiddenChild, Message: "quota"}}}
	for name, report := range map[string]struct{ set, clique, gang plan.Report }{
		"all is well":                  {well, well, well},
		"a child of the set's":         {problem, well, well},
		"a pod":                        {well, problem, well},
		"a group in the scheduler":     {well, well, problem},
		"a pod and a child of the set": {problem, problem, well},
	} {
		t.Run(name, func(t *testing.T) {
			w := plantest.NewWorld(plantest.Workers(), plantest.Ready)
			w.Settle()
			clique, gang := w.Cliques[0], w.Gang("train-0")
			clique.Object.Status = clique.Status(report.clique, plantest.Now)
			gang.Object().Status = gang.Status(report.gang, plantest.Now)
			w.Object.Status = w.Status(report.set, true, plantest.Now)

			later := plantest.Now.Add(1e10)
			if diff := cmp.Diff(clique.Object.Status, clique.Status(plan.Report{}, later)); diff != "" {
				t.Errorf("the PodClique (-before +after):\n%s", diff)
			}
			if diff := cmp.Diff(gang.Object().Status, gang.Status(plan.Report{}, later)); diff != "" {
				t.Errorf("the gang (-before +after):\n%s", diff)
			}
			if diff := cmp.Diff(w.Object.Status, w.Status(plan.Report{}, true, later), ignoreMore); diff != "" {
				t.Errorf("the set (-before +after):\n%s", diff)
			}
		})
	}
}

// ignoreMore ignores how many problems there are beside the first.
var ignoreMore = cmp.Transformer("first", func(condition metav1.Condition) [6]any {
	message, _, _ := strings.Cut(condition.Message, " (and ")
	return [6]any{condition.Type, condition.Status, condition.Reason, message, condition.ObservedGeneration, condition.LastTransitionTime}
})
