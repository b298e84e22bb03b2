// Package consistency tells whether caches have seen what a controller wrote itself. A decision made from an older cache would be
// made twice.
package consistency

import (
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/tools/cache"
)

// Retry is when a key is looked at again whose caches are behind. Normally the very event that they wait for comes sooner.
const Retry = time.Second

// Tracker remembers what was written on behalf of each owner and hasn't been seen in the caches yet. The zero value is ready
// for use.
type Tracker struct {
	mu      sync.Mutex
	pending map[cache.ObjectName]*pending
}

// pending is what the caches haven't seen of one owner's writes.
type pending struct {
	// written has, for each cache, the newest resourceVersion.
	written map[cache.Store]string
	deleted []deletion
}

// deletion is of an object that a cache may still have as it was before.
type deletion struct {
	store cache.Store
	name  cache.ObjectName
	uid   types.UID
	// before is when the object was to go before it was deleted, if it was on its way out already and was told to go sooner.
	before *metav1.Time
}

// Wrote records that an object that a cache will see was written on behalf of an owner.
func (t *Tracker) Wrote(owner cache.ObjectName, store cache.Store, resourceVersion string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	written := t.of(owner).written
	if before, ok := written[store]; !ok || !reached(before, resourceVersion) {
		written[store] = resourceVersion
	}
}

// Deleted records that an object that a cache has was deleted on behalf of an owner.
func (t *Tracker) Deleted(owner cache.ObjectName, store cache.Store, object metav1.Object) {
	t.mu.Lock()
	defer t.mu.Unlock()
	of := t.of(owner)
	of.deleted = append(of.deleted, deletion{store: store, name: cache.MetaObjectToName(object), uid: object.GetUID(), before: object.GetDeletionTimestamp()})
}

func (t *Tracker) of(owner cache.ObjectName) *pending {
	if t.pending == nil {
		t.pending = map[cache.ObjectName]*pending{}
	}
	if t.pending[owner] == nil {
		t.pending[owner] = &pending{written: map[cache.Store]string{}}
	}
	return t.pending[owner]
}

// Fresh tells whether the caches have seen all that was written on behalf of an owner.
func (t *Tracker) Fresh(owner cache.ObjectName) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	of := t.pending[owner]
	if of == nil {
		return true
	}
	for store, resourceVersion := range of.written {
		if !reached(store.LastStoreSyncResourceVersion(), resourceVersion) {
			return false
		}
	}
	of.deleted = slices.DeleteFunc(of.deleted, deletion.seen)
	if len(of.deleted) > 0 {
		return false
	}
	delete(t.pending, owner)
	return true
}

// seen tells whether the cache knows that the object is gone or going.
func (d deletion) seen() bool {
	obj, exists, err := d.store.GetByKey(d.name.String())
	if err != nil || !exists {
		return true
	}
	object, ok := obj.(metav1.Object)
	return !ok || object.GetUID() != d.uid || !object.GetDeletionTimestamp().Equal(d.before)
}

// Forget drops what is remembered of an owner that is gone.
func (t *Tracker) Forget(owner cache.ObjectName) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.pending, owner)
}

// reached tells whether one resourceVersion is at least another. What can't be compared counts as reached: waiting for it
// would be waiting for ever.
func reached(have, want string) bool {
	order, err := resourceversion.CompareResourceVersion(have, want)
	return err != nil || order >= 0
}
