package history_test

import (
	"flag"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
)

var (
	histories = flag.Int("histories", 40, "how many histories are played")
	first     = flag.Uint64("seed", 0, "the seed of the first history")
)

// steps is how many random steps a history has before it settles.
const steps = 150

func TestHistories(t *testing.T) {
	for i := range uint64(*histories) {
		seed := *first + i
		random := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(random, plantest.RandomSet(random))
		for step := range steps {
			w.step()
			if len(w.faults) > 0 {
				t.Fatalf("step %d: %v; repeat it with -args -seed %d -histories 1", step, w.faults, seed)
			}
		}
		if why := w.settle(); why != "" {
			t.Errorf("%s %v; repeat it with -args -seed %d -histories 1", why, w.faults, seed)
		}
	}
}

// step is one thing that a user, the cluster or a controller does.
func (w *world) step() {
	w.now = w.now.Add(time.Second)
	switch w.IntN(14) {
	case 0, 1, 2:
		w.seen(w.IntN(7))
	case 3:
		w.syncSet()
	case 4, 5:
		for _, name := range some(w, w.cache.cliques) {
			w.syncClique(w.cache.cliques[name])
		}
	case 6:
		for _, name := range some(w, w.cache.gangs) {
			w.syncGang(w.cache.gangs[name])
		}
	case 7:
		w.describe()
	case 8:
		w.schedule()
	case 9:
		w.edit()
	case 10:
		w.user()
	case 11:
		// A restart lists everything anew.
		w.seen(-1)
	default:
		for _, name := range some(w, w.live.pods) {
			w.run(name)
		}
	}
}

// some is one name, or none where there is nothing.
func some[T any](w *world, from map[string]T) []string {
	names := slices.Sorted(maps.Keys(from))
	if len(names) == 0 {
		return nil
	}
	return []string{names[w.IntN(len(names))]}
}

// edit changes the set's spec.
func (w *world) edit() {
	set := w.live.set.DeepCopy()
	clique := &set.Spec.Template.Cliques[w.IntN(len(set.Spec.Template.Cliques))]
	switch w.IntN(3) {
	case 0:
		set.Spec.Replicas = w.Int32N(3)
	case 1:
		clique.Spec.PodSpec.Containers[0].Image = plantest.Pick(w.Rand, "a", "b")
	default:
		clique.Spec.Replicas = ptr.To(plan.CliqueMinAvailable(&clique.Spec) + w.Int32N(3))
	}
	set.Generation++
	w.live.set = set
}

// user scales, or deletes what controllers made.
func (w *world) user() {
	switch w.IntN(5) {
	case 0:
		for _, name := range some(w, w.live.cliques) {
			scaled := w.live.cliques[name].DeepCopy()
			scaled.Spec.Replicas, scaled.ManagedFields = ptr.To(w.Int32N(5)), []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
			scaled.Generation++
			w.live.cliques[name] = scaled
		}
	case 1:
		for _, name := range some(w, w.live.scalingGroups) {
			scaled := w.live.scalingGroups[name].DeepCopy()
			scaled.Spec.Replicas, scaled.ManagedFields = ptr.To(w.Int32N(4)), []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
			scaled.Generation++
			w.live.scalingGroups[name] = scaled
		}
	case 2:
		for _, name := range some(w, w.live.cliques) {
			w.deleteClique(name)
		}
	case 3:
		for _, name := range some(w, w.live.gangs) {
			w.deleteGang(name)
		}
	default:
		for _, name := range some(w, w.live.groups) {
			w.deleteGroup(name)
		}
	}
}

// run is what becomes of a pod.
func (w *world) run(name string) {
	switch pod := w.live.pods[name]; {
	case !plan.Lives(pod):
		delete(w.live.pods, name)
	case w.IntN(8) == 0:
		w.deletePod(name)
	case pod.Spec.NodeName == "" || pod.Status.Phase == corev1.PodFailed:
	case w.IntN(6) == 0:
		w.change(name, func(pod *corev1.Pod) { pod.Status = corev1.PodStatus{Phase: corev1.PodFailed} })
	default:
		w.change(name, plantest.Pick[plantest.State](w.Rand, plantest.Ready, plantest.Ready, plantest.Unready))
	}
	w.finalize()
}

// schedule plays a scheduler that places the pods of a group once there are as many as it has to have, and others one by one.
func (w *world) schedule() {
	for _, name := range slices.Sorted(maps.Keys(w.live.pods)) {
		pod := w.live.pods[name]
		if !plan.Lives(pod) || pod.Spec.NodeName != "" || w.places > 0 && w.bound() >= w.places {
			continue
		}
		if of := plan.SchedulerGroupOf(pod); of != "" {
			living := slices.DeleteFunc(w.named(w.live.pods, of), func(pod *corev1.Pod) bool { return !plan.Lives(pod) })
			if found, exists := w.live.groups[of]; !exists || len(living) < int(found.minCount) {
				continue
			}
		}
		w.change(name, plantest.Scheduled)
	}
}

// bound is how many pods have a place.
func (w *world) bound() int {
	bound := 0
	for _, pod := range w.live.pods {
		if pod.Spec.NodeName != "" {
			bound++
		}
	}
	return bound
}

// settle lets everything but random events go on until nothing is written any more, and says what isn't as it should be then.
func (w *world) settle() string {
	for range 60 {
		before := w.writes
		w.now = w.now.Add(10 * time.Minute)
		for name, pod := range w.live.pods {
			if !plan.Lives(pod) {
				delete(w.live.pods, name)
			}
		}
		w.finalize()
		w.schedule()
		w.seen(-1)
		w.syncSet()
		w.seen(-1)
		for _, name := range slices.Sorted(maps.Keys(w.cache.gangs)) {
			w.syncGang(w.cache.gangs[name])
			w.seen(5)
		}
		for _, name := range slices.Sorted(maps.Keys(w.cache.cliques)) {
			w.syncClique(w.cache.cliques[name])
		}
		w.seen(-1)
		w.describe()
		if len(w.faults) > 0 {
			return "while it settled:"
		}
		if w.writes == before {
			return w.unsettled()
		}
	}
	return "it never settles"
}

// unsettled says which pod is missing, too many, or waits for a place.
func (w *world) unsettled() string {
	wanted := map[string]bool{}
	for _, podClique := range w.cache.cliques {
		clique, _ := w.clique(podClique)
		for id := range clique.Identities() {
			wanted[id.Name] = true
			if pod := w.live.pods[id.Name]; pod == nil {
				return "pod " + id.Name + " is missing: " + clique.Waits(w.now)
			} else if pod.Spec.NodeName == "" {
				return "pod " + id.Name + " waits for a place for ever"
			}
		}
	}
	for name, pod := range w.live.pods {
		if !wanted[name] {
			return "pod " + name + " is of nobody's spec, but of " + pod.Labels[v1alpha1.LabelPodClique]
		}
	}
	return ""
}
