package plan_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
)

func TestResourcesApplied(t *testing.T) {
	conflict := plan.Problem{Reason: v1alpha1.ReasonNameConflict, Message: "Service x is somebody else's"}
	invalid := plan.Problem{Reason: v1alpha1.ReasonInvalidChild, Message: "y"}
	stood := []metav1.Condition{{Type: v1alpha1.ConditionResourcesApplied, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonForbiddenChild, Message: "quota"}}
	applied := []metav1.Condition{{Type: v1alpha1.ConditionResourcesApplied, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonApplied}}
	for name, test := range map[string]struct {
		live     []metav1.Condition
		known    bool
		problems []plan.Problem
		status   metav1.ConditionStatus
		reason   string
		message  string
	}{
		"nothing is known yet":              {nil, false, nil, metav1.ConditionUnknown, v1alpha1.ReasonApplying, "children are being applied"},
		"all is well":                       {nil, true, nil, metav1.ConditionTrue, v1alpha1.ReasonApplied, "every child is as the spec asks"},
		"one problem":                       {nil, true, []plan.Problem{conflict}, metav1.ConditionFalse, v1alpha1.ReasonNameConflict, conflict.Message},
		"two problems":                      {applied, true, []plan.Problem{conflict, invalid}, metav1.ConditionFalse, v1alpha1.ReasonNameConflict, "Service x is somebody else's (and 1 more)"},
		"a problem before all is known":     {nil, false, []plan.Problem{invalid}, metav1.ConditionFalse, v1alpha1.ReasonInvalidChild, "y"},
		"a problem stood, nothing is known": {stood, false, nil, metav1.ConditionFalse, v1alpha1.ReasonForbiddenChild, "quota"},
		"a problem stood, and is gone":      {stood, true, nil, metav1.ConditionTrue, v1alpha1.ReasonApplied, "every child is as the spec asks"},
		"all was well, nothing is known":    {applied, false, nil, metav1.ConditionTrue, v1alpha1.ReasonApplied, ""},
	} {
		t.Run(name, func(t *testing.T) {
			conditions := plan.NewConditions(test.live, 2, plantest.Now)
			conditions.SetResourcesApplied(test.known, test.problems)
			got := meta.FindStatusCondition(conditions.List, v1alpha1.ConditionResourcesApplied)
			if got.Status != test.status || got.Reason != test.reason || got.Message != test.message {
				t.Errorf("%+v; want %s, %s, %q", got, test.status, test.reason, test.message)
			}
		})
	}
}

// Conditions that were read are never changed: they are the cache's.
func TestConditionsLeaveWhatWasRead(t *testing.T) {
	live := []metav1.Condition{{Type: "Ready", Status: metav1.ConditionFalse, LastTransitionTime: metav1.NewTime(plantest.Now.Add(-1))}}
	conditions := plan.NewConditions(live, 2, plantest.Now)
	conditions.SetBool("Ready", true, "Well", "")
	if live[0].Status != metav1.ConditionFalse {
		t.Error("what was read has changed")
	}
	if got := conditions.List[0]; !got.LastTransitionTime.Time.Equal(plantest.Now) || got.ObservedGeneration != 2 {
		t.Errorf("the turn of a condition: %+v", got)
	}
}

func TestFirstTime(t *testing.T) {
	earlier := metav1.NewTime(plantest.Now.Add(-1e9))
	if got := plan.FirstTime(nil, false, plantest.Now); got != nil {
		t.Errorf("never seen, at %s", got)
	}
	if got := plan.FirstTime(nil, true, plantest.Now.Add(1)); !got.Time.Equal(plantest.Now) {
		t.Errorf("seen first at %s", got)
	}
	if got := plan.FirstTime(&earlier, false, plantest.Now); got != &earlier {
		t.Errorf("seen before, at %s", got)
	}
}

func TestConditionsUrgency(t *testing.T) {
	const yes, no, unknown = metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown
	is := func(kind string, status metav1.ConditionStatus) []metav1.Condition {
		return []metav1.Condition{{Type: kind, Status: status, Reason: "R", Message: "m", ObservedGeneration: 1}}
	}
	with := func(conditions []metav1.Condition, change func(*metav1.Condition)) []metav1.Condition {
		change(&conditions[0])
		return conditions
	}
	scheduled := is(v1alpha1.ConditionScheduled, no)
	for name, test := range map[string]struct {
		before, after []metav1.Condition
		want          plan.Urgency
	}{
		"as ever":                  {scheduled, scheduled, plan.None},
		"nothing at all":           {nil, nil, plan.None},
		"another time":             {scheduled, with(is(v1alpha1.ConditionScheduled, no), func(c *metav1.Condition) { c.LastTransitionTime = metav1.NewTime(plantest.Now) }), plan.None},
		"other words":              {scheduled, with(is(v1alpha1.ConditionScheduled, no), func(c *metav1.Condition) { c.Message = "other" }), plan.Words},
		"another reason":           {scheduled, with(is(v1alpha1.ConditionScheduled, no), func(c *metav1.Condition) { c.Reason = "Other" }), plan.Numbers},
		"another generation":       {scheduled, with(is(v1alpha1.ConditionScheduled, no), func(c *metav1.Condition) { c.ObservedGeneration = 2 }), plan.Numbers},
		"one is gone":              {scheduled, nil, plan.Numbers},
		"scheduled":                {scheduled, is(v1alpha1.ConditionScheduled, yes), plan.Urgent},
		"no longer scheduled":      {is(v1alpha1.ConditionScheduled, yes), scheduled, plan.Urgent},
		"available":                {is(v1alpha1.ConditionAvailable, no), is(v1alpha1.ConditionAvailable, yes), plan.Urgent},
		"no longer available":      {is(v1alpha1.ConditionAvailable, yes), is(v1alpha1.ConditionAvailable, no), plan.Urgent},
		"complete":                 {is(v1alpha1.ConditionComplete, no), is(v1alpha1.ConditionComplete, yes), plan.Urgent},
		"a problem appears":        {is(v1alpha1.ConditionResourcesApplied, yes), is(v1alpha1.ConditionResourcesApplied, no), plan.Urgent},
		"a problem at first":       {nil, is(v1alpha1.ConditionResourcesApplied, no), plan.Urgent},
		"a problem, after nothing": {is(v1alpha1.ConditionResourcesApplied, unknown), is(v1alpha1.ConditionResourcesApplied, no), plan.Urgent},
		"a problem goes":           {is(v1alpha1.ConditionResourcesApplied, no), is(v1alpha1.ConditionResourcesApplied, yes), plan.Urgent},
		"all applied at last":      {is(v1alpha1.ConditionResourcesApplied, unknown), is(v1alpha1.ConditionResourcesApplied, yes), plan.Numbers},
		"applied at first":         {nil, is(v1alpha1.ConditionResourcesApplied, yes), plan.Numbers},
		"breached":                 {is(v1alpha1.ConditionMinAvailableBreached, no), is(v1alpha1.ConditionMinAvailableBreached, yes), plan.Urgent},
		"no longer breached":       {is(v1alpha1.ConditionMinAvailableBreached, yes), is(v1alpha1.ConditionMinAvailableBreached, no), plan.Numbers},
		"not up yet":               {nil, is(v1alpha1.ConditionAvailable, no), plan.Numbers},
		"up at first":              {nil, is(v1alpha1.ConditionAvailable, yes), plan.Urgent},
		"breached at first":        {nil, is(v1alpha1.ConditionMinAvailableBreached, yes), plan.Numbers},
		"gangs, at first":          {nil, is(v1alpha1.ConditionGangScheduling, yes), plan.Numbers},
		"gangs are lost":           {is(v1alpha1.ConditionGangScheduling, yes), is(v1alpha1.ConditionGangScheduling, no), plan.Urgent},
		"progress":                 {is(v1alpha1.ConditionProgressing, yes), is(v1alpha1.ConditionProgressing, no), plan.Numbers},
		"the most urgent of two":   {append(is(v1alpha1.ConditionProgressing, yes), scheduled...), append(is(v1alpha1.ConditionProgressing, yes), is(v1alpha1.ConditionScheduled, yes)...), plan.Urgent},
	} {
		t.Run(name, func(t *testing.T) {
			if got := plan.ConditionsUrgency(test.before, test.after, false); got != test.want {
				t.Errorf("urgency %d, want %d", got, test.want)
			}
		})
	}
	for kind, want := range map[string]plan.Urgency{
		v1alpha1.ConditionAvailable:            plan.Numbers,
		v1alpha1.ConditionPodCliqueScheduled:   plan.Numbers,
		v1alpha1.ConditionResourcesApplied:     plan.Urgent,
		v1alpha1.ConditionGangScheduling:       plan.Urgent,
		v1alpha1.ConditionMinAvailableBreached: plan.Numbers,
	} {
		to := no
		if kind == v1alpha1.ConditionMinAvailableBreached {
			to = yes
		}
		if got := plan.ConditionsUrgency(is(kind, unknown), is(kind, to), true); got != want {
			t.Errorf("%s turns in an update: urgency %d, want %d", kind, got, want)
		}
	}
}
