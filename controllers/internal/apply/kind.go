// Package apply is the only one that writes objects. It applies configurations server-side, each controller's under a field
// manager of its own, and sends nothing where an object in the cache already is as it should be.
package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/lru"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/consistency"
	"grove.io/grove/controllers/internal/metrics"
)

// absent is a resourceVersion that no object has: the store's revisions begin with it before anything is written. An apply that
// carries it creates an object, and is refused with a conflict where the object exists.
const absent = "1"

// anyVersion stands for whichever version of an object there is.
const anyVersion = ""

// refusalHolds is for how long a child that was refused isn't sent again unchanged: a bit less than RefusedRetry.
const refusalHolds = RefusedRetry - 5*time.Second

// RefusedRetry is when a child that was refused is tried again, if nothing else happens: what stands in its way, such as an
// object of the same name or a quota, isn't always something that a controller watches.
const RefusedRetry = 30 * time.Second

// remembered is how many children each Kind remembers to be as they should.
const remembered = 100_000

// Configuration is an apply configuration, as client-go and controller-gen generate them. C is the type itself.
type Configuration[C any] interface {
	GetName() *string
	GetNamespace() *string
	WithUID(types.UID) C
	WithResourceVersion(string) C
}

// Client is the part of a typed client that a Kind uses.
type Client[T any, C any] interface {
	Apply(ctx context.Context, config C, options metav1.ApplyOptions) (T, error)
	Get(ctx context.Context, name string, options metav1.GetOptions) (T, error)
	Delete(ctx context.Context, name string, options metav1.DeleteOptions) error
}

// Owner is on whose behalf children are written.
type Owner struct {
	metav1.Object
	// Kind is the owner's kind.
	Kind string
	// Set is the name of the PodCliqueSet that the owner is or belongs to.
	Set string
	// Gate is what applies on behalf of the owner pass; nil for none.
	Gate *Gate
	// Size is how much there is to apply, in a measure that owners at one Gate have in common.
	Size int
	// Refused is told of each child that is refused, as it is: others may still be written long after. It is called concurrently; nil for nobody.
	Refused func(error)
	// Live reads the owner from the API server.
	Live func(ctx context.Context) (metav1.Object, error)
}

// mayAdopt tells whether the owner is there to stay. The cache may not know yet that it is being deleted and its children
// orphaned; to adopt one then would be its end.
func (o Owner) mayAdopt(ctx context.Context) (bool, error) {
	live, err := o.Live(ctx)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading %s %s before it adopts: %w", o.Kind, o.GetName(), err)
	}
	return live.GetUID() == o.GetUID() && live.GetDeletionTimestamp() == nil, nil
}

// Kind writes the children of one kind.
type Kind[T metav1.Object, C Configuration[C]] struct {
	name    string
	manager string
	// Cache has the objects of the kind that are labelled as Grove's.
	Cache   cache.Indexer
	client  func(namespace string) Client[T, C]
	extract func(object T, manager string) (C, error)
	tracker *consistency.Tracker
	applies metrics.Applies

	// Stripped is set where the cache keeps neither managedFields nor all of the spec: an object is read from the API
	// server before it is changed.
	Stripped bool
	// Immutable is set for a kind most of which can't be changed: it returns a configuration with what has to stay from
	// what is owned, and the rest from what is wanted.
	Immutable func(owned, wanted C) C
	// Lazy is set for a kind of which a part isn't worth a request: it returns what is wanted with that part as it is owned.
	// The part is brought up to date with whatever else changes.
	Lazy func(owned, wanted C) C
	// Normal is set for a kind of which what is owned can be said in several ways: it returns that as wanted configurations say it.
	Normal func(owned C) C
	// Inherited is set for a kind whose objects serve the successor of their owner, even while they are being deleted.
	Inherited bool

	equal   *lru.Cache // by object name: the state last found equal to what is wanted
	refused *lru.Cache // by object name: what was refused last
}

// atATime is how many children of one owner are written at a time: enough to keep an API server busy, and few beside the limit of requests in flight, which
// others' requests wait for, too.
const atATime = 32

// NewKind returns what writes the children of a kind under a field manager. The tracker is told of every write; extract returns what a
// manager owns of an object.
func NewKind[T metav1.Object, C Configuration[C], I Client[T, C]](
	name, manager string, tracker *consistency.Tracker, store cache.Indexer, client func(namespace string) I, extract func(object T, manager string) (C, error),
) *Kind[T, C] {
	return &Kind[T, C]{
		name: name, manager: manager, tracker: tracker, Cache: store, extract: extract, applies: metrics.NewApplies(name, ""),
		client:  func(namespace string) Client[T, C] { return client(namespace) },
		equal:   lru.New(remembered),
		refused: lru.New(remembered),
	}
}

// equalState says that an object, whatever its status, was found to be as a configuration wants it.
type equalState struct {
	uid    types.UID
	live   uint64
	wanted uint64
}

// All applies configurations, several at a time, begun in their order. The error is the aggregate of all that failed.
func (k *Kind[T, C]) All(ctx context.Context, owner Owner, wanted []C) error {
	return Each(ctx, atATime, wanted, func(config C) error { return k.Apply(ctx, owner, config) })
}

// AllRead is All for configurations that repeat what was read from the children. Each is applied to the very version that
// was read, by name, and the error is a conflict where there is a newer one.
func (k *Kind[T, C]) AllRead(ctx context.Context, owner Owner, wanted []C, read map[string]T) error {
	return Each(ctx, atATime, wanted, func(config C) error {
		live, ok := read[*config.GetName()]
		if !ok {
			return k.Apply(ctx, owner, config)
		}
		return k.unlessRefused(owner, config, func(name cache.ObjectName) error {
			return k.update(ctx, owner, name, live, config, live.GetResourceVersion())
		})
	})
}

// Apply makes one child as its configuration wants it. A child that is being deleted is left alone: its end, which the cache
// sees, wakes its owner. The error is a problem for a user where the name belongs to something else, or where the API server
// refuses the child; what was refused is sent again only if it has changed, or after a while.
func (k *Kind[T, C]) Apply(ctx context.Context, owner Owner, wanted C) error {
	return k.unlessRefused(owner, wanted, func(name cache.ObjectName) error { return k.apply(ctx, owner, name, wanted) })
}

// unlessRefused writes a configuration unless it was refused a moment ago.
func (k *Kind[T, C]) unlessRefused(owner Owner, wanted C, write func(name cache.ObjectName) error) error {
	name := cache.NewObjectName(*wanted.GetNamespace(), *wanted.GetName())
	hash, err := hashOf(wanted)
	if err != nil {
		return err
	}
	if before, ok := k.refused.Get(name); ok && before.(refusal).holds(hash) {
		return before.(refusal).err
	}
	err = write(name)
	if isRefused(err) {
		k.refused.Add(name, refusal{wanted: hash, err: err, until: time.Now().Add(refusalHolds)})
		if owner.Refused != nil {
			owner.Refused(err)
		}
	}
	return err
}

// Replace deletes children that have run to their end, and creates their successors, which get their names, in one go.
func (k *Kind[T, C]) Replace(ctx context.Context, owner Owner, ended []T, successors []C) error {
	pairs := make([]int, len(ended))
	for i := range pairs {
		pairs[i] = i
	}
	return Each(ctx, atATime, pairs, func(i int) error {
		if err := k.Delete(ctx, owner, ended[i:i+1]); err != nil {
			return err
		}
		return k.unlessRefused(owner, successors[i], func(name cache.ObjectName) error { return k.create(ctx, owner, name, successors[i]) })
	})
}

// refusal is what was said against a configuration, and for how long that isn't asked again.
type refusal struct {
	wanted uint64
	err    error
	until  time.Time
}

func (r refusal) holds(wanted uint64) bool { return r.wanted == wanted && time.Now().Before(r.until) }

func (k *Kind[T, C]) apply(ctx context.Context, owner Owner, name cache.ObjectName, wanted C) error {
	obj, exists, err := k.Cache.GetByKey(name.String())
	if err != nil {
		return err
	}
	if !exists {
		return k.create(ctx, owner, name, wanted)
	}
	live, version := obj.(T), anyVersion
	if k.Stripped {
		if mine, err := k.claim(ctx, owner, live); !mine {
			return err
		}
		if live, err = k.client(name.Namespace).Get(ctx, name.Name, metav1.GetOptions{}); err != nil {
			return err
		}
		// What is repeated of the object may be changed by somebody else at this moment.
		version = live.GetResourceVersion()
	}
	return k.update(ctx, owner, name, live, wanted, version)
}

// create applies a configuration to an object that isn't in the cache.
func (k *Kind[T, C]) create(ctx context.Context, owner Owner, name cache.ObjectName, wanted C) error {
	err := k.send(ctx, owner, name, wanted.WithResourceVersion(absent))
	if !apierrors.IsConflict(err) {
		return err
	}
	// It exists after all: the cache is behind, or the object isn't labelled as Grove's.
	live, err := k.client(name.Namespace).Get(ctx, name.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return k.tryAgain(name, "it has just gone")
	}
	if err != nil {
		return err
	}
	if wanted, err = withoutVersion(wanted); err != nil {
		return err
	}
	mine, err := k.claim(ctx, owner, live)
	if err == nil && (!mine || live.GetDeletionTimestamp() != nil) {
		// The cache may never see its end.
		return k.tryAgain(name, "it is being deleted")
	}
	if err != nil {
		return err
	}
	return k.update(ctx, owner, name, live, wanted, anyVersion)
}

// tryAgain is the error of a child whose name will be free soon.
func (k *Kind[T, C]) tryAgain(name cache.ObjectName, why string) error {
	return apierrors.NewConflict(schema.GroupResource{Resource: k.name}, name.Name, errors.New(why))
}

// update applies a configuration to an object, of some version, unless it already is as it should be.
func (k *Kind[T, C]) update(ctx context.Context, owner Owner, name cache.ObjectName, live T, wanted C, version string) error {
	if mine, err := k.claim(ctx, owner, live); !mine || live.GetDeletionTimestamp() != nil && !k.Inherited {
		return err
	}
	state, err := k.stateOf(live, wanted)
	if err != nil {
		return err
	}
	if known, ok := k.equal.Get(name); ok && known == state {
		return nil
	}
	owned, err := k.extract(live, k.manager)
	if err != nil {
		return fmt.Errorf("reading what %s owns of %s %s: %w", k.manager, k.name, name, err)
	}
	if k.Normal != nil {
		owned = k.Normal(owned)
	}
	if k.Immutable != nil {
		wanted = k.Immutable(owned, wanted)
	}
	compared := wanted
	if k.Lazy != nil {
		compared = k.Lazy(owned, wanted)
	}
	if equality.Semantic.DeepEqual(owned, compared) {
		k.equal.Add(name, state)
		return nil
	}
	wanted = wanted.WithUID(live.GetUID())
	if version != anyVersion {
		wanted = wanted.WithResourceVersion(version)
	}
	return k.send(ctx, owner, name, wanted)
}

// stateOf identifies what a configuration says, and everything of an object that comparing the two would look at: that
// comparison costs a hundred times as much. An object that counts generations is known by its generation and metadata.
func (k *Kind[T, C]) stateOf(live T, wanted C) (equalState, error) {
	state := equalState{uid: live.GetUID()}
	var err error
	if state.wanted, err = hashOf(wanted); err != nil {
		return state, err
	}
	if live.GetGeneration() == 0 {
		state.live, err = hashOf(live.GetResourceVersion())
		return state, err
	}
	owned := slices.Clone(live.GetManagedFields())
	owned = slices.DeleteFunc(owned, func(e metav1.ManagedFieldsEntry) bool { return e.Manager != k.manager })
	state.live, err = hashOf([]any{live.GetGeneration(), live.GetLabels(), live.GetAnnotations(), live.GetOwnerReferences(), owned})
	return state, err
}

// send applies a configuration and explains what the API server says against it.
func (k *Kind[T, C]) send(ctx context.Context, owner Owner, name cache.ObjectName, config C) error {
	leave, err := owner.Gate.Enter(ctx, owner, 1)
	if err != nil {
		return err
	}
	live, err := k.client(name.Namespace).Apply(ctx, config, metav1.ApplyOptions{FieldManager: k.manager, Force: true})
	leave()
	k.applies.Count(resultOf(err))
	switch {
	case err == nil:
		k.tracker.Wrote(cache.MetaObjectToName(owner), k.Cache, live.GetResourceVersion())
		return nil
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return nil
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return refuse(v1alpha1.ReasonInvalidChild, "the API server refuses %s %s: %v; change the %s %s accordingly",
			k.name, name.Name, err, ownerKind, owner.Set)
	case isTooLarge(err):
		return refuse(tooLarge, "%s %s would be larger than etcd takes: scale the %s %s in, or divide it into several", k.name, name.Name, ownerKind, owner.Set)
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota"):
		return refuse(v1alpha1.ReasonForbiddenChild, "the API server refuses %s %s: %v; raise the quota, or scale in what uses it: gangs of which each has "+
			"a part of their pods hold it from each other", k.name, name.Name, err)
	case apierrors.IsForbidden(err):
		return refuse(v1alpha1.ReasonForbiddenChild, "the API server refuses %s %s: %v", k.name, name.Name, err)
	default:
		return fmt.Errorf("applying %s %s: %w", k.name, name, err)
	}
}

// ownerKind is what a user edits to change a child.
const ownerKind = "PodCliqueSet"

// claim tells whether an object that has a child's name is the owner's, or may be adopted: one without a controller that
// bears the set's labels, as is left when a set is deleted and its children are kept. What belonged to a predecessor of the
// same name will be gone soon, and is nobody's problem.
func (k *Kind[T, C]) claim(ctx context.Context, owner Owner, live T) (bool, error) {
	controller := metav1.GetControllerOfNoCopy(live)
	switch {
	case controller == nil && live.GetLabels()[v1alpha1.LabelManagedBy] == v1alpha1.ManagedBy && live.GetLabels()[v1alpha1.LabelPodCliqueSet] == owner.Set:
		return owner.mayAdopt(ctx)
	case controller == nil:
		return false, refuse(v1alpha1.ReasonNameConflict, "%s %s exists and isn't controlled by anything; delete it, or give the %s another name",
			k.name, live.GetName(), ownerKind)
	case controller.UID == owner.GetUID():
		return true, nil
	case controller.Kind == owner.Kind && controller.Name == owner.GetName():
		return k.Inherited, nil
	default:
		return false, refuse(v1alpha1.ReasonNameConflict, "%s %s exists and is controlled by %s %s; give that or the %s another name",
			k.name, live.GetName(), controller.Kind, controller.Name, ownerKind)
	}
}

// Delete deletes children, several at a time, each by its UID. One that is being deleted already isn't deleted again.
func (k *Kind[T, C]) Delete(ctx context.Context, owner Owner, children []T) error {
	children = slices.DeleteFunc(slices.Clone(children), func(child T) bool { return child.GetDeletionTimestamp() != nil })
	return k.delete(ctx, owner, children, metav1.DeleteOptions{})
}

// DeleteNow is Delete without waiting for what runs the children, which has to be lost for good. It hurries those that are being deleted, too.
func (k *Kind[T, C]) DeleteNow(ctx context.Context, owner Owner, children []T) error {
	return k.delete(ctx, owner, children, *metav1.NewDeleteOptions(0))
}

func (k *Kind[T, C]) delete(ctx context.Context, owner Owner, children []T, options metav1.DeleteOptions) error {
	return Each(ctx, atATime, children, func(child T) error {
		options := options
		options.Preconditions = metav1.NewUIDPreconditions(string(child.GetUID()))
		err := k.client(child.GetNamespace()).Delete(ctx, child.GetName(), options)
		// A conflict means that the name has passed to another object.
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return fmt.Errorf("deleting %s %s: %w", k.name, child.GetName(), err)
		}
		k.tracker.Deleted(cache.MetaObjectToName(owner), k.Cache, child)
		return nil
	})
}
