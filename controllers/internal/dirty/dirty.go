// Package dirty remembers which objects have changed in more than their status, or that of their children.
package dirty

import (
	"sync"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/tools/cache"
)

// Keys are the keys of objects that have changed and whose change hasn't been dealt with. The zero value is ready for use.
type Keys struct {
	mu   sync.Mutex
	keys sets.Set[cache.ObjectName]
}

// Marking returns a function that finds keys as another does, and makes them dirty.
func Marking[T any](k *Keys, find func(T) []cache.ObjectName) func(T) []cache.ObjectName {
	return func(object T) []cache.ObjectName {
		found := find(object)
		k.add(found...)
		return found
	}
}

func (k *Keys) add(keys ...cache.ObjectName) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = k.keys.Union(sets.New(keys...))
}

// Clean deals with a key if it is dirty. It stays dirty if that fails, and if it is made dirty again meanwhile.
func (k *Keys) Clean(key cache.ObjectName, deal func() error) error {
	k.mu.Lock()
	was := k.keys.Has(key)
	k.keys.Delete(key)
	k.mu.Unlock()
	if !was {
		return nil
	}
	err := deal()
	if err != nil {
		k.add(key)
	}
	return err
}

// Forget drops the key of an object that is gone.
func (k *Keys) Forget(key cache.ObjectName) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys.Delete(key)
}
