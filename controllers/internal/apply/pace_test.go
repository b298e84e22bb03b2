package apply

import (
	"strconv"
	"testing"
	"time"

	"k8s.io/client-go/tools/cache"

	"grove.io/grove/controllers/plan"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func named(n int) described {
	return described{manager: "test", name: cache.NewObjectName("ns", strconv.Itoa(n))}
}

func TestPaceOfALoneStatus(t *testing.T) {
	var pace Pace
	for _, step := range []struct {
		what    string
		at      time.Duration
		urgency plan.Urgency
		release bool
		want    time.Duration
	}{
		{"a change", 0, plan.Numbers, false, ShortestHold},
		{"another, which doesn't begin anew", 200 * time.Millisecond, plan.Words, false, 300 * time.Millisecond},
		{"an urgent one", 300 * time.Millisecond, plan.Urgent, false, 0},
		{"a failed write, tried again", 400 * time.Millisecond, plan.Numbers, false, 100 * time.Millisecond},
		{"the end of the hold", 500 * time.Millisecond, plan.Numbers, true, 0},
		{"a change after the write", 600 * time.Millisecond, plan.Numbers, false, ShortestHold},
	} {
		if got := pace.hold(named(0), step.urgency, LongestHold, start.Add(step.at)); got != step.want {
			t.Errorf("%s is held for %s; want %s", step.what, got, step.want)
		}
		if step.release {
			pace.release(named(0))
		}
	}
}

func TestPaceOfMany(t *testing.T) {
	var pace Pace
	for i := range 500 {
		pace.hold(named(i), plan.Numbers, LongestHold, start)
	}
	if got := pace.hold(named(0), plan.Numbers, LongestHold, start); got != LongestHold {
		t.Errorf("one of 500 is held for %s; want %s", got, LongestHold)
	}
	if got := pace.hold(named(0), plan.Urgent, LongestHold, start); got != 0 {
		t.Errorf("an urgent one of 500 is held for %s", got)
	}
	for i := range 440 {
		pace.release(named(i))
	}
	if got, want := pace.hold(named(499), plan.Numbers, LongestHold, start), 1200*time.Millisecond; got != want {
		t.Errorf("one of 60 is held for %s; want %s", got, want)
	}
	if got := pace.hold(named(499), plan.Numbers, ShortestHold, start); got != ShortestHold {
		t.Errorf("one of 60 whose first words people wait for is held for %s; want %s", got, ShortestHold)
	}
	made := pace.Expect(30)
	if got, want := pace.hold(named(499), plan.Numbers, LongestHold, start), 1800*time.Millisecond; got != want {
		t.Errorf("one of 60 is held for %s while 30 more are made; want %s", got, want)
	}
	made(30)
	sum := named(498)
	pace.release(sum)
	sum.sums = true
	if got, want := pace.hold(sum, plan.Numbers, LongestHold, start), 2*1200*time.Millisecond-ShortestHold; got != want {
		t.Errorf("one of 60 that is described by others is held for %s; want %s", got, want)
	}
	for i := range 1000 {
		pace.hold(named(i), plan.Numbers, LongestHold, start)
	}
	if got := pace.hold(named(0), plan.Numbers, LongestHold, start); got != LongestHold {
		t.Errorf("one of 1000 is held for %s; want %s", got, LongestHold)
	}
}
