package history_test

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/podclique"
)

// competitors are the pod groups whose minimum has to have a place before a pod is made for the first time: for the surplus of a standalone
// PodClique and for a scaled unit those of the base, for the surplus of a member those of its scaling group's units, too.
func competitors(gang *v1alpha1.PodGang, clique podclique.Clique, id plan.PodIdentity) []v1alpha1.PodGroup {
	surplus, member := id.Index >= clique.MinAvailable(), clique.ScalingGroup != nil
	if !surplus && (!member || *id.GroupReplica < plan.ScalingGroupMinAvailable(&clique.ScalingGroup.Spec)) {
		return nil
	}
	groups := slices.Clone(gang.Spec.PodGroups)
	for _, scaled := range gang.Spec.ScaledGroups {
		if surplus && member && scaled.PodGroups[0].PodCliqueScalingGroupName == clique.ScalingGroup.Name {
			groups = append(groups, scaled.PodGroups...)
		}
	}
	return groups
}

// mustBeItsTurn finds a pod that is made for the first time ahead of what it competes with: of what never had its minimum of places, nor, while
// all settles, had it when all statuses were written last.
func (w *world) mustBeItsTurn(podClique *v1alpha1.PodClique, name string) {
	clique, complete := w.clique(podClique)
	if w.existed[name] || !complete || clique.Gang == nil {
		return
	}
	for id := range clique.Identities() {
		if id.Name != name {
			continue
		}
		for _, group := range competitors(clique.Gang, clique, id) {
			if w.most[group.Name] < group.MinReplicas || w.lacks[group.Name] {
				w.fault("pod %s is made, and %s has no place", name, group.Name)
			}
		}
	}
}

// bound is how many pods of each pod group have a place.
func (w *world) bound() map[string]int32 {
	bound := map[string]int32{}
	for _, pod := range w.live.pods {
		if plan.Lives(pod) && plan.IsScheduled(pod) {
			bound[plan.PodGroupOf(pod)]++
		}
	}
	return bound
}

// countBound remembers how many pods of each pod group ever had a place at once.
func (w *world) countBound() {
	for podGroup, pods := range w.bound() {
		w.most[podGroup] = max(w.most[podGroup], pods)
	}
}

// lacking are the pod groups that have no place for their minimum.
func (w *world) lacking() map[string]bool {
	lacking, bound := map[string]bool{}, w.bound()
	for _, gang := range w.live.gangs {
		for _, unit := range plan.UnitsOf(gang) {
			for _, group := range unit.PodGroups {
				lacking[group.Name] = bound[group.Name] < group.MinReplicas
			}
		}
	}
	return lacking
}

// stuck says which pod isn't there though nothing that it waits for lacks room, and which gang doesn't say that it lacks it, once all is quiet.
func (w *world) stuck() string {
	lacking := w.lacking()
	waits := func(group v1alpha1.PodGroup) bool { return lacking[group.Name] }
	for _, podClique := range w.live.cliques {
		clique, _ := w.clique(podClique)
		if clique.Gang.Status.Phase == v1alpha1.PodGangSucceeded {
			continue
		}
		for id := range clique.Identities() {
			if w.live.pods[id.Name] == nil && !slices.ContainsFunc(competitors(clique.Gang, clique, id), waits) {
				return "pod " + id.Name + " is missing: " + clique.Waits(w.now)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.live.gangs)) {
		gang := w.live.gangs[name]
		scheduled := meta.FindStatusCondition(gang.Status.Conditions, v1alpha1.ConditionScheduled)
		if gang.Status.Phase != v1alpha1.PodGangSucceeded && slices.ContainsFunc(gang.Spec.PodGroups, waits) && scheduled.Reason != v1alpha1.ReasonUnschedulable {
			return "the base unit of " + name + " has no place, and it is said that " + scheduled.Message
		}
	}
	return w.toldWrong()
}
