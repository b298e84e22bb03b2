package apply

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
)

func TestApplyCreatesThenSendsNothing(t *testing.T) {
	a := newAccounts(t)
	if sent, problems := a.apply(); sent != "PATCH" || problems != nil {
		t.Errorf("sent %q, problems %v", sent, problems)
	}
	a.seen()
	if sent, _ := a.apply(); sent != "" {
		t.Errorf("sent %q for a child that is as it should be", sent)
	}
	if !a.tracker.Fresh(cache.MetaObjectToName(a.owner)) {
		t.Error("the cache has seen the write, and isn't fresh")
	}
}

// The cache may not have what was just created. Finding that out costs a refused write and a read, and changes nothing.
func TestApplyBehindTheCache(t *testing.T) {
	a := newAccounts(t)
	a.apply()
	before := a.get()
	a.Cache = cache.NewIndexer(cache.MetaNamespaceKeyFunc, nil)
	if _, problems := a.apply(); problems != nil {
		t.Errorf("problems %v", problems)
	}
	if after := a.get(); after.ResourceVersion != before.ResourceVersion {
		t.Error("the child was changed")
	}
}

func TestEditsAreTakenBack(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(*corev1.ServiceAccount)
		sent string
	}{
		"a field":             {func(s *corev1.ServiceAccount) { s.AutomountServiceAccountToken = ptr.To(true) }, "PATCH"},
		"a field removed":     {func(s *corev1.ServiceAccount) { s.AutomountServiceAccountToken = nil }, "PATCH"},
		"a label":             {func(s *corev1.ServiceAccount) { s.Labels[v1alpha1.LabelPodCliqueSet] = "other" }, "PATCH"},
		"the label of caches": {func(s *corev1.ServiceAccount) { delete(s.Labels, v1alpha1.LabelManagedBy) }, "PATCH PATCH"},
		"all managed fields":  {func(s *corev1.ServiceAccount) { s.ManagedFields = []metav1.ManagedFieldsEntry{{}} }, "PATCH"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccounts(t)
			a.apply()
			want := a.get()
			a.edit(test.edit)
			a.seen()
			if sent, problems := a.apply(); sent != test.sent || problems != nil {
				t.Errorf("sent %q, problems %v; want %q", sent, problems, test.sent)
			}
			got := a.get()
			if diff := cmp.Diff([]any{want.Labels, want.AutomountServiceAccountToken, want.UID}, []any{got.Labels, got.AutomountServiceAccountToken, got.UID}); diff != "" {
				t.Errorf("not put back (-want +got):\n%s", diff)
			}
		})
	}
}

// What was read may be older than what the cache has by now. It must not be written over.
func TestWhatIsRepeatedIsAppliedToWhatWasRead(t *testing.T) {
	a := newAccounts(t)
	a.apply()
	read := map[string]*corev1.ServiceAccount{"child": a.get()}
	a.edit(func(s *corev1.ServiceAccount) { s.AutomountServiceAccountToken = ptr.To(true) })
	a.seen()
	changed := a.wanted().WithAutomountServiceAccountToken(false).WithAnnotations(map[string]string{"new": "1"})
	err := a.AllRead(t.Context(), a.owner, []*corev1ac.ServiceAccountApplyConfiguration{changed}, read)
	if !conflicts(err) {
		t.Errorf("error %v, want a conflict", err)
	}
	read["child"] = a.get()
	if err := a.AllRead(t.Context(), a.owner, []*corev1ac.ServiceAccountApplyConfiguration{a.wanted()}, read); err != nil {
		t.Error(err)
	}
}

func conflicts(err error) bool {
	var all utilerrors.Aggregate
	return errors.As(err, &all) && len(all.Errors()) == 1 && apierrors.IsConflict(all.Errors()[0])
}

func TestWhatOthersAddStays(t *testing.T) {
	a := newAccounts(t)
	a.apply()
	a.edit(func(s *corev1.ServiceAccount) {
		s.Labels["mine"] = "1"
		s.Annotations = map[string]string{"mine": "1"}
		s.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "mine"}}
	})
	a.seen()
	if sent, problems := a.apply(); sent != "" || problems != nil {
		t.Errorf("sent %q, problems %v", sent, problems)
	}
}

func TestReplace(t *testing.T) {
	a := newAccounts(t)
	a.apply()
	before := a.get()
	a.writes.take()
	if err := a.Replace(t.Context(), a.owner, []*corev1.ServiceAccount{before}, []*corev1ac.ServiceAccountApplyConfiguration{a.wanted()}); err != nil {
		t.Fatal(err)
	}
	if sent := a.writes.take(); sent != "DELETE PATCH" {
		t.Errorf("sent %q", sent)
	}
	after := a.get()
	if after.UID == before.UID {
		t.Error("the child wasn't replaced")
	}
	// Another has the name by now: it isn't taken for the one that ended.
	if err := a.Replace(t.Context(), a.owner, []*corev1.ServiceAccount{before}, []*corev1ac.ServiceAccountApplyConfiguration{a.wanted()}); err != nil {
		t.Error(err)
	}
	if again := a.get(); again.UID != after.UID {
		t.Error("the successor was replaced, too")
	}
}

func TestDelete(t *testing.T) {
	a := newAccounts(t)
	a.apply()
	account := a.get()
	other := account.DeepCopy()
	other.UID = "a successor"
	terminating := account.DeepCopy()
	terminating.DeletionTimestamp = &metav1.Time{}
	for _, step := range []struct {
		name   string
		object *corev1.ServiceAccount
		sent   string
		gone   bool
	}{
		{"of another UID", other, "DELETE", false},
		{"that is being deleted", terminating, "", false},
		{"that exists", account, "DELETE", true},
		{"that is gone", account, "DELETE", true},
	} {
		a.writes.take()
		if err := a.Kind.Delete(t.Context(), a.owner, []*corev1.ServiceAccount{step.object}); err != nil {
			t.Errorf("deleting an object %s: %v", step.name, err)
		}
		if sent := a.writes.take(); sent != step.sent {
			t.Errorf("deleting an object %s sent %q, want %q", step.name, sent, step.sent)
		}
		list, err := a.kube.CoreV1().ServiceAccounts(a.namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=child"})
		if err != nil {
			t.Fatal(err)
		}
		if gone := len(list.Items) == 0; gone != step.gone {
			t.Errorf("deleting an object %s: gone is %v", step.name, gone)
		}
	}
}
