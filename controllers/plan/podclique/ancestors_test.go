package podclique

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

func TestAncestors(t *testing.T) {
	set := &v1alpha1.PodCliqueSet{}
	// A diamond: d after b and c, both after a; e stands alone. The list has them in reverse.
	for _, clique := range []struct {
		name  string
		after []string
	}{{"d", []string{"b", "c"}}, {"c", []string{"a"}}, {"b", []string{"a"}}, {"e", nil}, {"a", nil}} {
		set.Spec.Template.Cliques = append(set.Spec.Template.Cliques,
			v1alpha1.PodCliqueTemplateSpec{Name: clique.name, Spec: v1alpha1.PodCliqueSpec{StartsAfter: clique.after}})
	}
	for kind, want := range map[v1alpha1.CliqueStartupType]map[string][]string{
		v1alpha1.CliqueStartupTypeAnyOrder: {"d": nil, "c": nil, "b": nil, "e": nil, "a": nil},
		v1alpha1.CliqueStartupTypeExplicit: {"d": {"c", "b", "a"}, "c": {"a"}, "b": {"a"}, "e": nil, "a": nil},
		v1alpha1.CliqueStartupTypeInOrder:  {"d": nil, "c": {"d"}, "b": {"d", "c"}, "e": {"d", "c", "b"}, "a": {"d", "c", "b", "e"}},
	} {
		set.Spec.Template.CliqueStartupType = kind
		got := map[string][]string{}
		for _, clique := range set.Spec.Template.Cliques {
			got[clique.Name] = ancestors(plan.TemplateOf(set), clique.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}
}
