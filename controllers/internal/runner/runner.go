// Package runner runs controllers: a queue of keys, workers that sync them, and one place that decides what an error means.
package runner

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"

	"grove.io/grove/controllers/internal/apply"
)

const (
	// workers is how many keys of one controller are synced at a time. Most of a sync is waiting for the API server, where
	// requests in flight are bounded.
	workers = 32
	// firstRetry and lastRetry bound the time until a key whose sync failed is tried again; it doubles in between.
	firstRetry = 5 * time.Millisecond
	lastRetry  = time.Minute
	// refusedRetry is when a child that was refused is tried again, if nothing else happens: what stands in its way, such as an
	// object of the same name or a quota, isn't always something that a controller watches.
	refusedRetry = 30 * time.Second
)

// Sync brings what belongs to a key to what it should be. It is called again after a time greater than zero that it returns, and
// after an error.
type Sync func(ctx context.Context, key cache.ObjectName) (again time.Duration, err error)

// Controller syncs keys that informers mark.
type Controller struct {
	name   string
	sync   Sync
	queue  workqueue.TypedRateLimitingInterface[cache.ObjectName]
	synced []cache.InformerSynced
}

// New returns a controller. Its name appears in logs and metrics.
func New(name string, sync Sync) *Controller {
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](firstRetry, lastRetry)
	return &Controller{
		name:  name,
		sync:  sync,
		queue: workqueue.NewTypedRateLimitingQueueWithConfig(limiter, workqueue.TypedRateLimitingQueueConfig[cache.ObjectName]{Name: name}),
	}
}

// Watch marks the keys that a change of an object concerns. An update concerns the keys of both states.
func Watch[T metav1.Object](c *Controller, informer cache.SharedIndexInformer, keys func(T) []cache.ObjectName) error {
	return watch(c, informer, keys, func(T, T) bool { return true })
}

// WatchSpecs is Watch, without updates that leave everything but the status as it was. It is for kinds that have one.
func WatchSpecs[T metav1.Object](c *Controller, informer cache.SharedIndexInformer, keys func(T) []cache.ObjectName) error {
	return watch(c, informer, keys, differ[T])
}

// differ tells whether two states of an object differ in more than the status.
func differ[T metav1.Object](before, after T) bool {
	return before.GetUID() != after.GetUID() ||
		before.GetGeneration() != after.GetGeneration() ||
		!before.GetDeletionTimestamp().Equal(after.GetDeletionTimestamp()) ||
		!maps.Equal(before.GetLabels(), after.GetLabels()) ||
		!maps.Equal(before.GetAnnotations(), after.GetAnnotations()) ||
		!equality.Semantic.DeepEqual(before.GetOwnerReferences(), after.GetOwnerReferences())
}

func watch[T metav1.Object](c *Controller, informer cache.SharedIndexInformer, keys func(T) []cache.ObjectName, concerns func(before, after T) bool) error {
	mark := func(obj any) {
		if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
			obj = gone.Obj
		}
		if object, ok := obj.(T); ok {
			for _, key := range keys(object) {
				c.queue.Add(key)
			}
		}
	}
	registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: mark,
		UpdateFunc: func(before, after any) {
			if concerns(before.(T), after.(T)) {
				mark(before)
				mark(after)
			}
		},
		DeleteFunc: mark,
	})
	if err != nil {
		return err
	}
	c.synced = append(c.synced, registration.HasSynced)
	return nil
}

// Run syncs keys, once the caches have been filled, until the context ends. It returns when all workers have.
func (c *Controller) Run(ctx context.Context) {
	logger := klog.FromContext(ctx).WithName(c.name)
	ctx = klog.NewContext(ctx, logger)
	if !cache.WaitForCacheSync(ctx.Done(), c.synced...) {
		c.queue.ShutDown()
		return
	}
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for c.next(ctx) {
			}
		})
	}
	<-ctx.Done()
	c.queue.ShutDown()
	running.Wait()
}

// next syncs one key; false once the queue has been shut down.
func (c *Controller) next(ctx context.Context) bool {
	key, shutdown := c.queue.Get()
	if shutdown {
		return false
	}
	defer c.queue.Done(key)
	defer utilruntime.HandleCrashWithContext(ctx)
	logger := klog.FromContext(ctx).WithValues("object", key)
	again, err := c.sync(klog.NewContext(ctx, logger), key)
	c.afterwards(ctx, logger, key, again, err)
	return true
}

// afterwards decides when a key is synced again. Errors are classified here, and logged here alone.
func (c *Controller) afterwards(ctx context.Context, logger klog.Logger, key cache.ObjectName, again time.Duration, err error) {
	problems, rest := apply.Problems(err)
	transient := utilerrors.FilterOut(rest, apierrors.IsConflict, isCancelled)
	switch {
	case ctx.Err() != nil:
		return
	case transient != nil:
		logger.Error(transient, "Sync failed, will try again")
		c.queue.AddRateLimited(key)
	case rest != nil:
		// Somebody else was faster. The change will be seen soon.
		logger.V(4).Info("Sync hit a conflict, will try again", "err", rest)
		c.queue.AddRateLimited(key)
	default:
		c.queue.Forget(key)
	}
	if len(problems) > 0 {
		logger.V(2).Info("Children were refused", "problems", problems)
		c.queue.AddAfter(key, refusedRetry)
	}
	if again > 0 {
		c.queue.AddAfter(key, again)
	}
}

func isCancelled(err error) bool { return errors.Is(err, context.Canceled) }

// Sooner is the shorter of two times until a key is synced again, of which 0 means not at all.
func Sooner(a, b time.Duration) time.Duration {
	if a == 0 || (b > 0 && b < a) {
		return b
	}
	return a
}
