package apply

import (
	"strconv"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"grove.io/grove/controllers/plan"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

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
		if got := pace.hold("a", step.urgency, start.Add(step.at)); got != step.want {
			t.Errorf("%s is held for %s; want %s", step.what, got, step.want)
		}
		if step.release {
			pace.release("a")
		}
	}
}

func TestPaceOfMany(t *testing.T) {
	var pace Pace
	for i := range 500 {
		pace.hold(types.UID(strconv.Itoa(i)), plan.Numbers, start)
	}
	if got := pace.hold("0", plan.Numbers, start); got != LongestHold {
		t.Errorf("one of 500 is held for %s; want %s", got, LongestHold)
	}
	if got := pace.hold("0", plan.Urgent, start); got != 0 {
		t.Errorf("an urgent one of 500 is held for %s", got)
	}
	for i := range 400 {
		pace.release(types.UID(strconv.Itoa(i)))
	}
	if got, want := pace.hold("499", plan.Numbers, start), 2*time.Second; got != want {
		t.Errorf("one of 100 is held for %s; want %s", got, want)
	}
	for i := range 1000 {
		pace.hold(types.UID(strconv.Itoa(i)), plan.Numbers, start)
	}
	if got := pace.hold("0", plan.Numbers, start); got != LongestHold {
		t.Errorf("one of 1000 is held for %s; want %s", got, LongestHold)
	}
}

// What vanishes while its status is held, or belongs to nothing any more, must neither fill the memory nor slow down the others.
func TestPaceForgetsWhatNobodyComesBackFor(t *testing.T) {
	var pace Pace
	for i := range 500 {
		pace.hold(types.UID(strconv.Itoa(i)), plan.Numbers, start)
	}
	if got := pace.hold("a", plan.Numbers, start.Add(3*LongestHold)); got != ShortestHold || len(pace.held) != 1 {
		t.Errorf("held for %s, with %d remembered", got, len(pace.held))
	}
}
