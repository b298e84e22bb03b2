package forecast

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan/plantest"
)

func TestFields(t *testing.T) {
	cliques := func(set *v1alpha1.PodCliqueSet) []v1alpha1.PodCliqueTemplateSpec { return set.Spec.Template.Cliques }
	for name, test := range map[string]struct {
		change func(set *v1alpha1.PodCliqueSet)
		want   string
	}{
		"nothing":            {func(*v1alpha1.PodCliqueSet) {}, ""},
		"what isn't applied": {func(set *v1alpha1.PodCliqueSet) { set.Generation, set.Status.Replicas = 7, 7 }, ""},
		"an empty map":       {func(set *v1alpha1.PodCliqueSet) { set.Labels = map[string]string{} }, ""},
		"what kubectl keeps": {func(set *v1alpha1.PodCliqueSet) {
			set.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: "x"}
		}, ""},
		"a number": {func(set *v1alpha1.PodCliqueSet) { set.Spec.Replicas = 3 }, "spec.replicas: 2 → 3"},
		"by name": {
			func(set *v1alpha1.PodCliqueSet) { cliques(set)[1].Spec.Replicas = ptr.To[int32](5) },
			"spec.template.cliques[worker].spec.replicas: 2 → 5",
		},
		"in another order": {
			func(set *v1alpha1.PodCliqueSet) { cliques(set)[0], cliques(set)[1] = cliques(set)[1], cliques(set)[0] },
			"spec.template.cliques in another order: [lead worker alone] → [worker lead alone]",
		},
		"a list of plain values, as a whole": {
			func(set *v1alpha1.PodCliqueSet) { cliques(set)[2].Spec.PodSpec.Containers[0].Args = []string{"a", "b"} },
			"spec.template.cliques[alone].spec.podSpec.containers[main].args: <nil> → [a b]",
		},
		"a variable less": {
			func(set *v1alpha1.PodCliqueSet) { cliques(set)[2].Spec.PodSpec.Containers[0].Env = nil },
			"spec.template.cliques[alone].spec.podSpec.containers[main].env: [map[name:OWN value:1]] → <nil>",
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := plantest.Workers(), plantest.Workers()
			test.change(after)
			var got []string
			for _, f := range fieldsOf(before, after) {
				got = append(got, fmt.Sprintf("%s: %v → %v", f.Path, f.Before, f.After))
			}
			if strings.Join(got, "; ") != test.want {
				t.Errorf("got %q, want %q", strings.Join(got, "; "), test.want)
			}
		})
	}
}
