package podgang_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan/podgang"
)

func TestTally(t *testing.T) {
	at := metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	later, moment := metav1.NewTime(at.Add(time.Minute)), metav1.NewMicroTime(at.Time)
	// of is a status whose conditions turned at some times.
	of := func(scheduled bool, scheduledAt metav1.Time, ready bool, units ...v1alpha1.UnitStatus) v1alpha1.PodGangStatus {
		status := map[bool]metav1.ConditionStatus{true: metav1.ConditionTrue, false: metav1.ConditionFalse}
		readyAt := at
		if ready {
			readyAt = later
		}
		return v1alpha1.PodGangStatus{Units: units, Conditions: []metav1.Condition{
			{Type: v1alpha1.ConditionScheduled, Status: status[scheduled], LastTransitionTime: scheduledAt},
			{Type: v1alpha1.ConditionReady, Status: status[ready], LastTransitionTime: readyAt},
		}}
	}
	base, scaled := v1alpha1.UnitStatus{Name: "web-0"}, v1alpha1.UnitStatus{Name: "web-0-g-1"}
	available := func(unit v1alpha1.UnitStatus) v1alpha1.UnitStatus { unit.AvailableSince = &moment; return unit }
	breached := func(unit v1alpha1.UnitStatus) v1alpha1.UnitStatus { unit.BreachedSince = &moment; return unit }
	ended := func(unit v1alpha1.UnitStatus) v1alpha1.UnitStatus {
		unit.TerminatedAt, unit.Restarts = &moment, 1
		return unit
	}
	restarted := func(ofBase, ofScaled int32) v1alpha1.PodGangStatus {
		return v1alpha1.PodGangStatus{PodGroups: []v1alpha1.PodGroupStatus{{Name: "web-0-a", Restarts: ofBase}, {Name: "web-0-g-1-b", Restarts: ofScaled}}}
	}
	for name, test := range map[string]struct {
		before, after v1alpha1.PodGangStatus
		want          podgang.Tally
	}{
		"first status":                   {v1alpha1.PodGangStatus{}, of(false, at, false, base), podgang.Tally{}},
		"first status of a ready gang":   {v1alpha1.PodGangStatus{}, of(true, later, true, available(base)), podgang.Tally{Scheduled: true, Ready: true}},
		"scheduled":                      {of(false, at, false, base), of(true, later, false, base), podgang.Tally{Scheduled: true}},
		"ready":                          {of(true, later, false, base), of(true, later, true, available(base)), podgang.Tally{Ready: true}},
		"scheduled and ready":            {of(false, at, false, base), of(true, later, true, available(base)), podgang.Tally{Scheduled: true, Ready: true}},
		"nothing new":                    {of(true, later, true, available(base)), of(true, later, true, available(base)), podgang.Tally{}},
		"scheduled again before ready":   {of(false, later, false, base), of(true, later, false, base), podgang.Tally{}},
		"ready again":                    {of(true, later, false, available(breached(base))), of(true, later, true, available(base)), podgang.Tally{}},
		"scheduled again":                {of(false, later, false, available(breached(base))), of(true, later, false, available(breached(base))), podgang.Tally{}},
		"scheduled after a termination":  {of(false, later, false, ended(base)), of(true, later, false, ended(base)), podgang.Tally{}},
		"ready after a termination":      {of(true, later, false, ended(base)), of(true, later, true, available(ended(base))), podgang.Tally{}},
		"a scaled unit isn't the gang":   {of(true, later, false, base), of(true, later, false, base, available(scaled)), podgang.Tally{}},
		"ready after a scaled unit":      {of(true, later, false, base, available(scaled)), of(true, later, true, available(base), available(scaled)), podgang.Tally{Ready: true}},
		"both units breached":            {of(true, later, true, available(base), available(scaled)), of(true, later, true, available(breached(base)), available(breached(scaled))), podgang.Tally{Breached: []bool{true, false}}},
		"a breached unit stays breached": {of(true, later, true, available(breached(base))), of(true, later, true, available(breached(base))), podgang.Tally{}},
		"both units terminated":          {of(true, later, true, available(breached(base)), scaled), of(true, later, true, ended(base), ended(scaled)), podgang.Tally{Terminated: []bool{true, false}}},
		"pod groups recreated":           {restarted(0, 3), restarted(1, 4), podgang.Tally{Restarted: []bool{true, false}}},
		"pod groups recreated before":    {restarted(1, 4), restarted(1, 4), podgang.Tally{}},
	} {
		t.Run(name, func(t *testing.T) {
			gang := &v1alpha1.PodGang{ObjectMeta: metav1.ObjectMeta{Name: "web-0"}, Spec: v1alpha1.PodGangSpec{
				PodGroups:    []v1alpha1.PodGroup{{Name: "web-0-a"}},
				ScaledGroups: []v1alpha1.ScaledGroup{{Name: "web-0-g-1", PodGroups: []v1alpha1.PodGroup{{Name: "web-0-g-1-b"}}}},
			}}
			if diff := cmp.Diff(test.want, podgang.TallyOf(gang, &test.before, &test.after)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
