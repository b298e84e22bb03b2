package dirty

import (
	"errors"
	"testing"

	"k8s.io/client-go/tools/cache"
)

func TestClean(t *testing.T) {
	var keys Keys
	key := cache.NewObjectName("ns", "a")
	mark := Marking(&keys, func(cache.ObjectName) []cache.ObjectName { return []cache.ObjectName{key} })
	dealt := 0
	deal := func(err error) func() error {
		return func() error { dealt++; return err }
	}
	if err := keys.Clean(key, deal(nil)); err != nil || dealt != 0 {
		t.Errorf("a clean key was dealt with: %d, %v", dealt, err)
	}
	mark(key)
	failure := errors.New("failure")
	if err := keys.Clean(key, deal(failure)); !errors.Is(err, failure) || dealt != 1 {
		t.Errorf("dealt %d times, %v", dealt, err)
	}
	if err := keys.Clean(key, deal(nil)); err != nil || dealt != 2 {
		t.Errorf("a key that couldn't be dealt with is clean: %d, %v", dealt, err)
	}
	if err := keys.Clean(key, deal(nil)); err != nil || dealt != 2 {
		t.Errorf("a key that was dealt with is dirty: %d, %v", dealt, err)
	}
	mark(key)
	if err := keys.Clean(key, func() error { mark(key); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := keys.Clean(key, deal(nil)); err != nil || dealt != 3 {
		t.Errorf("a change during the work is lost: %d, %v", dealt, err)
	}
}
