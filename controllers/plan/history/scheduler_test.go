package history_test

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/podgang"
)

// noRoom are the scheduler's words on what doesn't fit.
const noRoom = "no node has room"

// schedule plays a scheduler that places the pods of a group once as many of them fit as it has to have, and others one by one.
func (w *world) schedule() {
	room := w.room()
	tried := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(w.live.pods)) {
		pod := w.live.pods[name]
		if !plan.Lives(pod) || plan.IsScheduled(pod) {
			continue
		}
		if of := plan.SchedulerGroupOf(pod); of == "" {
			w.place(name, room)
		} else if !tried[of] {
			tried[of] = true
			w.placeGroup(of, room)
		}
	}
	w.countBound()
}

// placeGroup places pods of a group that are there, if with those that have a place they are as many as the group has to have. As in
// kube-scheduler, a pod that is on its way out is counted until it is gone.
func (w *world) placeGroup(name string, room map[string]int) {
	found, exists := w.live.groups[name]
	if !exists {
		return
	}
	bound, free := 0, 0
	var waiting []*corev1.Pod
	for _, pod := range w.named(w.live.pods, name) {
		switch {
		case plan.HasEnded(pod):
		case plan.IsScheduled(pod):
			bound++
		default:
			waiting = append(waiting, pod)
		}
	}
	for _, places := range room {
		free += places
	}
	switch least := int(found.minCount); {
	case bound+len(waiting) < least:
		return
	case bound+min(len(waiting), free) < least:
		found.verdict = noRoom
		w.live.groups[name] = found
		return
	}
	for _, pod := range waiting {
		w.mustBePlacedWhole(pod)
		w.place(pod.Name, room)
	}
}

// mustBePlacedWhole finds pods from before a restart that make up for a part of the gang that was restarted.
func (w *world) mustBePlacedWhole(placed *corev1.Pod) {
	restarts := plan.RestartsOf(w.live.gangs[placed.Labels[v1alpha1.LabelPodGang]])
	for _, pod := range w.named(w.live.pods, plan.SchedulerGroupOf(placed)) {
		of := plan.PodGroupOf(pod)
		if of == plan.PodGroupOf(placed) && restarts.Outlived(pod, of) && !restarts.Outlived(placed, of) {
			w.fault("pod %s is placed while the scheduler counts %s, which was there before the restart", placed.Name, pod.Name)
		}
	}
}

// place binds a pod to a node that has room, or says that none has.
func (w *world) place(name string, room map[string]int) {
	scheduled := corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: noRoom}
	node := ""
	for _, candidate := range slices.Sorted(maps.Keys(room)) {
		if room[candidate] > 0 {
			node = candidate
			room[node]--
			scheduled = corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(w.now)}
			w.writes++
			break
		}
	}
	w.change(name, func(pod *corev1.Pod) {
		pod.Spec.NodeName, pod.Status.Conditions = node, []corev1.PodCondition{scheduled}
	})
}

// room is how many more pods fit on each node.
func (w *world) room() map[string]int {
	room := map[string]int{}
	for name, node := range w.live.nodes {
		if w.serves(name) {
			room[name] = int(node.Status.Allocatable.Pods().Value())
		}
	}
	for _, pod := range w.live.pods {
		if _, serves := room[pod.Spec.NodeName]; serves && !plan.HasEnded(pod) {
			room[pod.Spec.NodeName]--
		}
	}
	return room
}

// expected counts the pods that a group should ask for: the first ones of a unit that name it, or will. While some of them need a place, those are
// left out that have ended.
type expected struct {
	pods, ended int32
	wait        bool
}

func (e *expected) add(pod *corev1.Pod, unit string, restarts plan.Restarts, podGroup string) {
	if pod != nil && plan.SchedulerGroupOf(pod) != unit {
		return
	}
	e.pods++
	if pod == nil || !plan.IsScheduled(pod) {
		e.wait = true
	} else if plan.HasEnded(pod) && plan.Lives(pod) && !restarts.Outlived(pod, podGroup) {
		e.ended++
	}
}

func (e *expected) number() int32 {
	if e.wait {
		return e.pods - e.ended
	}
	return e.pods
}

// mustTell finds placements that ask for another number of pods than they should.
func (w *world) mustTell(gang podgang.Gang, placements []podgang.Placement) {
	told := map[string]int32{}
	for _, placement := range placements {
		for _, part := range placement.Groups {
			told[placement.Name] += part.Pods
		}
	}
	spec := gang.Object().Spec
	w.mustTellOf(gang, gang.Object().Name, spec.PodGroups, told)
	for _, scaled := range spec.ScaledGroups {
		w.mustTellOf(gang, scaled.Name, scaled.PodGroups, told)
	}
}

func (w *world) mustTellOf(gang podgang.Gang, unit string, podGroups []v1alpha1.PodGroup, told map[string]int32) {
	var want expected
	for _, podGroup := range podGroups {
		podClique := w.cache.cliques[podGroup.PodCliqueName]
		for n := range podGroup.MinReplicas {
			pod := w.cache.pods[plan.PodName(podGroup.Name, n)]
			if podClique == nil || pod != nil && !metav1.IsControlledBy(pod, podClique) {
				pod = nil
			}
			want.add(pod, unit, plan.RestartsOf(gang.Object()), podGroup.Name)
		}
	}
	if told[unit] != want.number() {
		w.fault("the scheduler is told of %d pods of unit %s of %s; there should be %d", told[unit], unit, gang.Object().Name, want.number())
	}
}

// toldWrong says which group isn't told of as the template and the replicas of PodCliques and scaling groups ask, once all is quiet.
func (w *world) toldWrong() string {
	want := map[string]*expected{}
	t := plan.TemplateOf(w.live.set)
	for _, podClique := range w.live.cliques {
		clique, _ := w.clique(podClique)
		least := plan.CliqueMinAvailable(&t.Clique(podClique.Name, clique.Index()).Spec)
		for id := range clique.Identities() {
			unit := clique.Membership(id).Unit
			if want[unit] == nil {
				want[unit] = &expected{}
			}
			if id.Index < least {
				want[unit].add(w.live.pods[id.Name], unit, plan.RestartsOf(clique.Gang), id.PodGroup)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if found := w.live.groups[name]; found.minCount != want[name].number() {
			return fmt.Sprintf("group %s asks for %d pods; it should for %d", name, found.minCount, want[name].number())
		}
	}
	for name := range w.live.groups {
		if want[name] == nil && len(w.named(w.live.pods, name)) == 0 {
			return "group " + name + " is of no unit"
		}
	}
	return ""
}
