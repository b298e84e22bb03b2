package podgang_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/plan/podgang"
)

// The replica has a scaling group of 3 replicas of lead-1 and worker-2, and the standalone clique alone of 3 pods, of which 1 is needed.
func rolling(edit func(set *v1alpha1.PodCliqueSet)) *plantest.World {
	set := plantest.Workers()
	set.Spec.Replicas = 1
	set.Spec.Template.PodCliqueScalingGroups[0].Replicas = ptr.To[int32](3)
	set.Spec.Template.Cliques[2].Spec.Replicas, set.Spec.Template.Cliques[2].Spec.MinAvailable = ptr.To[int32](3), ptr.To[int32](1)
	if edit != nil {
		edit(set)
	}
	w := plantest.NewWorld(set, plantest.Ready)
	w.GiveTurn(0)
	w.Settle()
	return w
}

func TestReplacements(t *testing.T) {
	old := func(w *plantest.World, match string) {
		for _, clique := range w.Cliques {
			for _, pod := range clique.Pods {
				if strings.HasPrefix(pod.Name, match) {
					pod.Labels[v1alpha1.LabelPodTemplateHash] = "old"
				}
			}
		}
	}
	group := func(g string) string {
		return "train-lead-0-" + g + "-0 train-worker-0-" + g + "-0 train-worker-0-" + g + "-1"
	}
	for name, test := range map[string]struct {
		edit  func(set *v1alpha1.PodCliqueSet)
		world func(t *testing.T, w *plantest.World)
		want  string
	}{
		"nothing to do": {nil, func(*testing.T, *plantest.World) {}, ""},
		"a group replica goes whole, and first": {nil, func(_ *testing.T, w *plantest.World) {
			old(w, "train")
		}, group("0")},
		"the next one waits": {nil, func(t *testing.T, w *plantest.World) {
			old(w, "train-worker-0-1")
			plantest.Unready(w.Pod(t, "train-worker-0-0-0"))
		}, ""},
		"a mixed one is finished first": {nil, func(t *testing.T, w *plantest.World) {
			old(w, "train-worker")
			old(w, "train-lead-0-0")
			old(w, "train-lead-0-1")
		}, "train-worker-0-2-0 train-worker-0-2-1"},
		"one that doesn't serve costs nothing, and takes the turn": {nil, func(t *testing.T, w *plantest.World) {
			old(w, "train")
			plantest.Unready(w.Pod(t, "train-worker-0-2-0"))
		}, group("2")},
		"all that is broken goes at once": {nil, func(t *testing.T, w *plantest.World) {
			old(w, "train-lead")
			old(w, "train-alone")
			for _, name := range []string{"train-lead-0-0-0", "train-lead-0-1-0", "train-lead-0-2-0", "train-alone-0-2"} {
				plantest.Unready(w.Pod(t, name))
			}
		}, "train-alone-0-2 train-lead-0-0-0 train-lead-0-1-0 train-lead-0-2-0"},
		"standalone cliques come after, a pod at a time": {nil, func(_ *testing.T, w *plantest.World) {
			old(w, "train-alone")
		}, "train-alone-0-0"},
		"as many as may be away": {func(set *v1alpha1.PodCliqueSet) {
			set.Spec.UpdateStrategy.MaxUnavailable = ptr.To(intstr.FromString("100%"))
		}, func(_ *testing.T, w *plantest.World) {
			old(w, "train-alone")
		}, "train-alone-0-0 train-alone-0-1"},
		"all together where they have to be coherent": {func(set *v1alpha1.PodCliqueSet) {
			set.Spec.UpdateStrategy.Type = v1alpha1.Coherent
		}, func(_ *testing.T, w *plantest.World) {
			old(w, "train-alone")
			old(w, "train-worker-0-1")
		}, "train-alone-0-0 train-alone-0-1 train-alone-0-2 train-worker-0-1-0 train-worker-0-1-1"},
		"nothing on delete": {func(set *v1alpha1.PodCliqueSet) { set.Spec.UpdateStrategy.Type = v1alpha1.OnDelete },
			func(_ *testing.T, w *plantest.World) { old(w, "train") }, ""},
		"nothing while paused": {func(set *v1alpha1.PodCliqueSet) { set.Spec.UpdateStrategy.Paused = true },
			func(_ *testing.T, w *plantest.World) { old(w, "train") }, ""},
		"nothing before it is its turn": {nil, func(_ *testing.T, w *plantest.World) {
			old(w, "train")
			delete(w.PodCliques["train-alone-0"].Annotations, v1alpha1.AnnotationUpdateTo)
		}, ""},
		"a PodClique with nothing to replace needs no turn": {nil, func(_ *testing.T, w *plantest.World) {
			old(w, "train-alone")
			delete(w.PodCliques["train-lead-0"].Annotations, v1alpha1.AnnotationUpdateTo)
		}, "train-alone-0-0"},
		"nothing before all PodCliques have the template": {nil, func(_ *testing.T, w *plantest.World) {
			old(w, "train")
			alone := w.PodCliques["train-alone-0"]
			alone.Spec.PodSpec.Containers[0].Image = "other"
			alone.Annotations[v1alpha1.AnnotationUpdateTo] = plan.Clique{Object: alone}.TemplateHash()
		}, ""},
		"what is on its way out needs no turn": {nil, func(t *testing.T, w *plantest.World) {
			old(w, "train-worker-0-1")
			old(w, "train-alone-0-0")
			plantest.Terminating(w.Pod(t, "train-alone-0-0"))
			delete(w.PodCliques["train-alone-0"].Annotations, v1alpha1.AnnotationUpdateTo)
		}, "train-worker-0-1-0 train-worker-0-1-1"},
		"a stage waits for all that come before": {func(set *v1alpha1.PodCliqueSet) { set.Spec.Template.PodCliqueScalingGroups = nil },
			func(t *testing.T, w *plantest.World) {
				old(w, "train-alone")
				plantest.Unready(w.Pod(t, "train-lead-0-0"))
			}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := rolling(test.edit)
			test.world(t, w)
			var names []string
			for _, step := range w.Gang("train-0").Replacements() {
				for _, pod := range step.Pods {
					names = append(names, pod.Name)
				}
			}
			slices.Sort(names)
			if got := strings.Join(names, " "); got != test.want {
				t.Errorf("replaces %q, want %q", got, test.want)
			}
		})
	}
}

// A change of a pod wakes the gang's controller if it may change what the scheduler is told, or what an update does next, and only then.
func TestPodConcerns(t *testing.T) {
	for name, test := range map[string]struct {
		change plantest.State
		want   bool
	}{
		"nothing":                         {func(*corev1.Pod) {}, false},
		"a container is started again":    {func(pod *corev1.Pod) { pod.Status.ContainerStatuses[0].RestartCount++ }, false},
		"it isn't ready any more":         {plantest.Unready, true},
		"it has succeeded, and was ready": {plantest.Succeeded, true},
		"it is on its way out":            {plantest.Terminating, true},
		"it isn't bound":                  {func(pod *corev1.Pod) { pod.Spec.NodeName = "" }, true},
		"its labels are others":           {func(pod *corev1.Pod) { pod.Labels = map[string]string{} }, true},
		"its owner is another":            {func(pod *corev1.Pod) { pod.OwnerReferences = nil }, true},
		"it is another":                   {func(pod *corev1.Pod) { pod.UID = "other" }, true},
		"it begins to be changed in place": {func(pod *corev1.Pod) {
			pod.Annotations = map[string]string{v1alpha1.AnnotationInPlace: `{"resizing":true}`}
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			before := plantest.NewWorld(plantest.Workers(), plantest.Ready).Pod(t, "train-alone-0-0")
			after := before.DeepCopy()
			test.change(after)
			if got := podgang.PodConcerns(before, after); got != test.want {
				t.Errorf("it concerns the gang: %v", got)
			}
		})
	}
}
