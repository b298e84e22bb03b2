package apply

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

func TestNameConflicts(t *testing.T) {
	controller := func(kind, name string, uid types.UID) metav1.OwnerReference {
		return metav1.OwnerReference{APIVersion: "v1", Kind: kind, Name: name, UID: uid, Controller: ptr.To(true)}
	}
	ours := map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelPodCliqueSet: "set"}
	otherSet := map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelPodCliqueSet: "other"}
	for name, test := range map[string]struct {
		labels  map[string]string
		owners  []metav1.OwnerReference
		problem string
		taken   bool
	}{
		"nobody's": {problem: "ServiceAccount child exists and isn't controlled by anything; delete it, or give the PodCliqueSet another name"},
		"a controller's": {owners: []metav1.OwnerReference{controller("Deployment", "web", "1")},
			problem: "ServiceAccount child exists and is controlled by Deployment web; give that or the PodCliqueSet another name"},
		"another set's": {labels: otherSet, owners: []metav1.OwnerReference{controller("PodCliqueSet", "other", "1")},
			problem: "ServiceAccount child exists and is controlled by PodCliqueSet other; give that or the PodCliqueSet another name"},
		"a predecessor's":    {labels: ours, owners: []metav1.OwnerReference{controller("PodCliqueSet", "set", "before")}},
		"an orphan":          {labels: ours, taken: true},
		"another set's left": {labels: otherSet, problem: "ServiceAccount child exists and isn't controlled by anything; delete it, or give the PodCliqueSet another name"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccounts(t)
			before := a.create(test.labels, test.owners...)
			a.seen()
			_, problems := a.apply()
			var want []plan.Problem
			if test.problem != "" {
				want = []plan.Problem{{Reason: v1alpha1.ReasonNameConflict, Message: test.problem}}
			}
			if diff := cmp.Diff(want, problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			after := a.get()
			if touched := after.ResourceVersion != before.ResourceVersion; touched != test.taken {
				t.Errorf("touched: %v", touched)
			}
			if taken := metav1.IsControlledBy(after, a.owner); taken != test.taken {
				t.Errorf("taken: %v", taken)
			}
		})
	}
}

// While a set is deleted and its children are orphaned, the cache may have it as if nothing had happened.
func TestNothingIsAdoptedByAnOwnerThatGoes(t *testing.T) {
	for name, owner := range map[string]*metav1.ObjectMeta{
		"going":    {UID: "owner", DeletionTimestamp: &metav1.Time{}},
		"replaced": {UID: "another"},
		"gone":     nil,
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccounts(t)
			a.owner.Live = func(context.Context) (metav1.Object, error) {
				if owner == nil {
					return nil, apierrors.NewNotFound(schema.GroupResource{}, "set")
				}
				return owner, nil
			}
			before := a.create(map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelPodCliqueSet: "set"})
			a.seen()
			if sent, problems := a.apply(); sent != "" || problems != nil {
				t.Errorf("sent %q, problems %v", sent, problems)
			}
			if after := a.get(); after.ResourceVersion != before.ResourceVersion {
				t.Error("the orphan was touched")
			}
		})
	}
}

// An object that is on its way out may still have the name for long, and nobody tells when it goes unless it is labelled.
func TestNamesThatWillBeFree(t *testing.T) {
	for name, test := range map[string]struct {
		owners  []metav1.OwnerReference
		problem bool
	}{
		"somebody else's": {problem: true},
		"ours":            {owners: []metav1.OwnerReference{{APIVersion: "v1", Kind: "PodCliqueSet", Name: "set", UID: "owner", Controller: ptr.To(true)}}},
		"a predecessor's": {owners: []metav1.OwnerReference{{APIVersion: "v1", Kind: "PodCliqueSet", Name: "set", UID: "before", Controller: ptr.To(true)}}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccounts(t)
			a.create(nil, test.owners...)
			a.edit(func(s *corev1.ServiceAccount) { s.Finalizers = []string{"example.com/slow"} })
			if err := a.kube.CoreV1().ServiceAccounts(a.namespace).Delete(t.Context(), "child", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			problems, err := Problems(a.Kind.Apply(t.Context(), a.owner, a.wanted()))
			if got := len(problems) > 0; got != test.problem {
				t.Errorf("problems %v", problems)
			}
			if again := apierrors.IsConflict(err); again == test.problem {
				t.Errorf("tried again soon: %v (%v)", again, err)
			}
		})
	}
}

// What serves the successor of its owner is taken over, even while it is being deleted.
func TestInherited(t *testing.T) {
	for name, inherited := range map[string]bool{"inherited": true, "left alone": false} {
		t.Run(name, func(t *testing.T) {
			a := newAccounts(t)
			a.Inherited = inherited
			predecessors := metav1.OwnerReference{APIVersion: "v1", Kind: "PodCliqueSet", Name: "set", UID: "before", Controller: ptr.To(true)}
			a.create(map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelPodCliqueSet: "set"}, predecessors)
			a.edit(func(s *corev1.ServiceAccount) { s.Finalizers = []string{"example.com/slow"}; s.OwnerReferences = nil })
			if err := a.kube.CoreV1().ServiceAccounts(a.namespace).Delete(t.Context(), "child", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			a.seen()
			_, problems := a.apply()
			if taken := metav1.IsControlledBy(a.get(), a.owner); taken != inherited || problems != nil {
				t.Errorf("taken over: %v; problems %v", taken, problems)
			}
		})
	}
}
