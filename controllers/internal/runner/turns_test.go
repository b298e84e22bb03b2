package runner

import (
	"slices"
	"testing"

	"k8s.io/client-go/tools/cache"
)

// Whoever has many keys gets every other one, and its own in their order.
func TestNamespacesTakeTurns(t *testing.T) {
	queue := newTurns()
	push := func(keys ...string) {
		for _, key := range keys {
			namespace, name, err := cache.SplitMetaNamespaceKey(key)
			if err != nil {
				t.Fatal(err)
			}
			queue.Push(cache.NewObjectName(namespace, name))
		}
	}
	var popped []string
	pop := func(n int) {
		for range n {
			popped = append(popped, queue.Pop().String())
		}
	}
	push("large/1", "large/2", "large/3", "large/4")
	pop(1)
	push("small/1", "small/2")
	pop(3)
	push("other/1")
	if got := queue.Len(); got != 3 {
		t.Errorf("there are %d keys, want 3", got)
	}
	pop(3)
	push("large/5")
	pop(1)
	want := []string{"large/1", "large/2", "small/1", "large/3", "small/2", "large/4", "other/1", "large/5"}
	if !slices.Equal(popped, want) || queue.Len() != 0 || len(queue.keys) != 0 {
		t.Errorf("popped %q, want %q; left: %v", popped, want, queue.keys)
	}
}
