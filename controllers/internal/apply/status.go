package apply

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"

	"grove.io/grove/controllers/internal/fresh"
	"grove.io/grove/controllers/internal/report"
)

// statusSuffix makes a controller's field manager for a status out of that for a spec.
const statusSuffix = "-status"

// StatusClient is the part of a typed client that writes a status.
type StatusClient[T, C any] interface {
	ApplyStatus(ctx context.Context, config C, options metav1.ApplyOptions) (T, error)
}

// Status writes the statuses, of type S, of the objects of one kind.
type Status[T report.Object, S any, C Configuration[C]] struct {
	// Manager is the controller's field manager; the status has one of its own, derived from it.
	Manager string
	// Cache has the objects.
	Cache cache.Store
	// Client returns the client for a namespace.
	Client func(namespace string) StatusClient[T, C]
	// Of returns an object's status.
	Of func(object T) *S
	// Conditions returns the conditions of a status.
	Conditions func(status *S) []metav1.Condition
	// Configuration returns the configuration of an object with a status.
	Configuration func(object T, status *S) C
	// Recorder emits events when conditions change.
	Recorder events.EventRecorder
	// FirstWithin is the age at which an object gets its first status even if that says nothing.
	FirstWithin time.Duration
	// Spacing is the least time between two writes of the status of an object, for a kind whose statuses may be large. Optional.
	Spacing func(object T) time.Duration

	// Fresh tells whether the cache has the status that was written last.
	Fresh fresh.Tracker

	mu   sync.Mutex
	last map[cache.ObjectName]time.Time // when a status was written, where they are spaced
	held map[cache.ObjectName]time.Time // until when a changed status is held
}

// How old an object may become without a status, while there is nothing to say of it but that it is new.
const (
	// FirstWithin is for kinds that users look at first.
	FirstWithin = 30 * time.Second
	// PartFirstWithin is for a gang's parts. Autoscalers, which read a part's selector, have no metrics of pods as young as that either.
	PartFirstWithin = time.Minute
)

// Beginning is how long an object of which there is nothing to say yet, but that it is new, may go without its first status; 0 if
// it has one. Mostly the first one says more then.
func (s *Status[T, S, C]) Beginning(object T, now time.Time) time.Duration {
	if !equality.Semantic.DeepEqual(s.Of(object), new(S)) {
		return 0
	}
	// The two clocks may differ.
	return max(0, min(s.FirstWithin-now.Sub(object.GetCreationTimestamp().Time), s.FirstWithin))
}

// TooSoon is how long the next status of an object has to wait for its turn; 0 if it hasn't.
func (s *Status[T, S, C]) TooSoon(object T, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(0, s.Spacing(object)-now.Sub(s.last[cache.MetaObjectToName(object)]))
}

// Forget drops what is remembered of an object that is gone.
func (s *Status[T, S, C]) Forget(key cache.ObjectName) {
	s.Fresh.Forget(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.last, key)
	delete(s.held, key)
}

// Write writes a status if it has changed and the patience with it is over, or returns how long it still waits for more changes. An object
// that is gone, or was replaced by another of its name, needs no status.
func (s *Status[T, S, C]) Write(ctx context.Context, object T, status *S, patience time.Duration, now time.Time) (wait time.Duration, err error) {
	if wait := s.hold(object, status, patience, now); wait > 0 || equality.Semantic.DeepEqual(s.Of(object), status) {
		return wait, nil
	}
	return 0, s.write(ctx, object, status, now)
}

// hold is how long a status waits for more to say: as long as the change with the least patience, since that was seen.
func (s *Status[T, S, C]) hold(object T, status *S, patience time.Duration, now time.Time) time.Duration {
	live, key := s.Of(object), cache.MetaObjectToName(object)
	s.mu.Lock()
	defer s.mu.Unlock()
	if equality.Semantic.DeepEqual(live, status) {
		delete(s.held, key)
		return 0
	}
	until := now.Add(patience)
	if before, ok := s.held[key]; ok && before.Before(until) {
		until = before
	}
	if s.held == nil {
		s.held = map[cache.ObjectName]time.Time{}
	}
	s.held[key] = until
	return max(0, until.Sub(now))
}

func (s *Status[T, S, C]) write(ctx context.Context, object T, status *S, now time.Time) error {
	key := cache.MetaObjectToName(object)
	config := s.Configuration(object, status).WithUID(object.GetUID())
	options := metav1.ApplyOptions{FieldManager: s.Manager + statusSuffix, Force: true}
	written, err := s.Client(key.Namespace).ApplyStatus(ctx, config, options)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("applying the status of %s: %w", key, err)
	}
	s.Fresh.Wrote(key, s.Cache, written.GetResourceVersion())
	s.wrote(key, now)
	report.Transitions(s.Recorder, object, s.Conditions(s.Of(object)), s.Conditions(status))
	return nil
}

func (s *Status[T, S, C]) wrote(key cache.ObjectName, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, key)
	if s.Spacing == nil {
		return
	}
	if s.last == nil {
		s.last = map[cache.ObjectName]time.Time{}
	}
	s.last[key] = now
}
