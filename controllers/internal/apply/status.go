package apply

import (
	"context"
	"fmt"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	toolsevents "k8s.io/client-go/tools/events"

	"grove.io/grove/controllers/internal/consistency"
	"grove.io/grove/controllers/internal/events"
	"grove.io/grove/controllers/internal/metrics"
	"grove.io/grove/controllers/plan"
)

// statusSubresource is where statuses are applied.
const statusSubresource = "status"

// statusSuffix makes a controller's field manager for a status out of that for a spec.
const statusSuffix = "-status"

// StatusClient is the part of a typed client that writes a status.
type StatusClient[T, C any] interface {
	ApplyStatus(ctx context.Context, config C, options metav1.ApplyOptions) (T, error)
}

// StatusConfiguration is the apply configuration of an object with a status, whose own is A.
type StatusConfiguration[A, C any] interface {
	Configuration[C]
	WithStatus(status *A) C
}

// Status writes the statuses, of type S, of the objects of one kind.
type Status[T events.Object, S any] struct {
	manager    string
	cache      cache.Store
	pace       *Pace
	recorder   toolsevents.EventRecorder
	applies    metrics.Applies
	of         func(object T) *S
	conditions func(status *S) []metav1.Condition
	send       func(ctx context.Context, object T, status *S, guarded bool, options metav1.ApplyOptions) (T, error)

	// Sums is set for a kind that is described by the statuses of others.
	Sums bool
	// Silent tells whether a status says nothing yet to people who wait for its first words: they wait for the shortest hold; nil for nobody.
	Silent func(status *S) bool
	// Guarded tells whether a change may only be made to the very state that it was computed from; nil for never.
	Guarded func(before, after *S) bool
	// Written is told of each change that was written; nil for nobody.
	Written func(object T, before, after *S)

	// Tracker tells whether the cache has the status that was written last.
	consistency.Tracker
}

// NewStatus returns what writes the statuses of one kind, under a field manager derived from a controller's. Configuration begins the
// apply configuration of an object. An event tells of conditions that turn.
func NewStatus[T events.Object, S, A any, C StatusConfiguration[A, C], I StatusClient[T, C]](
	manager string, store cache.Store, pace *Pace, recorder toolsevents.EventRecorder, client func(namespace string) I,
	configuration func(name, namespace string) C, of func(object T) *S, conditions func(status *S) []metav1.Condition,
) *Status[T, S] {
	return &Status[T, S]{
		manager: manager + statusSuffix, cache: store, pace: pace, recorder: recorder, of: of, conditions: conditions,
		applies: metrics.NewApplies(reflect.TypeFor[T]().Elem().Name(), statusSubresource),
		send: func(ctx context.Context, object T, status *S, guarded bool, options metav1.ApplyOptions) (T, error) {
			config := configuration(object.GetName(), object.GetNamespace()).WithUID(object.GetUID())
			if guarded {
				config = config.WithResourceVersion(object.GetResourceVersion())
			}
			return client(object.GetNamespace()).ApplyStatus(ctx, config.WithStatus(plan.Configuration[A](status)), options)
		},
	}
}

// Write writes a status if it has changed and is to be written now, or returns how long it is held. An object that is gone, or was
// replaced by another of its name, needs no status.
func (s *Status[T, S]) Write(ctx context.Context, object T, status *S, urgency plan.Urgency, now time.Time) (wait time.Duration, err error) {
	key := cache.MetaObjectToName(object)
	held := s.described(key)
	if equality.Semantic.DeepEqual(s.of(object), status) {
		s.pace.release(held)
		return 0, nil
	}
	longest := LongestHold
	if s.Silent != nil && s.Silent(s.of(object)) {
		longest = ShortestHold
	}
	if wait := s.pace.hold(held, urgency, longest, now); wait > 0 {
		return wait, nil
	}
	guarded := s.Guarded != nil && s.Guarded(s.of(object), status)
	written, err := s.send(ctx, object, status, guarded, metav1.ApplyOptions{FieldManager: s.manager, Force: true})
	s.applies.Count(resultOf(err))
	switch {
	case apierrors.IsNotFound(err), apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		s.pace.release(held)
		return 0, nil
	case isTooLarge(err):
		s.pace.release(held)
		problem := plan.Problem{Reason: tooLarge, Message: fmt.Sprintf("the status of %s would be larger than etcd takes, and says nothing new: scale the set in, or divide it into several", key.Name)}
		// There is no condition to say it in.
		events.Warn(s.recorder, object, nil, problem.Reason, problem.Message)
		return 0, refused{problem}
	case err != nil:
		return 0, fmt.Errorf("applying the status of %s: %w", key, err)
	}
	s.pace.release(held)
	s.Wrote(key, s.cache, written.GetResourceVersion())
	events.Transitions(s.recorder, object, s.conditions(s.of(object)), s.conditions(status))
	if s.Written != nil {
		s.Written(object, s.of(object), status)
	}
	return 0, nil
}

// Withdraw drops what is held of an object that there is nothing to say of for now.
func (s *Status[T, S]) Withdraw(object T) {
	s.pace.release(s.described(cache.MetaObjectToName(object)))
}

func (s *Status[T, S]) described(name cache.ObjectName) described {
	return described{manager: s.manager, name: name, sums: s.Sums}
}

// Gone drops what is remembered of an object that is gone. There is no error.
func (s *Status[T, S]) Gone(_ context.Context, key cache.ObjectName) error {
	s.Forget(key)
	s.pace.release(s.described(key))
	return nil
}
