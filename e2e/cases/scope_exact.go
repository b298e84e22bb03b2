package cases

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
)

// exactKinds are those of which a set's namespace has to have exactly what is asked for.
var exactKinds = []schema.GroupVersionResource{podCliqueSets, podGangs, podCliques, scalingGroups, pods, services, serviceAccounts, roles, roleBindings, podGroups, compositePodGroups}

// facts are what is said of objects, by "kind/name".
type facts map[string]string

// deviation compares everything that is Grove's in the scope's namespace with what sets, their PodCliques and their scaling groups ask
// for, and returns the difference, nothing if there is none; and what nobody asks for or controls: a set leaves alone what an earlier one of
// its name has left on purpose.
func (s *scope) deviation(sets []string) (diff string, orphans []orphan, err error) {
	w := world{objects: map[schema.GroupVersionResource]map[string]*unstructured.Unstructured{}, uids: map[types.UID]bool{}}
	for _, kind := range exactKinds {
		list, err := s.dynamic.Resource(kind).Namespace(s.namespace).List(s.ctx, metav1.ListOptions{})
		if err != nil {
			return "", nil, err
		}
		w.objects[kind] = map[string]*unstructured.Unstructured{}
		for i := range list.Items {
			w.objects[kind][list.Items[i].GetName()] = &list.Items[i]
			w.uids[list.Items[i].GetUID()] = list.Items[i].GetDeletionTimestamp() == nil
		}
	}
	want := facts{}
	for _, set := range sets {
		w.expect(set, want)
	}
	w.expectPodGroups(want)
	got := w.facts()
	all := maps.Clone(want)
	maps.Copy(all, got)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if want[key] != got[key] {
			diff += fmt.Sprintf("%s: want %q, got %q\n", key, want[key], got[key])
		}
	}
	return diff, w.orphans(want), nil
}

// orphan is an object without a controller.
type orphan struct {
	kind   schema.GroupVersionResource
	object *unstructured.Unstructured
}

// orphans are those that nobody asks for.
func (w world) orphans(want facts) []orphan {
	var all []orphan
	for kind, objects := range w.objects {
		for name, object := range objects {
			if want[key(kind, name)] == "" && metav1.GetControllerOf(object) == nil && object.GetLabels()[v1alpha1.LabelManagedBy] == v1alpha1.ManagedBy {
				all = append(all, orphan{kind: kind, object: object})
			}
		}
	}
	return all
}

// world is what exists.
type world struct {
	objects map[schema.GroupVersionResource]map[string]*unstructured.Unstructured
	// uids are those of all objects, and whether each lives.
	uids map[types.UID]bool
}

// typed returns an object as its type; the zero value if it doesn't exist.
func typed[T any](w world, kind schema.GroupVersionResource, name string) *T {
	var object T
	if found := w.objects[kind][name]; found != nil {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(found.Object, &object); err != nil {
			panic(err) // the types are those that the API server's schemas were made of
		}
	}
	return &object
}

func key(kind schema.GroupVersionResource, name string) string { return kind.Resource + "/" + name }

// facts are what is there. Whoever controls an object has to live; a PodGroup that pods name may outlive its gang, and end with them.
func (w world) facts() facts {
	got := facts{}
	for kind, objects := range w.objects {
		for name, object := range objects {
			if kind != podCliqueSets && kind != podGroups && kind != compositePodGroups && object.GetLabels()[v1alpha1.LabelManagedBy] != v1alpha1.ManagedBy {
				continue
			}
			if _, foreign := object.GetLabels()[labelForeign]; foreign {
				continue
			}
			text := w.describe(kind, name)
			if kind != podGroups {
				if owner := metav1.GetControllerOf(object); kind != podCliqueSets && (owner == nil || !w.uids[owner.UID]) {
					text += " without a living controller"
				}
				if object.GetDeletionTimestamp() != nil {
					text += " terminating"
				}
			}
			got[key(kind, name)] = text
		}
	}
	return got
}

func (w world) describe(kind schema.GroupVersionResource, name string) string {
	object := w.objects[kind][name]
	observed, _, _ := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
	current := fmt.Sprintf("observed %t", observed == object.GetGeneration())
	switch kind {
	case podCliqueSets:
		status := typed[v1alpha1.PodCliqueSet](w, kind, name).Status
		return fmt.Sprintf("phase %s, %s, %d replicas, %d available, %s", status.Phase, current, status.Replicas, status.AvailableReplicas, saying(status.Conditions))
	case podCliques:
		status := typed[v1alpha1.PodClique](w, kind, name).Status
		return fmt.Sprintf("%s, %d pods, %d scheduled, %d ready, %s", current, status.Replicas, status.ScheduledReplicas, status.ReadyReplicas, saying(status.Conditions))
	case podGangs:
		status := typed[v1alpha1.PodGang](w, kind, name).Status
		return fmt.Sprintf("phase %s, %s, %s", status.Phase, current, saying(status.Conditions))
	case scalingGroups:
		return current + ", " + saying(typed[v1alpha1.PodCliqueScalingGroup](w, kind, name).Status.Conditions)
	case pods:
		pod := typed[corev1.Pod](w, kind, name)
		return stateOf(pod) + ", in " + unitOf(pod)
	case podGroups:
		minCount, _, _ := unstructured.NestedInt64(object.Object, "spec", "schedulingPolicy", "gang", "minCount")
		return fmt.Sprintf("minCount %d", minCount)
	default:
		return "exists"
	}
}

// saying lists conditions by their type, but for one that there is only where a gang has scaled units, unless it is bad.
func saying(conditions []metav1.Condition) string {
	var all []string
	for _, condition := range conditions {
		if condition.Type == v1alpha1.ConditionScaledGroupsScheduled && condition.Status == metav1.ConditionTrue {
			continue
		}
		all = append(all, condition.Type+"="+string(condition.Status))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// unitOf is the unit whose PodGroup a pod names. A PodGroup of a part of a unit has the unit's name and, after a dot, its own.
func unitOf(pod *corev1.Pod) string {
	if pod.Spec.SchedulingGroup == nil {
		return "no unit"
	}
	unit, _, _ := strings.Cut(ptr.Deref(pod.Spec.SchedulingGroup.PodGroupName, ""), ".")
	return unit
}
