package podgang

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/intstr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// Step is what an update replaces at once: pods of a podSpec that their PodClique no longer has. What the pods bear is all that an update
// remembers: whoever looks next computes the same step, or what is left of it.
type Step struct {
	// ScalingGroup is the scaling group whose group replicas are replaced; empty for pods of a standalone clique.
	ScalingGroup string
	// Clique is the PodClique whose pods are replaced; empty for group replicas.
	Clique string
	// Pods are deleted, and come back under their names from the podSpec that their PodClique has.
	Pods []*corev1.Pod
	// Patches change pods where they are.
	Patches []*Patch
}

// take adds what is to be done to pods.
func (s *Step) take(pods []stale) {
	for _, one := range pods {
		if one.patch != nil {
			s.Patches = append(s.Patches, one.patch)
		} else {
			s.Pods = append(s.Pods, one.pod)
		}
	}
}

// empty tells whether there is nothing to do.
func (s *Step) empty() bool { return len(s.Pods)+len(s.Patches) == 0 }

// Replacements are the steps to be taken now, once it is the replica's turn. Within a replica, scaling groups come first, one after the other, a
// group replica as a whole;
// then standalone cliques, pod by pod. Pods that aren't ready cost nothing: they are replaced at once, so that a broken podSpec never is in
// the way of its own repair. What works is replaced as far as the budget reaches, and only once what was replaced before is ready.
func (g Gang) Replacements() []Step {
	strategy := g.Set.Spec.UpdateStrategy
	if !plan.Replaces(g.Set) || g.Object().Status.Phase == v1alpha1.PodGangSucceeded {
		return nil
	}
	if g.taking() || g.waits() {
		return nil
	}
	u := g.update()
	if strategy.Type == v1alpha1.Coherent {
		return u.together()
	}
	var steps []Step
	ahead := false
	for _, stage := range u.stages {
		step, done := stage.next(strategy.MaxUnavailable, !ahead)
		if !step.empty() {
			steps = append(steps, step)
		}
		ahead = ahead || !done
	}
	return steps
}

// taking tells whether some PodCliques of the replica have today's podSpec and others don't: they are about to take it, and what comes first
// in an update isn't known before.
func (g Gang) taking() bool {
	t := plan.TemplateOf(g.Set)
	have, lack := false, false
	for j, hash := range t.PodTemplateHashes() {
		if clique, ok := g.Cliques[plan.PodCliqueName(g.Set.Name, t.Cliques()[j].Name, g.Object().Spec.ReplicaIndex)]; ok {
			has := clique.TemplateHash() == hash
			have, lack = have || has, lack || !has
		}
	}
	return have && lack
}

// waits tells whether pods are of an older podSpec than their PodClique, and the set hasn't said that it is the replica's turn: a set that was
// updated OnDelete, or by an operator that replaced nothing, has such pods in every replica.
func (g Gang) waits() bool {
	for _, clique := range g.Cliques {
		hash := clique.TemplateHash()
		if !plan.HasTurn(clique.Object, hash) && slices.ContainsFunc(clique.Pods, func(pod *corev1.Pod) bool {
			return plan.Lives(pod) && pod.Labels[v1alpha1.LabelPodTemplateHash] != hash
		}) {
			return true
		}
	}
	return false
}

// update is a gang as an update sees it: the stages in which its parts are replaced.
type update struct{ stages []stage }

// stage is a scaling group, or a standalone clique.
type stage struct {
	Step
	// parts are what is replaced as a whole: group replicas, slices, or pods.
	parts []part
	// least is how many parts the replica needs.
	least int
}

// part is what is replaced as a whole: a group replica, a slice that is recreated together, or a pod.
type part struct {
	// outdated are its pods of an older podSpec, current is how many it has of today's.
	outdated []stale
	current  int
	// together tells whether it is recreated whole where one of its pods is lost.
	together bool
	// busy tells whether an update has to wait for it: a pod is on its way out or back, or starts.
	busy bool
	// lacking tells whether fewer pods are ready than its minimum.
	lacking bool
}

// free tells whether replacing its outdated pods costs nothing, since it isn't ready as it is.
func (p part) free() bool { return len(p.outdated) > 0 && (p.lacking || p.busy) }

// whole is the part with all its pods replaced, if some have to be and others would take that for a loss.
func (p part) whole() part {
	if p.together && slices.ContainsFunc(p.outdated, func(one stale) bool { return one.patch == nil }) {
		for i := range p.outdated {
			p.outdated[i].patch = nil
		}
	}
	return p
}

// next is the step of a stage, and whether there is nothing left in it to replace or to wait for. Unless all stages before it are done,
// only what costs nothing is replaced.
func (s stage) next(maxUnavailable *intstr.IntOrString, first bool) (step Step, done bool) {
	step, done = s.Step, true
	unavailable := 0
	for _, part := range s.parts {
		done = done && len(part.outdated) == 0 && !part.busy
		if part.free() {
			step.take(part.outdated)
		}
		unavailable += int(plan.One(part.busy || part.free()))
	}
	// Those come first in which podSpecs are mixed, to be finished.
	for _, mixed := range []bool{true, false} {
		for _, part := range s.parts {
			if first && len(part.outdated) > 0 && part.current > 0 == mixed && !part.free() && unavailable < s.budget(maxUnavailable) {
				step.take(part.outdated)
				unavailable++
			}
		}
	}
	return step, done
}

// budget is how many parts may be unavailable for an update: what the set allows, and no more than the minimum leaves, but one at least.
func (s stage) budget(maxUnavailable *intstr.IntOrString) int {
	allowed := plan.Budget(maxUnavailable, len(s.parts))
	if spare := len(s.parts) - s.least; spare > 0 {
		allowed = min(allowed, spare)
	}
	return allowed
}

// together are all outdated pods at once.
func (u update) together() []Step {
	var steps []Step
	for _, stage := range u.stages {
		step := stage.Step
		for _, part := range stage.parts {
			step.take(part.outdated)
		}
		if !step.empty() {
			steps = append(steps, step)
		}
	}
	return steps
}

// update divides the gang into stages, in their order.
func (g Gang) update() update {
	t, i := plan.TemplateOf(g.Set), g.Object().Spec.ReplicaIndex
	look := g.look()
	var u update
	for _, config := range t.ScalingGroups {
		s := stage{
			Step:  Step{ScalingGroup: plan.ScalingGroupName(g.Set.Name, config.Name)},
			least: int(plan.ScalingGroupMinAvailable(&config.PodCliqueScalingGroupSpec)),
		}
		parts := map[int32]*part{}
		for _, member := range t.Members(config) {
			look.at(g.Cliques[plan.PodCliqueName(g.Set.Name, member.Name, i)], parts, func(id plan.PodIdentity) int32 { return *id.GroupReplica })
		}
		u.stages = append(u.stages, s.with(parts))
	}
	for j := range t.Cliques() {
		template := &t.Cliques()[j]
		clique, ok := g.Cliques[plan.PodCliqueName(g.Set.Name, template.Name, i)]
		if !ok || clique.ScalingGroup != nil {
			continue
		}
		s := stage{Step: Step{Clique: clique.Object.Name}, least: int(clique.MinAvailable())}
		key := func(id plan.PodIdentity) int32 { return id.Index }
		if t.Together(template) == plan.Slice {
			s.least, key = 1, func(plan.PodIdentity) int32 { return 0 }
		}
		parts := map[int32]*part{}
		look.at(clique, parts, key)
		u.stages = append(u.stages, s.with(parts))
	}
	return u
}

// with are the stage's parts, in the order of their indexes.
func (s stage) with(parts map[int32]*part) stage {
	for _, index := range slices.Sorted(maps.Keys(parts)) {
		s.parts = append(s.parts, parts[index].whole())
	}
	return s
}

// PodConcerns tells whether a change of a pod may change what the scheduler is told, or what an update does next.
func PodConcerns(before, after *corev1.Pod) bool {
	return before.UID != after.UID || !before.DeletionTimestamp.Equal(after.DeletionTimestamp) ||
		!maps.Equal(before.Labels, after.Labels) || !equality.Semantic.DeepEqual(before.OwnerReferences, after.OwnerReferences) ||
		isUp(before) != isUp(after) || plan.IsScheduled(before) != plan.IsScheduled(after) || plan.HasEnded(before) != plan.HasEnded(after) ||
		changeConcerns(before, after)
}

// changeConcerns tells whether a change of a pod where it is has come further, or what may be changed of it.
func changeConcerns(before, after *corev1.Pod) bool {
	was, is := plan.InPlaceOf(before), plan.InPlaceOf(after)
	return !equality.Semantic.DeepEqual(was, is) || is.Hash != "" && (before.Generation != after.Generation ||
		plan.Settled(before) != plan.Settled(after) || plan.Infeasible(before, is.Hash) != plan.Infeasible(after, is.Hash))
}

// Concerns tells the same of a change of a PodGang.
func Concerns(before, after *v1alpha1.PodGang) bool {
	return before.UID != after.UID || before.Generation != after.Generation || !before.DeletionTimestamp.Equal(after.DeletionTimestamp) ||
		!maps.Equal(before.Labels, after.Labels) || !maps.Equal(before.Annotations, after.Annotations) ||
		!equality.Semantic.DeepEqual(before.OwnerReferences, after.OwnerReferences) || !equality.Semantic.DeepEqual(before.Status.Units, after.Status.Units) ||
		before.Status.Phase != after.Status.Phase
}
