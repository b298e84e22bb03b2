package runner

import (
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"grove.io/grove/controllers/internal/turns"
)

// keys are the keys of a work queue, which locks them. Namespaces take turns, so that a set of thousands of PodCliques in one doesn't keep a small set in
// another waiting.
type keys struct{ *turns.Queue[cache.ObjectName] }

var _ workqueue.Queue[cache.ObjectName] = keys{}

func newKeys() keys {
	return keys{turns.New(func(key cache.ObjectName) string { return key.Namespace }, nil)}
}

// Touch leaves a key that was added again where it is.
func (keys) Touch(cache.ObjectName) {}

// newQueue is a queue of keys in which namespaces take turns. Its name appears in metrics.
func newQueue(name string) workqueue.TypedRateLimitingInterface[cache.ObjectName] {
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](firstRetry, lastRetry)
	queue := workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[cache.ObjectName]{Name: name, Queue: newKeys()})
	delaying := workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[cache.ObjectName]{Name: name, Queue: queue})
	return workqueue.NewTypedRateLimitingQueueWithConfig(limiter, workqueue.TypedRateLimitingQueueConfig[cache.ObjectName]{Name: name, DelayingQueue: delaying})
}
