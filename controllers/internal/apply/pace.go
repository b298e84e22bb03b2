package apply

import (
	"sync"
	"time"

	"k8s.io/client-go/tools/cache"

	"grove.io/grove/controllers/plan"
)

const (
	// ShortestHold and LongestHold bound how long a status is held for which nobody waits. After the longest hold without a change there
	// is nothing left to write.
	ShortestHold = 500 * time.Millisecond
	LongestHold  = 10 * time.Second
	// statusesPerSecond is the rate at which held statuses would be written, all of them.
	statusesPerSecond = 50
)

// Pace holds statuses that aren't urgent for as long as it would take to write all that are held, and those of all objects that are about to be made: a lone
// set's are told at once, and where hundreds change, more changes go into each. All writers of statuses share one. The zero value is ready for use.
type Pace struct {
	mu   sync.Mutex
	held map[described]time.Time
	// expected is how many objects are about to be made.
	expected int
}

// described is an object of the kind that a field manager describes.
type described struct {
	manager string
	name    cache.ObjectName
	// sums is set for an object that is described by the statuses of others. It waits longer, for theirs to come first.
	sums bool
}

// hold is how long the changed status of an object still waits for more to say, for the longest hold at most; 0 if it is to be written now.
func (p *Pace) hold(object described, urgency plan.Urgency, longest time.Duration, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held == nil {
		p.held = map[described]time.Time{}
	}
	since, ok := p.held[object]
	if !ok {
		since = now
		p.held[object] = now
	}
	if urgency == plan.Urgent {
		return 0
	}
	span := time.Duration(len(p.held)+p.expected) * time.Second / statusesPerSecond
	if object.sums {
		span = 2*span - ShortestHold
	}
	return max(0, since.Add(min(longest, max(ShortestHold, span))).Sub(now))
}

// Expect is told of a number of objects that are about to be made, and what it returns of each number of them that is, or won't be.
func (p *Pace) Expect(n int) (made func(n int)) {
	expect := func(n int) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.expected += n
	}
	expect(n)
	return func(n int) { expect(-n) }
}

// release is told that an object's status was written, or needn't be, or that the object is gone.
func (p *Pace) release(object described) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.held, object)
}
