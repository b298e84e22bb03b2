// Package simulation plays what Grove's controllers would do to a set. It lets their planners loose on a copy of the set's objects, in a
// cluster that places every pod and in which every pod that is made becomes ready.
package simulation

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/podclique"
	"grove.io/grove/controllers/plan/podcliqueset"
	"grove.io/grove/controllers/plan/podgang"
)

// World is a set with its children and pods, as they are or as they would be. Objects in it are replaced, never changed.
type World struct {
	podcliqueset.Set
	// pods are those of each PodGang, by name.
	pods map[string]map[string]*corev1.Pod
	// found are the UIDs of pods that were there at the beginning.
	found map[types.UID]bool
	// changed are the UIDs of pods that were changed where they are.
	changed    map[types.UID]bool
	scheduling plan.Scheduling
	now        time.Time
	uids       int
	// touched are the PodGangs of which something has changed since their planners looked.
	touched map[string]bool
	// step is what is being done.
	step *Step
}

// New is the world of a set as it was observed, with its pods, at a time, where the scheduler can do so much.
func New(observed podcliqueset.Set, pods []*corev1.Pod, scheduling plan.Scheduling, now time.Time) *World {
	w := &World{
		Set: observed, pods: map[string]map[string]*corev1.Pod{}, found: map[types.UID]bool{}, changed: map[types.UID]bool{}, scheduling: scheduling, now: now,
		touched: map[string]bool{}, step: &Step{},
	}
	w.ScalingGroups, w.PodGangs = clone(observed.ScalingGroups), clone(observed.PodGangs)
	w.PodCliques, w.Autoscalers = clone(observed.PodCliques), clone(observed.Autoscalers)
	w.Revisions, w.DisruptionBudgets = slices.Clone(observed.Revisions), slices.Clone(observed.DisruptionBudgets)
	w.Services = slices.Clone(observed.Services)
	for _, pod := range pods {
		w.found[pod.UID] = true
		w.put(pod)
	}
	// What has happened to pods since the statuses were written is known to the controllers before they see a change.
	for _, name := range slices.Sorted(maps.Keys(w.PodGangs)) {
		w.describeReplica(name)
	}
	w.describeSet()
	w.touchAll()
	return w
}

// clone is a copy of a map that can be written to.
func clone[T any](of map[string]T) map[string]T {
	if of == nil {
		return map[string]T{}
	}
	return maps.Clone(of)
}

// Pods are those of all replicas, by name.
func (w *World) Pods() []*corev1.Pod {
	var all []*corev1.Pod
	for _, pods := range w.pods {
		all = slices.AppendSeq(all, maps.Values(pods))
	}
	slices.SortFunc(all, plan.ByName)
	return all
}

// Existed tells whether a pod was there at the beginning.
func (w *World) Existed(pod *corev1.Pod) bool { return w.found[pod.UID] }

// Gone are the UIDs of pods that were there at the beginning and aren't any more.
func (w *World) Gone() []types.UID {
	left := maps.Clone(w.found)
	for _, pod := range w.Pods() {
		delete(left, pod.UID)
	}
	return slices.Sorted(maps.Keys(left))
}

// put replaces a pod, or adds it.
func (w *World) put(pod *corev1.Pod) {
	gang := pod.Labels[v1alpha1.LabelPodGang]
	if w.pods[gang] == nil {
		w.pods[gang] = map[string]*corev1.Pod{}
	}
	w.pods[gang][pod.Name] = pod
	w.touched[gang] = true
}

func (w *World) remove(pod *corev1.Pod) {
	gang := pod.Labels[v1alpha1.LabelPodGang]
	delete(w.pods[gang], pod.Name)
	w.touched[gang] = true
}

func (w *World) uid() types.UID {
	w.uids++
	return types.UID(fmt.Sprint("simulated-", w.uids))
}

// Gang is what decides about a PodGang of the world; nil if there is none of the name.
func (w *World) Gang(name string) *podgang.Gang {
	object := w.PodGangs[name]
	if object == nil {
		return nil
	}
	gang := podgang.Gang{Replica: plan.Replica{
		Set: w.Object, Gang: object, Cliques: map[string]plan.Clique{}, Siblings: w.siblings(name),
		Scheduling: w.schedulingOf(name), SchedulerGroups: told, Revisions: w.Revisions,
	}}
	for _, podClique := range w.cliquesOf(name) {
		if clique := w.clique(podClique); clique != nil {
			gang.Cliques[podClique.Name] = clique.Clique
		}
	}
	return &gang
}

// told says that the scheduler has been told of every group.
func told(string) plan.SchedulerGroup { return plan.SchedulerGroup{Exists: true} }

// siblings are the pods of a PodGang, by name.
func (w *World) siblings(gang string) []*corev1.Pod {
	return slices.SortedFunc(maps.Values(w.pods[gang]), plan.ByName)
}

// cliquesOf are the PodCliques of a PodGang, by name.
func (w *World) cliquesOf(gang string) []*v1alpha1.PodClique {
	var all []*v1alpha1.PodClique
	for _, podClique := range w.PodCliques {
		if podClique.Labels[v1alpha1.LabelPodGang] == gang {
			all = append(all, podClique)
		}
	}
	slices.SortFunc(all, plan.ByName)
	return all
}

// clique is what decides about the pods of a PodClique; nil while its scaling group is missing.
func (w *World) clique(podClique *v1alpha1.PodClique) *podclique.Clique {
	gang := podClique.Labels[v1alpha1.LabelPodGang]
	siblings := w.siblings(gang)
	clique := podclique.Clique{Clique: plan.Clique{
		Object: podClique, Set: w.Object, Gang: w.PodGangs[gang], Siblings: siblings, Scheduling: w.schedulingOf(gang), SchedulerGroups: told,
	}}
	if name := plan.ScalingGroupNameOf(w.Object, podClique); name != "" {
		if clique.ScalingGroup = w.ScalingGroups[name]; clique.ScalingGroup == nil {
			return nil
		}
	}
	for _, pod := range siblings {
		orphan := metav1.GetControllerOfNoCopy(pod) == nil && pod.Labels[v1alpha1.LabelPodClique] == podClique.Name
		if orphan || metav1.IsControlledBy(pod, podClique) {
			clique.Pods = append(clique.Pods, pod)
		}
	}
	return &clique
}

func (w *World) schedulingOf(gang string) plan.Scheduling { return w.scheduling.For(w.siblings(gang)) }

// simulated is the node that pods are placed on.
const simulated = "simulated"

// ready is a pod that is placed, runs and is ready.
func ready(pod *corev1.Pod) *corev1.Pod {
	up := pod.DeepCopy()
	up.Spec.NodeName = cmp.Or(up.Spec.NodeName, simulated)
	up.Status = corev1.PodStatus{Phase: corev1.PodRunning, ObservedGeneration: up.Generation, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
	for i := range pod.Spec.Containers {
		up.Status.ContainerStatuses = append(up.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: pod.Spec.Containers[i].Name, Ready: true, Started: ptr.To(true), ContainerID: fmt.Sprintf("%s://%d", simulated, up.Generation),
		})
	}
	return up
}
