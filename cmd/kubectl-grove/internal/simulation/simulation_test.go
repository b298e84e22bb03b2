package simulation

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/plan/podcliqueset"
)

// grown is the world of a set all of whose pods are ready.
func grown(t *testing.T, set *v1alpha1.PodCliqueSet) *World {
	t.Helper()
	w := New(podcliqueset.Set{Object: set}, nil, plantest.Everything, plantest.Now)
	if _, ended := w.Run(100); !ended {
		t.Fatal("the set never comes up")
	}
	return New(w.Set, w.Pods(), plantest.Everything, plantest.Now)
}

// inALine is a step in a line.
func inALine(step Step) string {
	var parts []string
	say := func(what string, pods []*corev1.Pod) {
		if len(pods) > 0 {
			parts = append(parts, fmt.Sprint(what, " ", strings.Join(NamesOf(pods), " ")))
		}
	}
	if len(step.Waits) > 0 {
		parts = append(parts, "once ready: "+strings.Join(step.Waits, " "))
	}
	say("delete", step.Deleted)
	say("replace", step.Replaced)
	say("create", step.Created)
	say("change", step.Changed)
	say("relabel", step.Relabelled)
	l := step.Leaves
	return fmt.Sprintf("%s; leaves %d/%d replicas, %d/%d units, %d/%d pods", strings.Join(parts, ", "), l.Replicas.Ready, l.Replicas.Of, l.Units.Ready, l.Units.Of, l.Pods.Ready, l.Pods.Of)
}

func image(set *v1alpha1.PodCliqueSet, clique int, image string) {
	set.Spec.Template.Cliques[clique].Spec.PodSpec.Containers[0].Image = image
}

const (
	alone, worker = 2, 1
)

func TestSteps(t *testing.T) {
	tests := map[string]struct {
		// found changes the world that the set's new spec comes upon.
		found func(w *World)
		spec  func(set *v1alpha1.PodCliqueSet)
		want  []string
	}{
		"nothing": {},
		"an image of a standalone clique": {
			spec: func(set *v1alpha1.PodCliqueSet) { image(set, alone, "b") },
			want: []string{
				"replace train-alone-0-0; leaves 1/2 replicas, 3/4 units, 13/14 pods",
				"replace train-alone-1-0; leaves 1/2 replicas, 3/4 units, 13/14 pods",
			},
		},
		"images in place": {
			spec: func(set *v1alpha1.PodCliqueSet) {
				set.Spec.UpdateStrategy.InPlace = v1alpha1.InPlaceIfPossible
				image(set, alone, "b")
			},
			want: []string{
				"change train-alone-0-0; leaves 1/2 replicas, 3/4 units, 13/14 pods",
				"change train-alone-1-0; leaves 1/2 replicas, 3/4 units, 13/14 pods",
			},
		},
		"resources in place": {
			spec: func(set *v1alpha1.PodCliqueSet) {
				set.Spec.UpdateStrategy.InPlace = v1alpha1.InPlaceIfPossible
				set.Spec.Template.Cliques[alone].Spec.PodSpec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2")}
			},
			want: []string{
				"change train-alone-0-0; leaves 1/2 replicas, 3/4 units, 13/14 pods",
				"change train-alone-1-0; leaves 1/2 replicas, 3/4 units, 13/14 pods",
			},
		},
		"scaling groups before standalone cliques": {
			spec: func(set *v1alpha1.PodCliqueSet) { image(set, worker, "b"); image(set, alone, "b") },
			want: []string{
				"replace train-worker-0-0-0 train-worker-0-0-1; leaves 1/2 replicas, 3/4 units, 12/14 pods",
				"replace train-worker-0-1-0 train-worker-0-1-1; leaves 2/2 replicas, 3/4 units, 12/14 pods",
				"replace train-alone-0-0; leaves 1/2 replicas, 3/4 units, 13/14 pods",
				"replace train-worker-1-0-0 train-worker-1-0-1; leaves 1/2 replicas, 3/4 units, 12/14 pods",
				"replace train-worker-1-1-0 train-worker-1-1-1; leaves 2/2 replicas, 3/4 units, 12/14 pods",
				"replace train-alone-1-0; leaves 1/2 replicas, 3/4 units, 13/14 pods",
			},
		},
		"all at once in a replica": {
			spec: func(set *v1alpha1.PodCliqueSet) {
				image(set, worker, "b")
				set.Spec.UpdateStrategy.Type = v1alpha1.Coherent
			},
			want: []string{
				"replace train-worker-0-0-0 train-worker-0-0-1 train-worker-0-1-0 train-worker-0-1-1; leaves 1/2 replicas, 2/4 units, 10/14 pods",
				"replace train-worker-1-0-0 train-worker-1-0-1 train-worker-1-1-0 train-worker-1-1-1; leaves 1/2 replicas, 2/4 units, 10/14 pods",
			},
		},
		"on delete": {spec: func(set *v1alpha1.PodCliqueSet) {
			image(set, worker, "b")
			set.Spec.UpdateStrategy.Type = v1alpha1.OnDelete
		}},
		"paused": {spec: func(set *v1alpha1.PodCliqueSet) { image(set, worker, "b"); set.Spec.UpdateStrategy.Paused = true }},
		"a partition": {
			spec: func(set *v1alpha1.PodCliqueSet) { image(set, alone, "b"); set.Spec.UpdateStrategy.Partition = 1 },
			want: []string{"replace train-alone-1-0; leaves 1/2 replicas, 3/4 units, 13/14 pods"},
		},
		"what is broken first": {
			found: func(w *World) { w.put(unready(w.pod("train-alone-1-0"))) },
			spec:  func(set *v1alpha1.PodCliqueSet) { image(set, alone, "b") },
			want: []string{
				"replace train-alone-1-0; leaves 1/2 replicas, 3/4 units, 13/14 pods",
				"replace train-alone-0-0; leaves 1/2 replicas, 3/4 units, 13/14 pods",
			},
		},
		"what has to become ready": {
			found: func(w *World) { w.put(unready(w.pod("train-worker-0-0-0"))) },
			spec:  func(set *v1alpha1.PodCliqueSet) { image(set, alone, "b") },
			want: []string{
				"once ready: train-worker-0-0-0, replace train-alone-0-0; leaves 1/2 replicas, 3/4 units, 13/14 pods",
				"replace train-alone-1-0; leaves 1/2 replicas, 3/4 units, 13/14 pods",
			},
		},
		"a replica more": {
			spec: func(set *v1alpha1.PodCliqueSet) { set.Spec.Replicas = 3 },
			want: []string{"create train-alone-2-0 train-lead-2-0-0 train-lead-2-1-0 train-worker-2-0-0 train-worker-2-0-1 train-worker-2-1-0 " +
				"train-worker-2-1-1; leaves 2/3 replicas, 4/6 units, 14/21 pods"},
		},
		"a replica less": {
			spec: func(set *v1alpha1.PodCliqueSet) { set.Spec.Replicas = 1 },
			want: []string{"delete train-alone-1-0 train-lead-1-0-0 train-lead-1-1-0 train-worker-1-0-0 train-worker-1-0-1 train-worker-1-1-0 " +
				"train-worker-1-1-1; leaves 1/1 replicas, 2/2 units, 7/7 pods"},
		},
		"a group replica more": {
			spec: func(set *v1alpha1.PodCliqueSet) {
				set.Spec.Template.PodCliqueScalingGroups[0].Replicas = ptr.To[int32](3)
			},
			want: []string{"create train-lead-0-2-0 train-lead-1-2-0 train-worker-0-2-0 train-worker-0-2-1 train-worker-1-2-0 train-worker-1-2-1; " +
				"leaves 2/2 replicas, 4/6 units, 14/20 pods"},
		},
		"a label": {
			spec: func(set *v1alpha1.PodCliqueSet) {
				set.Spec.Template.Cliques[alone].Labels = map[string]string{"a": "b"}
			},
			want: []string{"relabel train-alone-0-0 train-alone-1-0; leaves 2/2 replicas, 4/4 units, 14/14 pods"},
		},
		"what somebody has scaled": {
			found: func(w *World) { w.scaled("train-group", 3) },
			spec: func(set *v1alpha1.PodCliqueSet) {
				set.Spec.Template.Cliques[alone].Labels = map[string]string{"a": "b"}
			},
			want: []string{"create train-lead-0-2-0 train-lead-1-2-0 train-worker-0-2-0 train-worker-0-2-1 train-worker-1-2-0 train-worker-1-2-1, " +
				"relabel train-alone-0-0 train-alone-1-0; leaves 2/2 replicas, 4/6 units, 14/20 pods"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := grown(t, plantest.Workers())
			if test.found != nil {
				test.found(w)
				w = New(w.Set, w.Pods(), plantest.Everything, plantest.Now)
			}
			changed := w.Object.DeepCopy()
			if test.spec != nil {
				test.spec(changed)
				changed.Generation++
			}
			w.Change(changed)
			steps, ended := w.Run(100)
			if !ended {
				t.Error("it never ends")
			}
			var got []string
			for _, step := range steps {
				got = append(got, inALine(step))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func (w *World) pod(name string) *corev1.Pod {
	pods := w.Pods()
	return pods[slices.IndexFunc(pods, func(pod *corev1.Pod) bool { return pod.Name == name })]
}

// unready is a pod whose containers have stopped being ready.
func unready(pod *corev1.Pod) *corev1.Pod {
	changed := pod.DeepCopy()
	plantest.Unready(changed)
	return changed
}

// scaled is what kubectl scale makes of a scaling group.
func (w *World) scaled(name string, replicas int32) {
	scaled := w.ScalingGroups[name].DeepCopy()
	scaled.Spec.Replicas, scaled.ManagedFields = &replicas, nil
	scaled.Generation++
	w.ScalingGroups[name] = scaled
}

func TestRunEndsAfterSoManySteps(t *testing.T) {
	w := grown(t, plantest.Workers())
	changed := w.Object.DeepCopy()
	image(changed, alone, "b")
	w.Change(changed)
	if steps, ended := w.Run(1); len(steps) != 1 || ended {
		t.Errorf("%d steps, ended %v; there are 2, and 1 was asked for", len(steps), ended)
	}
}
