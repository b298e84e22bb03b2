package consistency

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
)

var owner = cache.NewObjectName("ns", "owner")

func pod(uid types.UID) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "pod", UID: uid}}
}

func TestWritesAreFreshOnceTheCacheHasSeenThem(t *testing.T) {
	var tracker Tracker
	store := cache.NewStore(cache.MetaNamespaceKeyFunc)
	if !tracker.Fresh(owner) {
		t.Error("an owner that wrote nothing isn't fresh")
	}
	tracker.Wrote(owner, store, "12")
	tracker.Wrote(owner, store, "9")
	for _, step := range []struct {
		seen string
		want bool
	}{{"8", false}, {"9", false}, {"11", false}, {"12", true}, {"13", true}} {
		store.Bookmark(step.seen)
		if got := tracker.Fresh(owner); got != step.want {
			t.Errorf("12 was written and %s seen: fresh is %v", step.seen, got)
		}
	}
	if !tracker.Fresh(cache.NewObjectName("ns", "another")) {
		t.Error("another owner's writes count")
	}
}

func TestDeletionsAreFreshOnceTheCacheHasSeenThem(t *testing.T) {
	for name, seen := range map[string]func(cache.Store){
		"gone":        func(s cache.Store) { _ = s.Delete(pod("1")) },
		"terminating": func(s cache.Store) { p := pod("1"); p.DeletionTimestamp = &metav1.Time{}; _ = s.Update(p) },
		"replaced":    func(s cache.Store) { _ = s.Update(pod("2")) },
	} {
		t.Run(name, func(t *testing.T) {
			var tracker Tracker
			store := cache.NewStore(cache.MetaNamespaceKeyFunc)
			if err := store.Add(pod("1")); err != nil {
				t.Fatal(err)
			}
			tracker.Deleted(owner, store, pod("1"))
			if tracker.Fresh(owner) {
				t.Error("fresh while the cache has the deleted pod")
			}
			seen(store)
			if !tracker.Fresh(owner) {
				t.Error("not fresh though the cache knows")
			}
		})
	}
}

// One that is on its way out already is seen once it is to go sooner.
func TestHurriedDeletionsAreFreshOnceTheCacheHasSeenThem(t *testing.T) {
	var tracker Tracker
	store := cache.NewStore(cache.MetaNamespaceKeyFunc)
	ending := func(at int64) *corev1.Pod {
		p := pod("1")
		p.DeletionTimestamp = &metav1.Time{Time: time.Unix(at, 0)}
		return p
	}
	if err := store.Add(ending(30)); err != nil {
		t.Fatal(err)
	}
	tracker.Deleted(owner, store, ending(30))
	if tracker.Fresh(owner) {
		t.Error("fresh while the cache has the pod as it was")
	}
	if err := store.Update(ending(0)); err != nil {
		t.Fatal(err)
	}
	if !tracker.Fresh(owner) {
		t.Error("not fresh though the cache knows")
	}
}

func TestForget(t *testing.T) {
	var tracker Tracker
	tracker.Wrote(owner, cache.NewStore(cache.MetaNamespaceKeyFunc), "12")
	tracker.Forget(owner)
	if !tracker.Fresh(owner) {
		t.Error("a forgotten owner isn't fresh")
	}
}
