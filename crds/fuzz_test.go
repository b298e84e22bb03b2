package crds_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
)

// mostPlanned is how many PodCliques and pods a set may have of which a fuzzer plans every one: it is to try many sets, each within seconds.
const mostPlanned = 400

// FuzzPlanner plans whatever admission accepts, and shows that nothing panics, that what is said of a set is stable, and that admission
// accepts every status.
func FuzzPlanner(f *testing.F) {
	kinds := newAdmission(f)
	sets := setExamples(f)
	for seed := range byte(12) {
		f.Add(entropy(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d := decisions(data)
		object := d.mutated(sets)
		if errs, _ := kinds["PodCliqueSet"].validate(object); len(errs) > 0 {
			return
		}
		set := setOf(t, object)
		w := world(t, set, &d)
		if w == nil {
			return
		}
		first := w.Settle()
		if again := w.Settle(); !equality.Semantic.DeepEqual(first, again) {
			t.Errorf("a set at rest is told of in two ways: %s", cmp.Diff(first, again))
		}
		accepted(t, kinds["PodCliqueSet"], w.Object)
		for _, podGang := range w.PodGangs {
			accepted(t, kinds["PodGang"], podGang)
		}
		for _, clique := range w.Cliques {
			accepted(t, kinds["PodClique"], clique.Object)
		}
		for _, scalingGroup := range w.ScalingGroups {
			accepted(t, kinds["PodCliqueScalingGroup"], scalingGroup)
		}
	})
}

// FuzzHash shows that the hash of a podSpec is that of what it says: however often it is written and read, and however empty the fields that
// it lists besides.
func FuzzHash(f *testing.F) {
	for _, set := range setExamples(f) {
		set := setOf(f, set)
		for i := range set.Spec.Template.Cliques {
			data, err := json.Marshal(set.Spec.Template.Cliques[i].Spec.PodSpec)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var spec, again corev1.PodSpec
		if err := json.Unmarshal(data, &spec); err != nil {
			return
		}
		written, err := json.Marshal(spec)
		if err != nil {
			return // A quantity or time that was never valid.
		}
		if err := json.Unmarshal(written, &again); err != nil {
			t.Fatal(err)
		}
		hash := plan.PodTemplateHash(&spec, "")
		if got := plan.PodTemplateHash(&again, ""); got != hash {
			t.Errorf("the hash of %s is %s, and %s once it was read again", written, hash, got)
		}
		if again.NodeSelector == nil {
			again.NodeSelector = map[string]string{}
		}
		if again.Tolerations == nil {
			again.Tolerations = []corev1.Toleration{}
		}
		if got := plan.PodTemplateHash(&again, ""); got != hash {
			t.Errorf("the hash of %s is %s, and %s with empty fields", written, hash, got)
		}
		again.Containers = append(again.Containers, corev1.Container{Name: "another"})
		if got := plan.PodTemplateHash(&again, ""); got == hash {
			t.Errorf("the hash of %s doesn't tell of another container", written)
		}
	})
}

// entropy are bytes that lead to many decisions.
func entropy(seed byte) []byte {
	random := rand.NewChaCha8([32]byte{seed})
	data := make([]byte, 256)
	_, _ = random.Read(data)
	return data
}

// setExamples are the PodCliqueSets that admission has to accept.
func setExamples(t testing.TB) []map[string]any {
	t.Helper()
	var sets []map[string]any
	for _, example := range examples(t, "valid") {
		for _, object := range parse(t, example.documents) {
			if object["kind"] == "PodCliqueSet" {
				sets = append(sets, object)
			}
		}
	}
	return sets
}

// setOf is a set as the operator reads it.
func setOf(t testing.TB, object map[string]any) *v1alpha1.PodCliqueSet {
	t.Helper()
	set := &v1alpha1.PodCliqueSet{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object, set, false); err != nil {
		t.Fatal(err)
	}
	set.Namespace, set.UID, set.Generation = metav1.NamespaceDefault, "set", 1
	return set
}

// world is a set whose children exist, and whose pods are in various states; nil for a set with too many to try them all.
func world(t testing.TB, set *v1alpha1.PodCliqueSet, d *decisions) *plantest.World {
	t.Helper()
	children := plantest.Observed(set)
	planned := 0
	for _, clique := range plantest.Cliques(children, nil) {
		if planned += 1 + int(clique.NumPods()); planned > mostPlanned {
			return nil
		}
	}
	states := []plantest.State{
		plantest.Ready, plantest.Pending, plantest.Scheduled, plantest.Unready, plantest.Succeeded, plantest.Terminating,
		func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodFailed },
		func(pod *corev1.Pod) { pod.Labels[v1alpha1.LabelPodTemplateHash] = "old" },
	}
	w := plantest.NewWorld(set, func(pod *corev1.Pod) { states[d.choose(len(states))](pod) })
	for _, podGang := range w.PodGangs {
		podGang.CreationTimestamp = metav1.NewTime(plantest.Now)
	}
	return w
}

// accepted tells of an object that the API server would refuse. Its spec may be beyond what its own rules allow, as that of a template is
// bounded elsewhere.
func accepted(t testing.TB, admission admission, object runtime.Object) {
	t.Helper()
	tree, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(tree); err != nil {
		t.Fatal(err)
	}
	if errs, _ := admission.validate(parse(t, []string{text.String()})...); len(errs) > 0 {
		t.Errorf("refused: %v", errs.ToAggregate())
	}
}
