package podgang_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/plan/podgang"
)

// edited is the world of rolling, with pods that are changed where they are if possible, after an edit of all podSpecs that all PodCliques have.
type edited struct {
	*plantest.World
	revisions []*appsv1.ControllerRevision
}

func newEdited(edit func(set *v1alpha1.PodCliqueSet), change func(spec *corev1.PodSpec)) *edited {
	w := &edited{World: rolling(func(set *v1alpha1.PodCliqueSet) {
		set.Spec.UpdateStrategy.InPlace = v1alpha1.InPlaceIfPossible
		for i := range set.Spec.Template.Cliques {
			main := &set.Spec.Template.Cliques[i].Spec.PodSpec.Containers[0]
			main.Image, main.Resources.Requests = "main:1", corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}
		}
		if edit != nil {
			edit(set)
		}
	})}
	for _, clique := range w.Cliques {
		for _, pod := range clique.Pods {
			pod.Status.ContainerStatuses[0].ContainerID = "c1"
		}
	}
	w.change(change)
	return w
}

// change edits all podSpecs, in the set and in its PodCliques.
func (w *edited) change(change func(spec *corev1.PodSpec)) {
	w.revisions = append(w.revisions, plan.Configuration[appsv1.ControllerRevision](w.Children().Revision))
	for i := range w.Object.Spec.Template.Cliques {
		change(&w.Object.Spec.Template.Cliques[i].Spec.PodSpec)
	}
	for _, podClique := range w.PodCliques {
		change(&podClique.Spec.PodSpec)
		podClique.Labels[v1alpha1.LabelPodTemplateHash] = plan.PodTemplateHash(&podClique.Spec.PodSpec, podClique.Annotations[v1alpha1.AnnotationRestartedAt])
	}
	w.GiveTurn(0)
}

// steps are what an update does now: "pod" for one that is deleted, "pod=" with what it gets for one that is changed.
func (w *edited) steps() string {
	gang := w.Gang("train-0")
	gang.Revisions = append(slices.Clone(w.revisions), plan.Configuration[appsv1.ControllerRevision](w.Children().Revision))
	var all []string
	for _, step := range gang.Replacements() {
		for _, pod := range step.Pods {
			all = append(all, pod.Name)
		}
		for _, patch := range step.Patches {
			all = append(all, patch.Pod.Name+"="+w.apply(patch))
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// apply plays the API server, and says what has changed.
func (w *edited) apply(patch *podgang.Patch) string {
	changed := plan.Configuration[corev1.Pod](patch.Config)
	if patch.Resize {
		patch.Pod.Spec.Containers[0].Resources = changed.Spec.Containers[0].Resources
		cpu := patch.Pod.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU]
		return "cpu " + cpu.String()
	}
	before := patch.Pod.Labels[v1alpha1.LabelPodTemplateHash]
	patch.Pod.Labels = plan.Merge(patch.Pod.Labels, changed.Labels)
	patch.Pod.Annotations = plan.Merge(patch.Pod.Annotations, changed.Annotations)
	patch.Pod.Spec.Containers[0].Image = changed.Spec.Containers[0].Image
	if patch.Pod.Labels[v1alpha1.LabelPodTemplateHash] == before && plan.InPlaceOf(patch.Pod).Resizing {
		return "marked"
	}
	return changed.Spec.Containers[0].Image
}

func setMain(image, cpu string) func(spec *corev1.PodSpec) {
	return func(spec *corev1.PodSpec) {
		spec.Containers[0].Image = image
		spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}
	}
}

// inGroup are the pods of a group replica, all of which get something.
func inGroup(g, what string) string {
	return fmt.Sprintf("train-lead-0-%[1]s-0%[2]s train-worker-0-%[1]s-0%[2]s train-worker-0-%[1]s-1%[2]s", g, what)
}

func TestPatches(t *testing.T) {
	first := inGroup("0", "=main:2")
	for name, test := range map[string]struct {
		edit  func(set *v1alpha1.PodCliqueSet)
		world func(t *testing.T, w *edited)
		want  string
	}{
		"a group replica is changed whole, and first": {nil, func(*testing.T, *edited) {}, first},
		"never, unless it is asked for": {func(set *v1alpha1.PodCliqueSet) { set.Spec.UpdateStrategy.InPlace = v1alpha1.InPlaceNever },
			func(*testing.T, *edited) {}, inGroup("0", "")},
		"the next one waits for the kubelet": {nil, func(_ *testing.T, w *edited) { w.steps() }, ""},
		"and goes on after it": {nil, func(t *testing.T, w *edited) {
			w.steps()
			for _, name := range strings.Fields(inGroup("0", "")) {
				w.Pod(t, name).Status.ContainerStatuses[0].ContainerID = "c2"
			}
		}, inGroup("1", "=main:2")},
		"what has changed in a group replica takes the rest along": {nil, func(t *testing.T, w *edited) {
			other := w.Pod(t, "train-worker-0-0-1").DeepCopy()
			w.steps()
			*w.Pod(t, "train-worker-0-0-1") = *other
		}, "train-worker-0-0-1=main:2"},
		"one that doesn't run is replaced": {nil, func(t *testing.T, w *edited) {
			w.Pod(t, "train-lead-0-0-0").Status.Phase = corev1.PodPending
		}, "train-lead-0-0-0 train-worker-0-0-0=main:2 train-worker-0-0-1=main:2"},
		"with all others, where they would be recreated with it": {recreating, func(t *testing.T, w *edited) {
			w.Pod(t, "train-lead-0-0-0").Status.Phase = corev1.PodPending
		}, inGroup("0", "")},
		"so are those of which one has restarted": {recreating, func(t *testing.T, w *edited) {
			w.Pod(t, "train-lead-0-0-0").Status.ContainerStatuses[0].RestartCount = 1
		}, inGroup("0", "")},
		"one with another image than it was made with is replaced": {nil, func(t *testing.T, w *edited) {
			w.Pod(t, "train-lead-0-0-0").Spec.Containers[0].Image = "mirror/main:1"
		}, "train-lead-0-0-0 train-worker-0-0-0=main:2 train-worker-0-0-1=main:2"},
		"what was forgotten is replaced": {nil, func(_ *testing.T, w *edited) { w.revisions = nil }, inGroup("0", "")},
		"who asks for new pods gets them": {nil, func(_ *testing.T, w *edited) {
			for _, podClique := range w.PodCliques {
				podClique.Annotations = plan.Merge(podClique.Annotations, map[string]string{v1alpha1.AnnotationRestartedAt: "now"})
			}
			w.Object.Annotations = map[string]string{v1alpha1.AnnotationRestartedAt: "now"}
			w.change(func(*corev1.PodSpec) {})
		}, inGroup("0", "")},
		"what is broken is changed at once": {nil, func(t *testing.T, w *edited) {
			for _, g := range []string{"0", "1", "2"} {
				plantest.Unready(w.Pod(t, "train-lead-0-"+g+"-0"))
			}
			plantest.Unready(w.Pod(t, "train-alone-0-1"))
		}, "train-alone-0-1=main:2 " + strings.Join([]string{
			"train-lead-0-0-0=main:2 train-lead-0-1-0=main:2 train-lead-0-2-0=main:2",
			"train-worker-0-0-0=main:2 train-worker-0-0-1=main:2 train-worker-0-1-0=main:2 train-worker-0-1-1=main:2 train-worker-0-2-0=main:2 train-worker-0-2-1=main:2",
		}, " ")},
		"as many as may be away": {func(set *v1alpha1.PodCliqueSet) {
			set.Spec.UpdateStrategy.MaxUnavailable = ptr.To(intstr.FromString("100%"))
		}, func(*testing.T, *edited) {}, "train-lead-0-0-0=main:2 train-lead-0-1-0=main:2 train-worker-0-0-0=main:2 train-worker-0-0-1=main:2 train-worker-0-1-0=main:2 train-worker-0-1-1=main:2"},
		"all of the replica, where two podSpecs mustn't work together": {func(set *v1alpha1.PodCliqueSet) { set.Spec.UpdateStrategy.Type = v1alpha1.Coherent },
			func(*testing.T, *edited) {}, strings.Join([]string{
				"train-alone-0-0=main:2 train-alone-0-1=main:2 train-alone-0-2=main:2 train-lead-0-0-0=main:2 train-lead-0-1-0=main:2 train-lead-0-2-0=main:2",
				"train-worker-0-0-0=main:2 train-worker-0-0-1=main:2 train-worker-0-1-0=main:2 train-worker-0-1-1=main:2 train-worker-0-2-0=main:2 train-worker-0-2-1=main:2",
			}, " ")},
		"nothing without a turn, as below the partition": {nil, func(_ *testing.T, w *edited) {
			for _, podClique := range w.PodCliques {
				delete(podClique.Annotations, v1alpha1.AnnotationUpdateTo)
			}
		}, ""},
		"nothing on delete": {func(set *v1alpha1.PodCliqueSet) { set.Spec.UpdateStrategy.Type = v1alpha1.OnDelete }, func(*testing.T, *edited) {}, ""},
		"nothing while paused": {func(set *v1alpha1.PodCliqueSet) { set.Spec.UpdateStrategy.Paused = true },
			func(*testing.T, *edited) {}, ""},
		"a second edit takes what the first has changed": {nil, func(_ *testing.T, w *edited) {
			w.steps()
			w.change(setMain("main:3", "1"))
		}, inGroup("0", "=main:3")},
		"but has them recreated, where nobody could tell why they restart": {recreating, func(_ *testing.T, w *edited) {
			w.steps()
			w.change(setMain("main:3", "1"))
		}, inGroup("0", "")},
	} {
		t.Run(name, func(t *testing.T) {
			w := newEdited(test.edit, setMain("main:2", "1"))
			test.world(t, w)
			if got := w.steps(); got != test.want {
				t.Errorf("\n%s, want\n%s", got, test.want)
			}
		})
	}
}

func recreating(set *v1alpha1.PodCliqueSet) {
	set.Spec.Template.PodCliqueScalingGroups[0].RestartPolicy = v1alpha1.RestartPolicyRecreateGroup
}

// Each look makes one request of a pod, and the pod says the truth after each: the hash comes last.
func TestPatchesOfResources(t *testing.T) {
	w := newEdited(nil, setMain("main:2", "2"))
	for _, want := range []string{inGroup("0", "=marked"), inGroup("0", "=cpu 2"), inGroup("0", "=main:2"), ""} {
		if got := w.steps(); got != want {
			t.Fatalf("%q, want %q", got, want)
		}
	}
	record := plan.InPlaceOf(w.Pod(t, "train-lead-0-0-0"))
	if got := strings.Replace(record.String(), record.Hash, "H", 1); got != `{"hash":"H","resized":true,"containers":{"main":{"id":"c1","image":"main:1","restarts":1}}}` {
		t.Errorf("record %s", got)
	}
}

// An edit in the middle leads to what it says, whatever was done already: pods that bear the hash of what is brought back, too.
func TestPatchesOfResourcesOvertaken(t *testing.T) {
	for name, test := range map[string]struct {
		looks      int
		image, cpu string
		want       []string
	}{
		"brought back when it was marked":    {1, "main:1", "1", []string{"=marked", "=main:1", ""}},
		"brought back when it was resized":   {2, "main:1", "1", []string{"=marked", "=cpu 1", "=main:1", ""}},
		"another image when it was resized":  {2, "main:3", "1", []string{"=marked", "=cpu 1", "=main:3", ""}},
		"another request when it was marked": {1, "main:2", "3", []string{"=marked", "=cpu 3", "=main:2", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newEdited(nil, setMain("main:2", "2"))
			for range test.looks {
				w.steps()
			}
			w.change(setMain(test.image, test.cpu))
			for _, want := range test.want {
				if want != "" {
					want = inGroup("0", want)
				}
				if got := w.steps(); got != want {
					t.Fatalf("%q, want %q", got, want)
				}
			}
		})
	}
}

func TestInfeasibleIsReplaced(t *testing.T) {
	w := newEdited(nil, setMain("main:1", "2"))
	for range 3 {
		w.steps()
	}
	pod := w.Pod(t, "train-lead-0-0-0")
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{
		Type: corev1.PodResizePending, Status: corev1.ConditionTrue, Reason: corev1.PodReasonInfeasible,
	})
	if got := w.steps(); got != "train-lead-0-0-0" {
		t.Errorf("%q", got)
	}
}

// What the PodGang's controller applies is all that it owns of a pod: what it left out would be taken away.
func TestPatchesAreComplete(t *testing.T) {
	w := newEdited(nil, setMain("main:2", "2"))
	gang := w.Gang("train-0")
	gang.Revisions = w.revisions
	for _, step := range gang.Replacements() {
		for _, patch := range step.Patches {
			data, err := json.Marshal(patch.Config.Spec)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(data); got != `{"containers":[{"name":"main","image":"main:1"}]}` || patch.Config.Labels[v1alpha1.LabelPodTemplateHash] != patch.Pod.Labels[v1alpha1.LabelPodTemplateHash] {
				t.Errorf("%s: %s, labels %v", patch.Pod.Name, got, patch.Config.Labels)
			}
		}
	}
}

// From the change to the new container, a pod is neither updated nor a fault, and its restart recreates nothing.
func TestARestartInPlaceIsNoFault(t *testing.T) {
	w := newEdited(func(set *v1alpha1.PodCliqueSet) {
		recreating(set)
		set.Spec.Template.PodCliqueScalingGroups[0].MinAvailable = ptr.To[int32](3)
	}, setMain("main:2", "1"))
	w.steps()
	pods := []*corev1.Pod{w.Pod(t, "train-lead-0-0-0"), w.Pod(t, "train-worker-0-0-0"), w.Pod(t, "train-worker-0-0-1")}
	for _, stage := range []struct {
		name    string
		updated int32
		kubelet func(pod *corev1.Pod, status *corev1.ContainerStatus)
	}{
		{"before the kubelet has looked", 0, func(*corev1.Pod, *corev1.ContainerStatus) {}},
		{"while the old containers end", 0, func(pod *corev1.Pod, status *corev1.ContainerStatus) {
			pod.Status.Conditions[0].Status = corev1.ConditionFalse
			status.Ready, status.Started, status.State.Terminated = false, ptr.To(false), &corev1.ContainerStateTerminated{ExitCode: 137}
		}},
		{"while the new ones start", 1, func(_ *corev1.Pod, status *corev1.ContainerStatus) {
			status.ContainerID, status.RestartCount, status.State.Terminated = "c2", 1, nil
		}},
		{"once they are ready", 1, func(pod *corev1.Pod, status *corev1.ContainerStatus) {
			pod.Status.Conditions[0].Status, status.Ready, status.Started = corev1.ConditionTrue, true, ptr.To(true)
		}},
	} {
		for _, pod := range pods {
			stage.kubelet(pod, &pod.Status.ContainerStatuses[0])
		}
		w.Settle()
		for _, unit := range w.PodGangs["train-0"].Status.Units {
			if unit.BreachedSince != nil || unit.Restarts > 0 {
				t.Errorf("%s: unit %+v", stage.name, unit)
			}
		}
		for _, group := range w.PodGangs["train-0"].Status.PodGroups {
			if group.Restarts > 0 {
				t.Errorf("%s: %s is recreated", stage.name, group.Name)
			}
			if group.Name == "train-lead-0-0" && group.Updated != stage.updated {
				t.Errorf("%s: %d pods of %s are updated", stage.name, group.Updated, group.Name)
			}
		}
	}
}
