package turns

import (
	"slices"
	"testing"

	"k8s.io/client-go/tools/cache"
)

// Whoever has many keys gets every other one, and its own in their order.
func TestNamespacesTakeTurns(t *testing.T) {
	queue := New(func(key cache.ObjectName) string { return key.Namespace }, nil)
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
	if !slices.Equal(popped, want) || queue.Len() != 0 || len(queue.items) != 0 {
		t.Errorf("popped %q, want %q; left: %v", popped, want, queue.items)
	}
}

// In a namespace items come in the order that it is given, equal ones as they were added.
func TestOrderInANamespace(t *testing.T) {
	queue := New(func(string) string { return "one" }, func(a, b string) bool { return len(a) < len(b) })
	for _, item := range []string{"ccc", "a2", "a1", "b", "ddd", "c"} {
		queue.Push(item)
	}
	var popped []string
	for queue.Len() > 0 {
		popped = append(popped, queue.Pop())
	}
	if want := []string{"b", "c", "a2", "a1", "ccc", "ddd"}; !slices.Equal(popped, want) {
		t.Errorf("popped %q, want %q", popped, want)
	}
}
