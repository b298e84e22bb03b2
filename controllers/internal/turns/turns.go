// Package turns has a queue in which namespaces take turns: who has thousands of items in one doesn't keep the few of another waiting until all of those
// were served.
package turns

import "container/heap"

// Queue has items of namespaces. Each namespace's come in an order of its own, equal ones in that in which they were added. Whoever shares it locks it.
type Queue[T any] struct {
	namespace func(item T) string
	less      func(a, b T) bool
	// namespaces are those with items, the one whose turn it is first.
	namespaces []string
	items      map[string]*ordered[T]
	// added is how many items were added so far, size how many there are.
	added, size int
}

// New returns an empty queue. Namespace is that of an item, and less tells which of two of one namespace comes first; nil for the one that was added first.
func New[T any](namespace func(item T) string, less func(a, b T) bool) *Queue[T] {
	if less == nil {
		less = func(T, T) bool { return false }
	}
	return &Queue[T]{namespace: namespace, less: less, items: map[string]*ordered[T]{}}
}

// Push adds an item.
func (q *Queue[T]) Push(item T) {
	namespace := q.namespace(item)
	of := q.items[namespace]
	if of == nil {
		of = &ordered[T]{less: q.less}
		q.items[namespace] = of
		q.namespaces = append(q.namespaces, namespace)
	}
	q.added++
	q.size++
	heap.Push(of, numbered[T]{item: item, number: q.added})
}

// Len is the number of items.
func (q *Queue[T]) Len() int { return q.size }

// Pop takes the first item of the namespace whose turn it is. There has to be one.
func (q *Queue[T]) Pop() T {
	namespace := q.namespaces[0]
	q.namespaces = q.namespaces[1:]
	of := q.items[namespace]
	first := heap.Pop(of).(numbered[T])
	if of.Len() > 0 {
		q.namespaces = append(q.namespaces, namespace)
	} else {
		delete(q.items, namespace)
	}
	q.size--
	return first.item
}

// numbered is an item that was added as the number-th.
type numbered[T any] struct {
	item   T
	number int
}

// ordered are the items of one namespace, as a heap.
type ordered[T any] struct {
	items []numbered[T]
	less  func(a, b T) bool
}

func (o *ordered[T]) Len() int { return len(o.items) }

func (o *ordered[T]) Less(i, j int) bool {
	a, b := o.items[i], o.items[j]
	switch {
	case o.less(a.item, b.item):
		return true
	case o.less(b.item, a.item):
		return false
	default:
		return a.number < b.number
	}
}

func (o *ordered[T]) Swap(i, j int) { o.items[i], o.items[j] = o.items[j], o.items[i] }

func (o *ordered[T]) Push(x any) { o.items = append(o.items, x.(numbered[T])) }

func (o *ordered[T]) Pop() any {
	last := len(o.items) - 1
	x := o.items[last]
	o.items[last] = numbered[T]{} // which the array would keep
	o.items = o.items[:last]
	return x
}
