package apply

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"

	grovev1alpha1 "grove.io/grove/apis/applyconfiguration/grove/v1alpha1"
	"grove.io/grove/apis/grove/v1alpha1"
)

func TestStatusesTakeTheirTime(t *testing.T) {
	born := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	set := &v1alpha1.PodCliqueSet{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "s", CreationTimestamp: metav1.NewTime(born)}}
	set.Spec.Replicas = 500
	statuses := &Status[*v1alpha1.PodCliqueSet, v1alpha1.PodCliqueSetStatus, *grovev1alpha1.PodCliqueSetApplyConfiguration]{
		Of:          func(set *v1alpha1.PodCliqueSet) *v1alpha1.PodCliqueSetStatus { return &set.Status },
		FirstWithin: FirstWithin,
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
	expect("a new object", statuses.Beginning(set, born.Add(time.Second)), FirstWithin-time.Second)
	expect("by a clock that is behind", statuses.Beginning(set, born.Add(-time.Hour)), FirstWithin)
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

func TestChangesWaitForOthers(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const patience = time.Second
	statuses := &Status[*v1alpha1.PodCliqueSet, v1alpha1.PodCliqueSetStatus, *grovev1alpha1.PodCliqueSetApplyConfiguration]{
		Of: func(set *v1alpha1.PodCliqueSet) *v1alpha1.PodCliqueSetStatus { return &set.Status },
	}
	set := &v1alpha1.PodCliqueSet{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "s"}}
	replicas := func(n int32) v1alpha1.PodCliqueSetStatus { return v1alpha1.PodCliqueSetStatus{Replicas: n} }
	for _, step := range []struct {
		what     string
		at       time.Duration
		status   v1alpha1.PodCliqueSetStatus
		patience time.Duration
		want     time.Duration
	}{
		{"no change", 0, replicas(0), patience, 0},
		{"a change", 0, replicas(1), patience, patience},
		{"another", patience / 4, replicas(2), patience, patience * 3 / 4},
		{"a change that can't wait", patience / 2, replicas(3), 0, 0},
		{"all taken back", patience / 2, replicas(0), patience, 0},
		{"a new change", patience / 2, replicas(1), patience, patience},
		{"in the end", patience * 3 / 2, replicas(1), patience, 0},
		{"all taken back again", patience * 3 / 2, replicas(0), patience, 0},
		{"a change that may wait for long", patience * 3 / 2, replicas(1), 30 * patience, 30 * patience},
		{"one that may not, much later", patience * 20, replicas(2), patience, patience},
		{"the next that may wait for long", patience * 41 / 2, replicas(3), 30 * patience, patience / 2},
	} {
		if got := statuses.hold(set, &step.status, step.patience, now.Add(step.at)); got != step.want {
			t.Errorf("%s is held for %s; want %s", step.what, got, step.want)
		}
	}
	statuses.wrote(cache.MetaObjectToName(set), now)
	if got := statuses.hold(set, ptr.To(replicas(1)), patience, now.Add(2*patience)); got != patience {
		t.Errorf("the first change after a write is held for %s; want %s", got, patience)
	}
}
