package apply

import (
	"cmp"
	"container/heap"
	"context"
	"sync"
	"time"
)

// Passing is how many applies pass a Gate at a time: enough to keep a small API server busy, and so few that what becomes of the objects doesn't wait
// behind them.
const Passing = 4

// patience is how long an apply counts as passing: one that the API server, or a webhook of somebody's, is slow to answer keeps no other back.
const patience = time.Second

// Gate lets a few applies pass at a time, those of smaller owners first, and of equal ones those of the older, so that what was begun is finished before
// more is begun: an object that is the beginning of others isn't made long before they are. Namespaces take turns. The zero value is ready for use.
type Gate struct {
	mu      sync.Mutex
	passing int
	// namespaces are those that wait, the one whose turn it is first.
	namespaces []string
	waiting    map[string]*waiters
	// arrived is how many have come so far.
	arrived int
}

// enter waits until an apply may pass, which ends with a call of leave. The error is the context's.
func (g *Gate) enter(ctx context.Context, owner Owner) (leave func(), err error) {
	if g == nil {
		return func() {}, nil
	}
	w := g.arrive(owner)
	select {
	case <-w.turn:
		once := sync.OnceFunc(g.leave)
		slow := time.AfterFunc(patience, once)
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
func (g *Gate) arrive(owner Owner) *waiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.arrived++
	w := &waiter{owner: owner, number: g.arrived, turn: make(chan struct{})}
	if g.passing < Passing {
		g.passing++
		close(w.turn)
		return w
	}
	if g.waiting == nil {
		g.waiting = map[string]*waiters{}
	}
	namespace := owner.GetNamespace()
	if g.waiting[namespace] == nil {
		g.waiting[namespace] = &waiters{}
		g.namespaces = append(g.namespaces, namespace)
	}
	heap.Push(g.waiting[namespace], w)
	return w
}

// leave lets the next one pass.
func (g *Gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.namespaces) > 0 {
		if next := g.next(); !next.gone {
			close(next.turn)
			return
		}
	}
	g.passing--
}

// next is the one whose turn it is.
func (g *Gate) next() *waiter {
	namespace := g.namespaces[0]
	g.namespaces = g.namespaces[1:]
	of := g.waiting[namespace]
	next := heap.Pop(of).(*waiter)
	if of.Len() > 0 {
		g.namespaces = append(g.namespaces, namespace)
	} else {
		delete(g.waiting, namespace)
	}
	return next
}

// giveUp is told of one that waits no longer.
func (g *Gate) giveUp(w *waiter) {
	g.mu.Lock()
	w.gone = true
	g.mu.Unlock()
	select {
	case <-w.turn: // which came at the same moment
		g.leave()
	default:
	}
}

// waiter is an apply that waits for its turn.
type waiter struct {
	owner  Owner
	number int
	turn   chan struct{}
	gone   bool
}

// waiters are those of one namespace.
type waiters []*waiter

func (w waiters) Len() int { return len(w) }

func (w waiters) Less(i, j int) bool {
	a, b := w[i], w[j]
	return cmp.Or(cmp.Compare(a.owner.Size, b.owner.Size), a.owner.GetCreationTimestamp().Compare(b.owner.GetCreationTimestamp().Time), cmp.Compare(a.owner.GetName(), b.owner.GetName()), cmp.Compare(a.number, b.number)) < 0
}

func (w waiters) Swap(i, j int) { w[i], w[j] = w[j], w[i] }

func (w *waiters) Push(x any) { *w = append(*w, x.(*waiter)) }

func (w *waiters) Pop() any {
	last := len(*w) - 1
	x := (*w)[last]
	*w = (*w)[:last]
	return x
}
