package podgang_test

import (
	"fmt"
	"slices"
	"testing"

	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan/plantest"
)

// Users are told of each step in the words of the template.
func TestTells(t *testing.T) {
	all := func(w *plantest.World) {
		for _, clique := range w.Cliques {
			for _, pod := range clique.Pods {
				pod.Labels[v1alpha1.LabelPodTemplateHash] = "old"
			}
		}
	}
	for name, test := range map[string]struct {
		edit  func(set *v1alpha1.PodCliqueSet)
		world func(w *plantest.World)
		want  []string
	}{
		"a group replica": {nil, all, []string{"updating replica 0: recreating group replica 0 of group (3 pods)"}},
		"pods": {nil, func(w *plantest.World) {
			w.Pod(t, "train-alone-0-1").Labels[v1alpha1.LabelPodTemplateHash] = "old"
		}, []string{"updating replica 0: recreating pods of alone (1 pod)"}},
		"what isn't ready": {nil, func(w *plantest.World) {
			all(w)
			for _, pod := range []string{"train-lead-0-2-0", "train-alone-0-0"} {
				plantest.Unready(w.Pod(t, pod))
			}
		}, []string{"updating replica 0: recreating group replica 2 of group (3 pods), of which 1 weren't ready",
			"updating replica 0: recreating pods of alone (1 pod), not ready as they were"}},
		"very many": {func(set *v1alpha1.PodCliqueSet) {
			set.Spec.UpdateStrategy.Type = v1alpha1.Coherent
			set.Spec.Template.PodCliqueScalingGroups[0].Replicas = ptr.To[int32](9)
		}, all, []string{"updating replica 0: recreating group replicas 0, 1, 2, 3, 4 and 4 more of group (27 pods)",
			"updating replica 0: recreating pods of alone (3 pods)"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := rolling(test.edit)
			test.world(w)
			gang := w.Gang("train-0")
			var told []string
			for _, step := range gang.Replacements() {
				for _, news := range gang.Tells(step) {
					if news.Reason != v1alpha1.ReasonUpdating || news.Bad {
						t.Errorf("%+v", news)
					}
					told = append(told, news.Message)
				}
			}
			if !slices.Equal(told, test.want) {
				t.Errorf("told %q, want %q", fmt.Sprint(told), fmt.Sprint(test.want))
			}
		})
	}
}
