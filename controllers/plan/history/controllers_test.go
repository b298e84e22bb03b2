package history_test

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/plan/podclique"
	"grove.io/grove/controllers/plan/podcliqueset"
	"grove.io/grove/controllers/plan/podgang"
	"grove.io/grove/controllers/plan/scalinggroup"
)

// act lets each controller that writes children work once, with caches that have what those before it wrote.
func (w *world) act() {
	w.seen(-1)
	w.syncSet()
	w.seen(-1)
	for _, name := range slices.Sorted(maps.Keys(w.cache.gangs)) {
		w.syncGang(w.cache.gangs[name])
		w.seen(-1)
	}
	for _, name := range slices.Sorted(maps.Keys(w.cache.cliques)) {
		w.syncClique(w.cache.cliques[name])
	}
}

// syncClique plays the controller of PodCliques, which may know less of pods than there is: names and UIDs protect them.
func (w *world) syncClique(podClique *v1alpha1.PodClique) {
	clique, complete := w.clique(podClique)
	if !complete {
		return
	}
	actions := clique.Actions(w.now)
	w.deleteLost(clique)
	for _, pod := range actions.Delete {
		w.deleteByPlan(podClique, pod)
	}
	for _, replacement := range actions.Replace {
		if pod := w.live.pods[replacement.Failed.Name]; pod != nil && pod.UID == replacement.Failed.UID {
			w.writes++
			delete(w.live.pods, pod.Name)
			w.create(podClique, replacement.Successor)
		}
	}
	for _, pod := range actions.Create {
		w.create(podClique, pod)
	}
	for _, config := range actions.Relabel {
		if w.live.pods[*config.Name] != nil {
			w.writes++
			w.change(*config.Name, func(pod *corev1.Pod) {
				pod.Labels = config.Labels
				pod.Annotations = plan.Merge(pod.Annotations, config.Annotations)
			})
		}
	}
	w.finalize()
}

// deleteByPlan deletes a pod by its UID. One that the caches, if they are up to date, want is never deleted, unless its gang was restarted.
func (w *world) deleteByPlan(podClique *v1alpha1.PodClique, pod *corev1.Pod) {
	if found := w.live.pods[pod.Name]; !plan.Lives(found) || found.UID != pod.UID {
		return
	}
	if clique, complete := w.clique(podClique); complete {
		for id := range clique.Identities() {
			if id.Name == pod.Name && !plan.RestartsOf(clique.Gang).Outlived(pod, id.PodGroup) {
				w.fault("pod %s is wanted and was deleted", pod.Name)
			}
		}
	}
	w.writes++
	w.deletePod(pod.Name)
}

// create makes a pod unless its name is taken, or its owner has gone, whose garbage it would be.
func (w *world) create(podClique *v1alpha1.PodClique, created podclique.NewPod) {
	owner := w.live.cliques[podClique.Name]
	if w.live.pods[*created.Config.Name] != nil || owner == nil || owner.UID != podClique.UID {
		return
	}
	pod := plantest.PodsOf([]podclique.NewPod{created})[0]
	pod.UID, pod.CreationTimestamp = w.uid(), metav1.NewTime(w.now)
	pod.Status.Phase = corev1.PodPending
	if created.Group != "" && maps.Equal(w.cache.groups, w.live.groups) {
		found, exists := w.live.groups[created.Group]
		if !exists || found.deleted && !slices.ContainsFunc(w.named(w.cache.pods, created.Group), plan.Lives) {
			w.fault("pod %s names group %s, which isn't there to stay", pod.Name, created.Group)
		}
	}
	w.mustBeItsTurn(podClique, pod.Name)
	w.writes++
	w.existed[pod.Name] = true
	w.live.pods[pod.Name] = pod
}

// syncGang plays the controller of PodGangs, and what the backend makes of its placements.
func (w *world) syncGang(object *v1alpha1.PodGang) {
	gang, complete := w.gang(object)
	seen := !slices.ContainsFunc(w.replaced[object.Name], func(pod *corev1.Pod) bool {
		found := w.cache.pods[pod.Name]
		return plan.Lives(found) && found.UID == pod.UID
	})
	if owner := w.live.gangs[object.Name]; !complete || !seen || owner == nil || owner.UID != object.UID || !maps.Equal(w.cache.groups, w.live.groups) {
		return
	}
	if w.scheduling.Gangs {
		w.tell(gang)
	}
	for _, step := range gang.Replacements() {
		for _, pod := range step.Pods {
			w.replace(object.Name, pod)
		}
	}
}

// tell plays the backend. A group that pods name, also such as are on their way out, is never deleted: the scheduler would lose sight of them.
func (w *world) tell(gang podgang.Gang) {
	owner, names, placements := gang.Object().UID, gang.Names(), gang.Placements()
	w.mustTell(gang, placements)
	keep := maps.Clone(names.Any)
	for _, placement := range placements {
		for _, part := range placement.Groups {
			before, exists := w.live.groups[part.Name]
			if exists && (before.deleted || before.owner != owner) {
				keep[part.Name] = keep[part.Name] || names.Living[part.Name]
				if !names.Living[part.Name] {
					continue
				}
			}
			keep[part.Name] = true
			if wanted := (group{owner, part.Pods, before.deleted, before.verdict}); wanted != before {
				w.writes++
				w.live.groups[part.Name] = wanted
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.live.groups)) {
		if found := w.live.groups[name]; found.owner == owner && !keep[name] && !found.deleted {
			if maps.Equal(w.cache.pods, w.live.pods) && len(w.named(w.live.pods, name)) > 0 {
				w.fault("group %s was deleted, and pods name it", name)
			}
			w.writes++
			w.deleteGroup(name)
		}
	}
}

// replace deletes a pod by its UID, for an update. One that is of its PodClique's podSpec, as far as the caches have that, is never deleted.
func (w *world) replace(gang string, pod *corev1.Pod) {
	found := w.live.pods[pod.Name]
	if !plan.Lives(found) || found.UID != pod.UID {
		return
	}
	podClique := w.cache.cliques[pod.Labels[v1alpha1.LabelPodClique]]
	if hash := podClique.Labels[v1alpha1.LabelPodTemplateHash]; pod.Labels[v1alpha1.LabelPodTemplateHash] == hash {
		w.fault("pod %s is of the podSpec that it shall have, and an update deleted it", pod.Name)
	}
	w.writes++
	w.replaced[gang] = append(w.replaced[gang], pod)
	w.deletePod(pod.Name)
}

// describe plays the controllers' other halves. Each writes to the object that it read, if that is still there.
func (w *world) describe() {
	for name, object := range w.cache.cliques {
		found := w.live.cliques[name]
		clique, complete := w.clique(object)
		if complete && found != nil && found.UID == object.UID {
			status := clique.Status(plantest.Applied(object), w.now)
			w.observed(name, status.ObservedGeneration, found.Generation)
			if !equality.Semantic.DeepEqual(status, found.Status) {
				w.writes++
				after := found.DeepCopy()
				after.Status = status
				w.live.cliques[name] = after
			}
		}
	}
	for name, object := range w.cache.gangs {
		found := w.live.gangs[name]
		gang, complete := w.gang(object)
		if complete && found != nil && found.UID == object.UID {
			status := gang.Status(plantest.Applied(object), w.now)
			w.observed(name, status.ObservedGeneration, found.Generation)
			if !equality.Semantic.DeepEqual(status, found.Status) {
				w.writes++
				after := found.DeepCopy()
				after.Status = status
				w.live.gangs[name] = after
			}
		}
	}
	for name, object := range w.cache.scalingGroups {
		g := scalinggroup.ScalingGroup{Object: object, Set: w.cache.set}
		for _, gang := range slices.Sorted(maps.Keys(w.cache.gangs)) {
			g.PodGangs = append(g.PodGangs, w.cache.gangs[gang])
		}
		found, status := w.live.scalingGroups[name], g.Status(w.now)
		if found != nil && found.UID == object.UID && !equality.Semantic.DeepEqual(status, found.Status) {
			w.writes++
			after := found.DeepCopy()
			after.Status = status
			w.live.scalingGroups[name] = after
		}
	}
	w.describeSet()
}

func (w *world) describeSet() {
	observed := podcliqueset.Set{Object: w.cache.set, ScalingGroups: w.cache.scalingGroups, PodGangs: w.cache.gangs, PodCliques: w.cache.cliques}
	status := observed.Status(plantest.Applied(w.cache.set), true, w.now)
	w.observed(w.cache.set.Name, status.ObservedGeneration, w.live.set.Generation)
	if !equality.Semantic.DeepEqual(status, w.live.set.Status) {
		w.writes++
		after := w.live.set.DeepCopy()
		after.Status = status
		w.live.set = after
	}
}

// observed checks that no status is of a generation that isn't there yet.
func (w *world) observed(name string, observed, generation int64) {
	if observed > generation {
		w.fault("the status of %s is of generation %d, and there is %d", name, observed, generation)
	}
}
