package podgang_test

import (
	"strings"
	"testing"
	"time"

	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/plan/podgang"
)

// What is told of a gang, look by look, as pods of its base unit break and are mended.
func TestNews(t *testing.T) {
	type seen struct {
		after time.Duration
		state plantest.State
		want  string
	}
	for name, looks := range map[string][]seen{
		"a pod that is back in a moment is no news": {
			{0, plantest.Unready, ""}, {time.Second, plantest.Ready, ""}, {10 * time.Second, plantest.Ready, ""},
		},
		"a breach that lasts is told once, and so is its end": {
			{0, plantest.Unready, ""}, {4 * time.Second, plantest.Unready, ""},
			{5 * time.Second, plantest.Unready, "warning MinAvailableBreached train-alone-0: 0 of 1 pods available"},
			{time.Minute, plantest.Unready, ""}, {2 * time.Minute, plantest.Ready, "Recovered gang unit train-0"}, {3 * time.Minute, plantest.Ready, ""},
		},
		"the next breach is told anew": {
			{0, plantest.Unready, ""}, {time.Minute, plantest.Unready, "warning MinAvailableBreached"}, {2 * time.Minute, plantest.Ready, "Recovered"},
			{3 * time.Minute, plantest.Unready, ""}, {4 * time.Minute, plantest.Unready, "warning MinAvailableBreached"},
		},
		"an end and what comes after": {
			{0, plantest.Unready, ""}, {delay, plantest.Unready, "warning GangTerminated gang unit train-0 was below its minimum for 1h0m0s"},
			{delay + time.Minute, plantest.Unready, ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := lives(nil)
			for n, step := range looks {
				step.state(w.Pod(t, "train-alone-0-0"))
				before := *w.PodGangs["train-0"].Status.DeepCopy()
				after := look(w, "train-0", step.after)
				var got []string
				for _, news := range podgang.News(w.Object, w.PodGangs["train-0"], &before, after) {
					got = append(got, said(news))
				}
				if all := strings.Join(got, "; "); !strings.HasPrefix(all, step.want) || (all == "") != (step.want == "") {
					t.Errorf("look %d: %q, want %q", n, all, step.want)
				}
			}
		})
	}
}

func said(news plan.News) string {
	text := news.Reason + " " + news.Message
	if news.Bad {
		text = "warning " + text
	}
	return text
}

// An operator wakes when a breach is to be told, and then when its unit is terminated.
func TestDeadlines(t *testing.T) {
	w := lives(nil)
	plantest.Unready(w.Pod(t, "train-alone-0-0"))
	for _, step := range []struct{ after, want time.Duration }{{0, 5 * time.Second}, {5 * time.Second, delay}} {
		if got := w.Gang("train-0").Deadline(look(w, "train-0", step.after)); !got.Equal(plantest.Now.Add(step.want)) {
			t.Errorf("after %s the deadline is %s, want %s", step.after, got, plantest.Now.Add(step.want))
		}
	}
}
