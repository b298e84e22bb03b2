package apply

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	grovev1alpha1 "grove.io/grove/apis/applyconfiguration/grove/v1alpha1"
	"grove.io/grove/apis/grove/v1alpha1"
)

func TestStatusesTakeTheirTime(t *testing.T) {
	born := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	set := &v1alpha1.PodCliqueSet{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "s", CreationTimestamp: metav1.NewTime(born)}}
	set.Spec.Replicas = 500
	statuses := &Status[*v1alpha1.PodCliqueSet, v1alpha1.PodCliqueSetStatus, *grovev1alpha1.PodCliqueSetApplyConfiguration]{
		Of: func(set *v1alpha1.PodCliqueSet) *v1alpha1.PodCliqueSetStatus { return &set.Status },
		Spacing: func(set *v1alpha1.PodCliqueSet) time.Duration {
			return time.Duration(set.Spec.Replicas) * time.Millisecond
		},
	}
	expect := func(what string, got, want time.Duration) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %s; want %s", what, got, want)
		}
	}
	expect("a new object", statuses.Beginning(set, born.Add(time.Second)), beginningLasts-time.Second)
	expect("by a clock that is behind", statuses.Beginning(set, born.Add(-time.Hour)), beginningLasts)
	expect("an old object", statuses.Beginning(set, born.Add(time.Hour)), 0)
	expect("before the first status", statuses.TooSoon(set, born), 0)
	key := cache.MetaObjectToName(set)
	statuses.wrote(key, born)
	expect("after a status", statuses.TooSoon(set, born.Add(100*time.Millisecond)), 400*time.Millisecond)
	expect("some time after a status", statuses.TooSoon(set, born.Add(time.Second)), 0)
	statuses.Forget(key)
	expect("another object of the name", statuses.TooSoon(set, born), 0)
	set.Status.Phase = v1alpha1.PodCliqueSetCreating
	expect("an object with a status", statuses.Beginning(set, born), 0)
}
