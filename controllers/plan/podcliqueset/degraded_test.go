package podcliqueset_test

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan/plantest"
)

// What a set says of replicas and scaled units that have lost their minimum: which is the first, since when, what comes next, and how many others.
func TestDegraded(t *testing.T) {
	const delay, began = time.Hour, "since 2027-01-15 08:00:00 UTC"
	for name, test := range map[string]struct {
		breaks []string
		after  time.Duration
		status metav1.ConditionStatus
		starts string
		says   []string
	}{
		"nothing": {nil, 0, "False", "no replica has lost its minimum of pods", nil},
		"a replica": {[]string{"train-alone-1-0"}, 0, "True", "train-alone-1: 0 of 1 pods available, at least 1 needed, " + began,
			[]string{"gang unit train-1 is terminated, and placed anew, at 2027-01-15 09:00:00 UTC unless 1 more pod is available by then"}},
		"two replicas": {[]string{"train-alone-0-0", "train-alone-1-0"}, 0, "True", "train-alone-0: 0 of 1 pods available", []string{"by then (and 1 more replica)"}},
		"two pods of a replica": {[]string{"train-alone-0-0", "train-lead-0-0-0"}, 0, "True", "train-alone-0: 0 of 1 pods available",
			[]string{"unless 2 more pods are available by then"}},
		"a scaled unit": {[]string{"train-lead-0-1-0"}, 0, "False", "every replica has its minimum; train-lead-0-1: 0 of 1 pods available",
			[]string{began, "gang unit train-0-group-1 is terminated"}},
		"two scaled units": {[]string{"train-lead-0-1-0", "train-lead-1-1-0"}, 0, "False", "every replica has its minimum; train-lead-0-1", []string{"(and 1 more unit)"}},
		"a terminated replica": {[]string{"train-alone-0-0"}, delay, "True",
			"gang unit train-0 was terminated at 2027-01-15 09:00:00 UTC and isn't ready again: its pods are placed together once there is room for all", nil},
	} {
		t.Run(name, func(t *testing.T) {
			set := plantest.Workers()
			set.Spec.Template.TerminationDelay = &metav1.Duration{Duration: delay}
			w := plantest.NewWorld(set, plantest.Ready)
			w.Settle()
			for _, pod := range test.breaks {
				plantest.Unready(w.Pod(t, pod))
			}
			for _, after := range []time.Duration{0, test.after} {
				for name, gang := range w.PodGangs {
					gang.Status = w.Gang(name).Status(plantest.Applied(gang), plantest.Now.Add(after))
				}
			}
			status := w.Set.Status(plantest.Applied(w.Object), true, plantest.Now)
			got := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionDegraded)
			if got.Status != test.status || !strings.HasPrefix(got.Message, test.starts) {
				t.Errorf("%s: %q, want %s: %q", got.Status, got.Message, test.status, test.starts)
			}
			for _, words := range test.says {
				if !strings.Contains(got.Message, words) {
					t.Errorf("%q doesn't say %q", got.Message, words)
				}
			}
		})
	}
}
