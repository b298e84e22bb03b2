package history_test

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/controllers/plan"
)

// apply writes what a configuration says unless it is so already.
func apply[T metav1.Object](w *world, to map[string]T, before, wanted T, spec func(T) any) {
	if _, exists := to[wanted.GetName()]; !exists {
		wanted.SetUID(w.uid())
		wanted.SetGeneration(1)
		wanted.SetManagedFields([]metav1.ManagedFieldsEntry{{
			Manager: plan.SetManager, Operation: metav1.ManagedFieldsOperationApply, FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`),
		}})
	} else {
		wanted.SetUID(before.GetUID())
		wanted.SetGeneration(before.GetGeneration())
		wanted.SetManagedFields(before.GetManagedFields())
		if equality.Semantic.DeepEqual(before, wanted) {
			return
		}
		if !equality.Semantic.DeepEqual(spec(before), spec(wanted)) {
			wanted.SetGeneration(before.GetGeneration() + 1)
		}
	}
	w.writes++
	to[wanted.GetName()] = wanted
}

// deleteClique deletes a PodClique, and its pods with it.
func (w *world) deleteClique(name string) {
	podClique := w.live.cliques[name]
	delete(w.live.cliques, name)
	for _, pod := range w.live.pods {
		if podClique != nil && metav1.IsControlledBy(pod, podClique) {
			w.deletePod(pod.Name)
		}
	}
}

// deleteGang deletes a PodGang, and its groups with it.
func (w *world) deleteGang(name string) {
	gang := w.live.gangs[name]
	delete(w.live.gangs, name)
	for name, found := range w.live.groups {
		if gang != nil && found.owner == gang.UID {
			w.deleteGroup(name)
		}
	}
}

// deletePod deletes a pod, which has to be ended by the kubelet of its node if it has one.
func (w *world) deletePod(name string) {
	switch pod := w.live.pods[name]; {
	case !plan.Lives(pod):
	case !plan.IsScheduled(pod):
		delete(w.live.pods, name)
		w.finalize()
	default:
		w.change(name, func(pod *corev1.Pod) { pod.DeletionTimestamp = ptr.To(metav1.NewTime(w.now)) })
	}
}

func (w *world) deleteGroup(name string) {
	if found, exists := w.live.groups[name]; exists {
		found.deleted = true
		w.live.groups[name] = found
	}
	w.finalize()
}

// finalize plays what removes the finalizers of groups.
func (w *world) finalize() {
	for name, found := range w.live.groups {
		if found.deleted && !slices.ContainsFunc(w.named(w.live.pods, name), func(pod *corev1.Pod) bool {
			return !plan.HasEnded(pod)
		}) {
			delete(w.live.groups, name)
		}
	}
}

// named are the pods that name a group, by name.
func (w *world) named(pods map[string]*corev1.Pod, group string) []*corev1.Pod {
	var found []*corev1.Pod
	for _, name := range slices.Sorted(maps.Keys(pods)) {
		if plan.SchedulerGroupOf(pods[name]) == group {
			found = append(found, pods[name])
		}
	}
	return found
}

func (w *world) change(name string, change func(*corev1.Pod)) {
	pod := w.live.pods[name].DeepCopy()
	change(pod)
	w.live.pods[name] = pod
}
