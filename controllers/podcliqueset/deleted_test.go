package podcliqueset

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"grove.io/grove/apis/grove/v1alpha1"
)

func TestDeletedSets(t *testing.T) {
	key := cache.NewObjectName("ns", "job")
	set := func(uid types.UID, marked bool) *v1alpha1.PodCliqueSet {
		set := &v1alpha1.PodCliqueSet{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "job", UID: uid}}
		if marked {
			set.DeletionTimestamp = &metav1.Time{}
		}
		return set
	}
	for name, test := range map[string]struct {
		happens func(d *deletedSets)
		want    []types.UID
	}{
		"nothing":              {func(*deletedSets) {}, nil},
		"deleted":              {func(d *deletedSets) { d.note(set("1", false)) }, []types.UID{"1"}},
		"orphaned":             {func(d *deletedSets) { d.note(set("1", true)) }, nil},
		"made again":           {func(d *deletedSets) { d.note(set("1", false)); d.replaced(key, "2") }, nil},
		"seen late":            {func(d *deletedSets) { d.note(set("1", false)); d.replaced(key, "1") }, []types.UID{"1"}},
		"made again, orphaned": {func(d *deletedSets) { d.note(set("1", false)); d.note(set("2", true)) }, nil},
		"deleted twice":        {func(d *deletedSets) { d.note(set("1", false)); d.note(set("2", false)) }, []types.UID{"2"}},
	} {
		t.Run(name, func(t *testing.T) {
			var d deletedSets
			test.happens(&d)
			var got []types.UID
			failure := errors.New("failure")
			for _, err := range []error{failure, nil, nil} {
				_ = d.finish(key, func(uid types.UID) error {
					if err == nil {
						got = append(got, uid)
					}
					return err
				})
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("children deleted of (-want +got):\n%s", diff)
			}
		})
	}
}
