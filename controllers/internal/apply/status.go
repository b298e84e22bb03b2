package apply

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"

	"grove.io/grove/controllers/internal/coalesce"
	"grove.io/grove/controllers/internal/fresh"
	"grove.io/grove/controllers/internal/report"
)

// statusSuffix makes a controller's field manager for a status out of that for a spec.
const statusSuffix = "-status"

// statusesInFlight is how many statuses of one kind are written at a time. Where the API server is slow, statuses wait, and more
// changes go into each: what they describe comes first.
const statusesInFlight = 4

// StatusClient is the part of a typed client that writes a status.
type StatusClient[T, C any] interface {
	ApplyStatus(ctx context.Context, config C, options metav1.ApplyOptions) (T, error)
}

// Object is an API object.
type Object interface {
	metav1.Object
	runtime.Object
}

// Status writes the statuses, of type S, of the objects of one kind.
type Status[T Object, S any, C Configuration[C]] struct {
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
	// Fresh is told of every write.
	Fresh *fresh.Tracker
	// Recorder emits events when conditions change.
	Recorder events.EventRecorder

	writes   *coalesce.Writes
	inFlight chan struct{}
}

// NewStatus completes a Status.
func NewStatus[T Object, S any, C Configuration[C]](s Status[T, S, C]) *Status[T, S, C] {
	s.writes = &coalesce.Writes{}
	s.inFlight = make(chan struct{}, statusesInFlight)
	return &s
}

// Forget drops what is remembered of an object that is gone.
func (s *Status[T, S, C]) Forget(key cache.ObjectName) { s.writes.Forget(key) }

// Describe writes a status if it has changed, together with other changes that come soon after: until then it returns how
// long to wait. An object that is gone, or was replaced by another of its name, needs no status.
func (s *Status[T, S, C]) Describe(ctx context.Context, object T, status *S, now time.Time) (time.Duration, error) {
	key := cache.MetaObjectToName(object)
	live := s.Of(object)
	if equality.Semantic.DeepEqual(live, status) {
		s.writes.Forget(key)
		return 0, nil
	}
	if wait, due := s.writes.Due(key, now); !due {
		return wait, nil
	}
	select {
	case s.inFlight <- struct{}{}:
		defer func() { <-s.inFlight }()
	default:
		return coalesce.Window, nil
	}
	config := s.Configuration(object, status).WithUID(object.GetUID())
	options := metav1.ApplyOptions{FieldManager: s.Manager + statusSuffix, Force: true}
	written, err := s.Client(key.Namespace).ApplyStatus(ctx, config, options)
	switch {
	case apierrors.IsNotFound(err):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("applying the status of %s: %w", key, err)
	}
	s.Fresh.Wrote(key, s.Cache, written.GetResourceVersion())
	report.Transitions(s.Recorder, object, s.Conditions(live), s.Conditions(status))
	return 0, nil
}
