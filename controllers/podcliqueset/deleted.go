package podcliqueset

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"grove.io/grove/apis/grove/v1alpha1"
)

// deletedSets remembers sets whose end was seen and whose children are still to be deleted. What is lost when the operator
// ends is left to garbage collection.
type deletedSets struct {
	mu   sync.Mutex
	sets map[cache.ObjectName]types.UID
}

// note is told of every set that is gone, and returns its key. One that had been marked for deletion before ended in the
// foreground, so that its children went first, or left them as orphans, so that they stay. The others end at once, and
// their children with them.
func (d *deletedSets) note(set *v1alpha1.PodCliqueSet) []cache.ObjectName {
	key := cache.MetaObjectToName(set)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sets == nil {
		d.sets = map[cache.ObjectName]types.UID{}
	}
	if set.DeletionTimestamp == nil {
		d.sets[key] = set.UID
	} else {
		delete(d.sets, key)
	}
	return []cache.ObjectName{key}
}

// replaced drops a set in whose place there is another, whose UID is given.
func (d *deletedSets) replaced(set cache.ObjectName, by types.UID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sets[set] != by {
		delete(d.sets, set)
	}
}

// finish deletes the children of a set, once, if they are to go.
func (d *deletedSets) finish(set cache.ObjectName, deleteChildren func(types.UID) error) error {
	d.mu.Lock()
	uid, noted := d.sets[set]
	d.mu.Unlock()
	if !noted {
		return nil
	}
	if err := deleteChildren(uid); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.sets, set)
	return nil
}
