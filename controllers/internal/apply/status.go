package apply

import (
	"context"
	"fmt"

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

	// Fresh tells whether the cache has the status that was written last.
	Fresh fresh.Tracker
}

// Write writes a status if it has changed. An object that is gone, or was replaced by another of its name, needs no status.
func (s *Status[T, S, C]) Write(ctx context.Context, object T, status *S) error {
	live := s.Of(object)
	if equality.Semantic.DeepEqual(live, status) {
		return nil
	}
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
	report.Transitions(s.Recorder, object, s.Conditions(live), s.Conditions(status))
	return nil
}
