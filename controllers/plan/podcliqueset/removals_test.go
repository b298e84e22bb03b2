package podcliqueset

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

func TestPodSelectors(t *testing.T) {
	for _, replicas := range []int32{0, 1, 8, 9, 500} {
		var podCliques []*v1alpha1.PodClique
		for i := range replicas {
			for _, clique := range []string{"a", "b"} {
				podCliques = append(podCliques, &v1alpha1.PodClique{ObjectMeta: metav1.ObjectMeta{
					Name:   fmt.Sprint(clique, i),
					Labels: map[string]string{v1alpha1.LabelReplicaIndex: plan.Index(i)},
				}})
			}
		}
		selectors := PodSelectors(podCliques)
		if len(selectors) > podSelectors {
			t.Errorf("%d replicas: %d selectors", replicas, len(selectors))
		}
		for _, podClique := range podCliques {
			matches := 0
			for _, selector := range selectors {
				if selector.Matches(labels.Set(podClique.Labels)) {
					matches++
				}
			}
			if matches != 1 {
				t.Errorf("%d replicas: %d selectors match the labels of %s", replicas, matches, podClique.Name)
			}
		}
	}
}

func TestTearDown(t *testing.T) {
	now := ptr.To(metav1.NewTime(time.Unix(1_800_000_000, 0)))
	for name, test := range map[string]struct {
		deletion   bool
		finalizers []string
		children   bool
		going      bool
		want       bool
	}{
		"not deleted":                   {children: true},
		"deleted in the foreground":     {deletion: true, finalizers: []string{"foregroundDeletion"}, children: true, want: true},
		"children are on their way out": {deletion: true, finalizers: []string{"foregroundDeletion"}, children: true, going: true},
		"children are gone":             {deletion: true, finalizers: []string{"foregroundDeletion"}},
		"children are to be orphaned":   {deletion: true, finalizers: []string{"orphan"}, children: true},
		"something else holds the end":  {deletion: true, finalizers: []string{"example.com/backup"}, children: true},
	} {
		t.Run(name, func(t *testing.T) {
			observed := Set{Object: &v1alpha1.PodCliqueSet{}}
			observed.Object.Finalizers = test.finalizers
			if test.deletion {
				observed.Object.DeletionTimestamp = now
			}
			if test.children {
				podClique := &v1alpha1.PodClique{}
				if test.going {
					podClique.DeletionTimestamp = now
				}
				observed.PodCliques = map[string]*v1alpha1.PodClique{"c": podClique}
			}
			if got := observed.TearDown(); got != test.want {
				t.Errorf("TearDown is %v, want %v", got, test.want)
			}
		})
	}
}
