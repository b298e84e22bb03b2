package podcliqueset_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/plan/podcliqueset"
)

// A Role of the name that the set doesn't control is never bound: it may allow what nobody meant the pods to do.
func TestRoleIsBoundOnceItIsTheSets(t *testing.T) {
	set := plantest.Workers()
	foreign := plantest.Observed(set)
	foreign.Role.OwnerReferences = nil
	other := plantest.Observed(set)
	other.Role.OwnerReferences[0].UID = "other"
	for name, test := range map[string]struct {
		observed podcliqueset.Set
		want     bool
	}{
		"not seen yet":      {podcliqueset.Set{Object: set}, false},
		"nobody's":          {foreign, false},
		"of an earlier set": {other, false},
		"the set's":         {plantest.Observed(set), true},
	} {
		if binding := test.observed.Children().RoleBinding; (binding != nil) != test.want {
			t.Errorf("a Role that is %s: bound is %v", name, binding != nil)
		}
	}
}

// Both fields of a podSpec that name an account mean the same, and the account can see the gang.
func TestEveryAccountInUseIsBound(t *testing.T) {
	set := plantest.Workers()
	set.Spec.Template.Cliques[0].Spec.PodSpec.ServiceAccountName = "mine"
	set.Spec.Template.Cliques[1].Spec.PodSpec.DeprecatedServiceAccount = "alias"
	set.Spec.Template.Cliques[2].Spec.PodSpec.DeprecatedServiceAccount = "mine"
	binding := plantest.Observed(set).Children().RoleBinding
	var subjects []string
	for _, subject := range binding.Subjects {
		subjects = append(subjects, *subject.Name)
	}
	if diff := cmp.Diff([]string{"grove-train", "mine", "alias"}, subjects); diff != "" {
		t.Errorf("subjects (-want +got):\n%s", diff)
	}
	if *binding.Name != "grove-train" || *binding.RoleRef.Name != "grove-train" {
		t.Errorf("RoleBinding %s of Role %s", *binding.Name, *binding.RoleRef.Name)
	}
}

// What others add to the account stays; what came from the namespace's default account, and has left it, goes.
func TestImagePullSecrets(t *testing.T) {
	secrets := func(names ...string) []corev1.LocalObjectReference {
		var all []corev1.LocalObjectReference
		for _, name := range names {
			all = append(all, corev1.LocalObjectReference{Name: name})
		}
		return all
	}
	for name, test := range map[string]struct {
		account    []corev1.LocalObjectReference // nil where there is none yet
		taken      string
		of         []corev1.LocalObjectReference
		want       []string
		annotation string
	}{
		"none":                                  {nil, "", nil, nil, ""},
		"new":                                   {nil, "", secrets("a", "b"), []string{"a", "b"}, "a,b"},
		"unchanged":                             {secrets("a", "b"), "a,b", secrets("a", "b"), []string{"a", "b"}, "a,b"},
		"somebody added one":                    {secrets("mine", "a"), "a", secrets("a"), []string{"mine", "a"}, "a"},
		"the default account has one more":      {secrets("a", "mine"), "a", secrets("a", "b"), []string{"a", "mine", "b"}, "a,b"},
		"the default account has one less":      {secrets("a", "mine", "b"), "a,b", secrets("b"), []string{"mine", "b"}, "b"},
		"the default account has none any more": {secrets("a", "mine"), "a", nil, []string{"mine"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			observed := podcliqueset.Set{Object: plantest.Workers(), ImagePullSecrets: test.of}
			if test.account != nil {
				observed.Account = &corev1.ServiceAccount{ImagePullSecrets: test.account}
				observed.Account.Annotations = map[string]string{v1alpha1.AnnotationPullSecrets: test.taken}
			}
			account := observed.Children().ServiceAccount
			var got []string
			for _, secret := range account.ImagePullSecrets {
				got = append(got, *secret.Name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("imagePullSecrets (-want +got):\n%s", diff)
			}
			if annotation := account.Annotations[v1alpha1.AnnotationPullSecrets]; annotation != test.annotation {
				t.Errorf("the annotation is %q, want %q", annotation, test.annotation)
			}
		})
	}
}
