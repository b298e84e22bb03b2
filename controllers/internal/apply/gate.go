package apply

import (
	"cmp"
	"context"
	"sync"
	"time"

	"grove.io/grove/controllers/internal/turns"
)

// Passing is how many applies pass the Gate of a controller at a time: enough to keep a small API server busy, and so few that what becomes of the
// objects doesn't wait behind them.
const Passing = 4

// Gate lets a few pass at a time, those on behalf of smaller owners first, and of equal ones those of the older, so that what was begun is finished
// before more is begun: an object that is the beginning of others isn't made long before they are. Namespaces take turns.
type Gate struct {
	most     int
	patience time.Duration

	mu sync.Mutex
	// passing is how much those inside count for.
	passing int
	waiting *turns.Queue[*waiter]
}

// NewGate returns a Gate that lets the next one pass while less than so much is inside. One that takes longer than the patience counts no more: what the
// API server, or a webhook of somebody's, is slow to answer keeps no other back. Without patience, 0, all count until they leave.
func NewGate(most int, patience time.Duration) *Gate { return &Gate{most: most, patience: patience} }

// Enter waits until one may pass on behalf of an owner, and counts for so much, until leave is called; further calls do nothing. The error is the
// context's.
func (g *Gate) Enter(ctx context.Context, owner Owner, weight int) (leave func(), err error) {
	if g == nil {
		return func() {}, nil
	}
	w := g.arrive(owner, weight)
	select {
	case <-w.turn:
		once := sync.OnceFunc(func() { g.leave(weight) })
		if g.patience == 0 {
			return once, nil
		}
		slow := time.AfterFunc(g.patience, once)
		return func() {
			slow.Stop()
			once()
		}, nil
	case <-ctx.Done():
		g.giveUp(w)
		return nil, ctx.Err()
	}
}

// arrive begins to wait.
func (g *Gate) arrive(owner Owner, weight int) *waiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	w := &waiter{owner: owner, weight: weight, turn: make(chan struct{})}
	if g.waiting == nil {
		g.waiting = turns.New(func(w *waiter) string { return w.owner.GetNamespace() }, (*waiter).before)
	}
	if g.passing < g.most {
		g.passing += weight
		close(w.turn)
	} else {
		g.waiting.Push(w)
	}
	return w
}

// leave lets the next ones pass, as many as there is room for.
func (g *Gate) leave(weight int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.passing -= weight
	for g.passing < g.most && g.waiting.Len() > 0 {
		if next := g.waiting.Pop(); !next.gone {
			g.passing += next.weight
			close(next.turn)
		}
	}
}

// giveUp is told of one that waits no longer.
func (g *Gate) giveUp(w *waiter) {
	g.mu.Lock()
	w.gone = true
	g.mu.Unlock()
	select {
	case <-w.turn: // which came at the same moment
		g.leave(w.weight)
	default:
	}
}

// waiter is one that waits for its turn.
type waiter struct {
	owner  Owner
	weight int
	turn   chan struct{}
	gone   bool
}

// before tells which of two in one namespace passes first: that of the smaller owner, and of equal ones that of the older.
func (w *waiter) before(other *waiter) bool {
	a, b := w.owner, other.owner
	return cmp.Or(cmp.Compare(a.Size, b.Size), a.GetCreationTimestamp().Compare(b.GetCreationTimestamp().Time), cmp.Compare(a.GetName(), b.GetName())) < 0
}
