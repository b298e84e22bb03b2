package podcliqueset

import (
	"sync"

	"k8s.io/client-go/tools/cache"

	"grove.io/grove/apis/grove/v1alpha1"
)

// deletedSets remembers sets whose end was seen and whose children are still to be deleted. What is lost when the operator
// ends is left to garbage collection.
type deletedSets struct {
	mu   sync.Mutex
	sets map[cache.ObjectName]bool
}

// note is told of every set that is gone. One that had been marked for deletion before ended in the foreground, so that its
// children went first, or left them as orphans, so that they stay. The others end at once, and their children with them.
func (d *deletedSets) note(obj any) {
	set, ok := obj.(*v1alpha1.PodCliqueSet)
	if !ok || set.DeletionTimestamp != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sets == nil {
		d.sets = map[cache.ObjectName]bool{}
	}
	d.sets[cache.MetaObjectToName(set)] = true
}

// finish deletes the children of a set, once, if they are to go.
func (d *deletedSets) finish(set cache.ObjectName, deleteChildren func() error) error {
	d.mu.Lock()
	noted := d.sets[set]
	d.mu.Unlock()
	if !noted {
		return nil
	}
	if err := deleteChildren(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.sets, set)
	return nil
}
