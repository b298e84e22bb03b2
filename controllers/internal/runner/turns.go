package runner

import (
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// turns is a queue of keys in which namespaces take turns: a set of thousands of PodCliques in one doesn't keep a small set in another waiting until all
// of those were synced. Keys of one namespace come in the order in which they were added. The work queue that it is part of locks it.
type turns struct {
	// namespaces are those with keys, the one whose turn it is first.
	namespaces []string
	keys       map[string][]cache.ObjectName
	size       int
}

var _ workqueue.Queue[cache.ObjectName] = &turns{}

func newTurns() *turns { return &turns{keys: map[string][]cache.ObjectName{}} }

// Touch leaves a key that was added again where it is.
func (t *turns) Touch(cache.ObjectName) {}

// Push adds a key.
func (t *turns) Push(key cache.ObjectName) {
	if len(t.keys[key.Namespace]) == 0 {
		t.namespaces = append(t.namespaces, key.Namespace)
	}
	t.keys[key.Namespace] = append(t.keys[key.Namespace], key)
	t.size++
}

// Len is the number of keys.
func (t *turns) Len() int { return t.size }

// Pop takes the first key of the namespace whose turn it is. There has to be one.
func (t *turns) Pop() cache.ObjectName {
	namespace := t.namespaces[0]
	t.namespaces = t.namespaces[1:]
	keys := t.keys[namespace]
	if len(keys) == 1 {
		delete(t.keys, namespace)
	} else {
		t.keys[namespace] = keys[1:]
		t.namespaces = append(t.namespaces, namespace)
	}
	t.size--
	return keys[0]
}

// newQueue is a queue of keys in which namespaces take turns. Its name appears in metrics.
func newQueue(name string) workqueue.TypedRateLimitingInterface[cache.ObjectName] {
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](firstRetry, lastRetry)
	queue := workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[cache.ObjectName]{Name: name, Queue: newTurns()})
	delaying := workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[cache.ObjectName]{Name: name, Queue: queue})
	return workqueue.NewTypedRateLimitingQueueWithConfig(limiter, workqueue.TypedRateLimitingQueueConfig[cache.ObjectName]{Name: name, DelayingQueue: delaying})
}
