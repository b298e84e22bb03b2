package coalesce

import (
	"testing"
	"time"

	"k8s.io/client-go/tools/cache"
)

func TestManyChangesMakeOneWrite(t *testing.T) {
	var writes Writes
	key := cache.NewObjectName("ns", "a")
	start := time.Unix(1_800_000_000, 0)
	for _, step := range []struct {
		after time.Duration
		wait  time.Duration
		due   bool
	}{
		{0, Window, false},
		{Window / 4, Window * 3 / 4, false},
		{Window - 1, 1, false},
		{Window, 0, true},
		// Written. The next change opens another window.
		{Window + 1, Window, false},
		{2*Window + 1, 0, true},
	} {
		wait, due := writes.Due(key, start.Add(step.after))
		if wait != step.wait || due != step.due {
			t.Errorf("after %s: wait %s, due %v; want %s, %v", step.after, wait, due, step.wait, step.due)
		}
	}
}

func TestForgetClosesTheWindow(t *testing.T) {
	var writes Writes
	key := cache.NewObjectName("ns", "a")
	start := time.Unix(1_800_000_000, 0)
	writes.Due(key, start)
	writes.Forget(key)
	if _, due := writes.Due(key, start.Add(Window)); due {
		t.Error("a change is written at once, in the window of one that was taken back")
	}
}
