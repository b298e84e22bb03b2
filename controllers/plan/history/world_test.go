// Package history_test steps a set, its children, its pods and a small gang scheduler through random histories, in which controllers
// plan from stale caches, and checks after each step what must never be, and at the end that everything settles.
package history_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/podclique"
	"grove.io/grove/controllers/plan/podcliqueset"
	"grove.io/grove/controllers/plan/podgang"
)

// group is a PodGroup. Its finalizer keeps it, once it is deleted, for as long as a pod that hasn't ended names it.
type group struct {
	owner    types.UID
	minCount int32
	deleted  bool
	// verdict are the scheduler's words on it, if it doesn't fit.
	verdict string
}

// state is what the API server has, or the caches. Nothing in it is changed, only replaced.
type state struct {
	set           *v1alpha1.PodCliqueSet
	scalingGroups map[string]*v1alpha1.PodCliqueScalingGroup
	gangs         map[string]*v1alpha1.PodGang
	cliques       map[string]*v1alpha1.PodClique
	pods          map[string]*corev1.Pod
	groups        map[string]group
	revisions     map[string]*appsv1.ControllerRevision
	nodes         map[string]*corev1.Node
}

type world struct {
	*rand.Rand
	live, cache state
	now         time.Time
	uids        int
	// replaced are the pods that the controller of a gang has deleted, by the gang's name.
	replaced map[string][]*corev1.Pod
	// scheduling is what the scheduler can do.
	scheduling plan.Scheduling
	// nodes is how many nodes there ever were.
	nodes int
	// existed are the names of all pods that ever were, and most is how many of each pod group ever had a place at once.
	existed map[string]bool
	most    map[string]int32
	// lacks are the pod groups that had no place for their minimum when all statuses were written last; none while nobody waits for that.
	lacks map[string]bool
	// writes counts what controllers, the scheduler and kubelets wrote.
	writes int
	// faults are the invariants that were broken.
	faults []string
}

func newWorld(random *rand.Rand, set *v1alpha1.PodCliqueSet) *world {
	empty := func() state {
		return state{set, map[string]*v1alpha1.PodCliqueScalingGroup{}, map[string]*v1alpha1.PodGang{}, map[string]*v1alpha1.PodClique{},
			map[string]*corev1.Pod{}, map[string]group{}, map[string]*appsv1.ControllerRevision{}, map[string]*corev1.Node{}}
	}
	return &world{
		Rand: random, live: empty(), cache: empty(), now: time.Unix(1_800_000_000, 0), replaced: map[string][]*corev1.Pod{},
		scheduling: plan.Scheduling{Gangs: true}, existed: map[string]bool{}, most: map[string]int32{},
	}
}

func (w *world) uid() types.UID {
	w.uids++
	return types.UID(fmt.Sprint("uid-", w.uids))
}

func (w *world) fault(format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// seen brings one kind of the caches, or all, up to date.
func (w *world) seen(kind int) {
	all := kind < 0
	if all || kind == 0 {
		w.cache.set = w.live.set
	}
	if all || kind == 1 {
		w.cache.scalingGroups = maps.Clone(w.live.scalingGroups)
	}
	if all || kind == 2 {
		w.cache.gangs = maps.Clone(w.live.gangs)
	}
	if all || kind == 3 {
		w.cache.cliques = maps.Clone(w.live.cliques)
	}
	if all || kind == 4 {
		w.cache.pods = maps.Clone(w.live.pods)
	}
	if all || kind == 5 {
		w.cache.groups = maps.Clone(w.live.groups)
	}
	if all || kind == 6 {
		w.cache.revisions = maps.Clone(w.live.revisions)
	}
	if all || kind == 7 {
		w.cache.nodes = maps.Clone(w.live.nodes)
	}
}

// seenSome brings one kind of the caches up to date, whichever.
func (w *world) seenSome() { w.seen(w.IntN(8)) }

// syncSet plays the controller of sets. It doesn't plan before the caches have what it wrote, as the tracker sees to.
func (w *world) syncSet() {
	if !maps.Equal(w.cache.cliques, w.live.cliques) || !maps.Equal(w.cache.gangs, w.live.gangs) || !maps.Equal(w.cache.scalingGroups, w.live.scalingGroups) ||
		!maps.Equal(w.cache.revisions, w.live.revisions) {
		return
	}
	observed := podcliqueset.Set{Object: w.cache.set, ScalingGroups: w.cache.scalingGroups, PodGangs: w.cache.gangs, PodCliques: w.cache.cliques}
	for _, name := range slices.Sorted(maps.Keys(w.cache.revisions)) {
		observed.Revisions = append(observed.Revisions, w.cache.revisions[name])
	}
	children := observed.Children()
	if recorded := plan.Configuration[appsv1.ControllerRevision](children.Revision); !equality.Semantic.DeepEqual(recorded, w.live.revisions[recorded.Name]) {
		w.writes++
		w.live.revisions[recorded.Name] = recorded
	}
	for _, config := range children.ScalingGroups {
		wanted, before := plan.Configuration[v1alpha1.PodCliqueScalingGroup](config), w.live.scalingGroups[*config.Name]
		if before != nil {
			wanted.Status = before.Status
			if wanted.Spec.Replicas == nil {
				wanted.Spec.Replicas = before.Spec.Replicas
			}
		}
		apply(w, w.live.scalingGroups, before, wanted, func(o *v1alpha1.PodCliqueScalingGroup) any { return o.Spec })
	}
	for _, config := range children.PodGangs() {
		wanted, before := plan.Configuration[v1alpha1.PodGang](config), w.live.gangs[*config.Name]
		if before != nil {
			wanted.Status = before.Status
		}
		apply(w, w.live.gangs, before, wanted, func(o *v1alpha1.PodGang) any { return o.Spec })
	}
	for _, config := range children.PodCliques() {
		wanted, before := plan.Configuration[v1alpha1.PodClique](config), w.live.cliques[*config.Name]
		if before != nil {
			wanted.Status = before.Status
			if wanted.Spec.Replicas == nil {
				wanted.Spec.Replicas = before.Spec.Replicas
			}
		}
		apply(w, w.live.cliques, before, wanted, func(o *v1alpha1.PodClique) any { return o.Spec })
	}
	removals := observed.Removals()
	for _, podClique := range removals.PodCliques {
		w.writes++
		w.deleteClique(podClique.Name)
	}
	for _, gang := range removals.PodGangs {
		w.writes++
		w.deleteGang(gang.Name)
	}
}

// schedulerGroup is what the caches have of a group for a gang, as the observer says it.
func (w *world) schedulerGroup(gang *v1alpha1.PodGang) func(string) plan.SchedulerGroup {
	return func(name string) plan.SchedulerGroup {
		found, exists := w.cache.groups[name]
		switch {
		case !exists:
			return plan.SchedulerGroup{}
		case !found.deleted && gang != nil && found.owner == gang.UID:
			return plan.SchedulerGroup{Exists: true}
		}
		return plan.SchedulerGroup{Taken: "an earlier gang has it", Exists: slices.ContainsFunc(w.named(w.cache.pods, name), plan.Lives)}
	}
}

// clique is a PodClique as the caches have it.
func (w *world) clique(podClique *v1alpha1.PodClique) (podclique.Clique, bool) {
	gang := w.cache.gangs[podClique.Labels[v1alpha1.LabelPodGang]]
	clique := podclique.Clique{Clique: plan.Clique{
		Object: podClique, Set: w.cache.set, Gang: gang, SchedulerGroups: w.schedulerGroup(gang),
		Siblings: w.siblings(podClique.Labels[v1alpha1.LabelPodGang]),
	}}
	clique.Scheduling = w.scheduling.For(clique.Siblings)
	if name := plan.ScalingGroupNameOf(w.cache.set, podClique); name != "" {
		if clique.ScalingGroup = w.cache.scalingGroups[name]; clique.ScalingGroup == nil {
			return clique, false
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.cache.pods)) {
		pod := w.cache.pods[name]
		if metav1.IsControlledBy(pod, podClique) {
			clique.Pods = append(clique.Pods, pod)
		}
	}
	return clique, true
}

// siblings are the pods that are labelled with a PodGang, as the caches have them.
func (w *world) siblings(podGang string) []*corev1.Pod {
	var pods []*corev1.Pod
	for _, name := range slices.Sorted(maps.Keys(w.cache.pods)) {
		if pod := w.cache.pods[name]; pod.Labels[v1alpha1.LabelPodGang] == podGang {
			pods = append(pods, pod)
		}
	}
	return pods
}

// gang is a PodGang as the caches have it.
func (w *world) gang(object *v1alpha1.PodGang) (podgang.Gang, bool) {
	gang := podgang.Gang{Replica: plan.Replica{
		Set: w.cache.set, Gang: object, Cliques: map[string]plan.Clique{}, Siblings: w.siblings(object.Name), SchedulerGroups: w.schedulerGroup(object),
		Verdicts: map[string]string{},
	}}
	gang.Scheduling = w.scheduling.For(gang.Siblings)
	for name, found := range w.cache.groups {
		if found.owner == object.UID {
			gang.Verdicts[name] = found.verdict
		}
	}
	for _, name := range podgang.PodCliquesOf(object) {
		if podClique := w.cache.cliques[name]; podClique != nil {
			clique, complete := w.clique(podClique)
			if !complete {
				return gang, false
			}
			gang.Cliques[name] = clique.Clique
		}
	}
	return gang, true
}
