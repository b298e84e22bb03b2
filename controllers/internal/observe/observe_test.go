package observe

import (
	"testing"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
)

// What is remembered of a PodClique is of the state that it is in.
func TestRememberedHashes(t *testing.T) {
	o := New(nil, nil)
	podClique := plantest.Observed(plantest.Workers()).PodCliques["train-lead-0"]
	seen := map[string]bool{}
	for _, change := range []func(podClique *v1alpha1.PodClique){
		func(*v1alpha1.PodClique) {},
		func(podClique *v1alpha1.PodClique) { podClique.Generation, podClique.Spec.PodSpec.NodeName = 2, "n" },
		func(podClique *v1alpha1.PodClique) {
			podClique.Annotations = map[string]string{v1alpha1.AnnotationRestartedAt: "now"}
		},
		func(podClique *v1alpha1.PodClique) { podClique.UID, podClique.Spec.PodSpec.NodeName = "another", "m" },
	} {
		podClique = podClique.DeepCopy()
		change(podClique)
		want := plan.Clique{Object: podClique}.TemplateHash()
		for range 2 {
			if got := o.hashOf(podClique); got != want {
				t.Errorf("the hash of generation %d with annotations %v is %s, want %s", podClique.Generation, podClique.Annotations, got, want)
			}
		}
		seen[want] = true
	}
	if len(seen) != 4 {
		t.Errorf("%d hashes of 4 states: the test changes nothing", len(seen))
	}
}
