// Package runner runs the loops of controllers: a queue of keys, workers that sync them, and one place that decides what an
// error means. A kind has up to two loops: one that writes children at once, and one that writes the status a moment later,
// when the changes that come together have come. Neither keeps the other waiting.
package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"

	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/consistency"
	"grove.io/grove/controllers/internal/metrics"
)

const (
	// childWorkers is how many keys of a loop that writes children are synced at a time. Most of a sync is waiting for the API
	// server, where requests in flight are bounded.
	childWorkers = 128
	// statusWorkers is the same for a loop that writes statuses. Where the API server is slow, statuses wait, and more changes
	// go into each: what they describe comes first.
	statusWorkers = 4
	// statusDelay is how long a change waits for others before a status is written.
	statusDelay = 140 * time.Millisecond
	// firstRetry and lastRetry bound the time until a key whose sync failed is tried again; it doubles in between.
	firstRetry = 5 * time.Millisecond
	lastRetry  = time.Minute
)

// Sync brings what belongs to a key to what it should be. It is called again after a time greater than zero that it returns, and
// after an error.
type Sync func(ctx context.Context, key cache.ObjectName) (again time.Duration, err error)

// Head is what every sync of an object of one kind begins with.
type Head[T metav1.Object] struct {
	// Get returns the object, or an error that says that there is none.
	Get func(key cache.ObjectName) (T, error)
	// Fresh tells whether the caches have seen what was written on behalf of the object.
	Fresh func(key cache.ObjectName) bool
	// Gone is told that the object doesn't exist.
	Gone func(ctx context.Context, key cache.ObjectName) error
	// Ending is told of an object that is being deleted; nil for a sync that has nothing more to do for it.
	Ending func(ctx context.Context, object T) error
}

// Sync returns a sync that goes on with an object that exists, is there to stay, and whose caches are fresh enough to decide from.
func (h Head[T]) Sync(sync func(ctx context.Context, object T) (again time.Duration, err error)) Sync {
	return func(ctx context.Context, key cache.ObjectName) (time.Duration, error) {
		// First, since what is read afterwards is at least as new.
		fresh := h.Fresh(key)
		object, err := h.Get(key)
		switch {
		case apierrors.IsNotFound(err):
			return 0, h.Gone(ctx, key)
		case err != nil:
			return 0, err
		case object.GetDeletionTimestamp() != nil && h.Ending == nil:
			return 0, nil
		case !fresh:
			return consistency.Retry, nil
		case object.GetDeletionTimestamp() != nil:
			return 0, h.Ending(ctx, object)
		}
		return sync(ctx, object)
	}
}

// Loop syncs keys that informers mark.
type Loop struct {
	name    string
	sync    Sync
	workers int
	// delay is how long a mark waits for others.
	delay      time.Duration
	queue      workqueue.TypedRateLimitingInterface[cache.ObjectName]
	reconciles metrics.Reconciles
	// watches register the handlers that mark keys. They wait until the loop runs: a replica of the operator that doesn't
	// lead would only collect marks.
	watches []func() (cache.ResourceEventHandlerRegistration, error)
	// late are watches of caches that may begin much later, or never.
	late []func() (cache.ResourceEventHandlerRegistration, error)
}

// Children returns a loop that writes children. Its name appears in logs and metrics.
func Children(name string, sync Sync) *Loop { return newLoop(name, sync, childWorkers, 0) }

// Statuses returns a loop that writes statuses. Its name appears in logs and metrics.
func Statuses(name string, sync Sync) *Loop { return newLoop(name, sync, statusWorkers, statusDelay) }

func newLoop(name string, sync Sync, workers int, delay time.Duration) *Loop {
	return &Loop{
		name:       name,
		sync:       sync,
		workers:    workers,
		delay:      delay,
		reconciles: metrics.NewReconciles(name),
		queue:      newQueue(name),
	}
}

// Mark marks a key to be synced.
func (l *Loop) Mark(key cache.ObjectName) { l.queue.AddAfter(key, l.delay) }

// Watch marks the keys that a change of an object concerns. An update concerns the keys of both states.
func Watch[T metav1.Object](l *Loop, informer cache.SharedIndexInformer, keys func(T) []cache.ObjectName) {
	watch(l, informer, keys, func(T, T) bool { return true })
}

// WatchSpecs is Watch, without updates that leave everything but the status as it was. It is for kinds that have one.
func WatchSpecs[T metav1.Object](l *Loop, informer cache.SharedIndexInformer, keys func(T) []cache.ObjectName) {
	watch(l, informer, keys, differ[T])
}

// WatchEnds marks the keys that the end of an object concerns. An end that the watch missed isn't told.
func WatchEnds[T metav1.Object](l *Loop, informer cache.SharedIndexInformer, keys func(T) []cache.ObjectName) {
	l.handle(informer, cache.ResourceEventHandlerFuncs{DeleteFunc: func(obj any) {
		if object, ok := obj.(T); ok {
			l.markAll(keys(object))
		}
	}})
}

// WatchWhere is Watch for those updates that concern the loop.
func WatchWhere[T metav1.Object](l *Loop, informer cache.SharedIndexInformer, keys func(T) []cache.ObjectName, concerns func(before, after T) bool) {
	watch(l, informer, keys, concerns)
}

// See calls a function with each state of an object that a cache comes to have while the loop runs.
func See[T any](l *Loop, informer cache.SharedIndexInformer, see func(T)) {
	l.handle(informer, cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { see(obj.(T)) },
		UpdateFunc: func(_, after any) { see(after.(T)) },
	})
}

// WatchLate is Watch for a cache that begins later than the loop, or never.
func WatchLate[T metav1.Object](l *Loop, informer cache.SharedIndexInformer, keys func(T) []cache.ObjectName) {
	handler := handlerFor(l, keys, func(T, T) bool { return true })
	l.late = append(l.late, func() (cache.ResourceEventHandlerRegistration, error) { return informer.AddEventHandler(handler) })
}

// WatchLatePresence is WatchLate without updates, but for those by which an object became another's, or another object.
func WatchLatePresence[T metav1.Object](l *Loop, informer cache.SharedIndexInformer, keys func(T) []cache.ObjectName) {
	handler := handlerFor(l, keys, func(before, after T) bool {
		return before.GetUID() != after.GetUID() || !before.GetDeletionTimestamp().Equal(after.GetDeletionTimestamp()) ||
			!equality.Semantic.DeepEqual(before.GetOwnerReferences(), after.GetOwnerReferences())
	})
	l.late = append(l.late, func() (cache.ResourceEventHandlerRegistration, error) { return informer.AddEventHandler(handler) })
}

func (l *Loop) handle(informer cache.SharedIndexInformer, handler cache.ResourceEventHandler) {
	l.watches = append(l.watches, func() (cache.ResourceEventHandlerRegistration, error) { return informer.AddEventHandler(handler) })
}

func (l *Loop) markAll(keys []cache.ObjectName) {
	for _, key := range keys {
		l.Mark(key)
	}
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

func watch[T metav1.Object](l *Loop, informer cache.SharedIndexInformer, keys func(T) []cache.ObjectName, concerns func(before, after T) bool) {
	l.handle(informer, handlerFor(l, keys, concerns))
}

func handlerFor[T metav1.Object](l *Loop, keys func(T) []cache.ObjectName, concerns func(before, after T) bool) cache.ResourceEventHandler {
	mark := func(obj any) {
		if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
			obj = gone.Obj
		}
		if object, ok := obj.(T); ok {
			l.markAll(keys(object))
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc: mark,
		UpdateFunc: func(before, after any) {
			if concerns(before.(T), after.(T)) {
				mark(before)
				mark(after)
			}
		},
		DeleteFunc: mark,
	}
}

// Run syncs keys, once all that the caches have was seen, until the context ends. It returns when all workers have. The error
// says that a cache has ended.
func (l *Loop) Run(ctx context.Context) error {
	defer l.queue.ShutDown()
	var synced []cache.InformerSynced
	for _, watch := range l.watches {
		registration, err := watch()
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		synced = append(synced, registration.HasSynced)
	}
	for _, watch := range l.late {
		if _, err := watch(); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	logger := klog.FromContext(ctx).WithName(l.name)
	ctx = klog.NewContext(ctx, logger)
	if !cache.WaitForCacheSync(ctx.Done(), synced...) {
		return nil
	}
	var running sync.WaitGroup
	for range l.workers {
		running.Go(func() {
			for l.next(ctx) {
			}
		})
	}
	<-ctx.Done()
	l.queue.ShutDown()
	running.Wait()
	return nil
}

// next syncs one key; false once the queue has been shut down.
func (l *Loop) next(ctx context.Context) bool {
	key, shutdown := l.queue.Get()
	if shutdown {
		return false
	}
	defer l.queue.Done(key)
	logger := klog.FromContext(ctx).WithValues("object", key)
	start := time.Now()
	again, err := l.recovered(klog.NewContext(ctx, logger), key)
	l.reconciles.Took(time.Since(start))
	l.afterwards(ctx, logger, key, again, err)
	return true
}

// recovered syncs a key. A panic is an error of that key.
func (l *Loop) recovered(ctx context.Context, key cache.ObjectName) (again time.Duration, err error) {
	defer apply.Recover(&err)
	return l.sync(ctx, key)
}

// afterwards decides when a key is synced again. Errors are classified here, and logged and counted here alone.
func (l *Loop) afterwards(ctx context.Context, logger klog.Logger, key cache.ObjectName, again time.Duration, err error) {
	problems, rest := apply.Problems(err)
	transient := utilerrors.FilterOut(rest, apierrors.IsConflict, isCancelled)
	switch {
	case ctx.Err() != nil:
		return
	case transient != nil:
		logger.Error(transient, "Sync failed, will try again")
		l.reconciles.Failed(metrics.Failed)
		l.queue.AddRateLimited(key)
	case rest != nil:
		// Somebody else was faster. The change will be seen soon.
		logger.V(4).Info("Sync hit a conflict, will try again", "err", rest)
		l.reconciles.Failed(metrics.Conflict)
		l.queue.AddRateLimited(key)
	default:
		l.queue.Forget(key)
	}
	if len(problems) > 0 {
		logger.V(2).Info("Children were refused", "problems", problems)
		l.reconciles.Failed(metrics.Refused)
		l.queue.AddAfter(key, apply.RefusedRetry)
	}
	if again > 0 {
		l.queue.AddAfter(key, again)
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
