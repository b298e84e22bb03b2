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
		w := newWorld(random, breakable(random, plantest.RandomSet(random)))
		// Nodes have room for some of the pods, or many. In some worlds, PodGroups are served from some time on only.
		w.addNode(1 + w.IntN(6))
		w.addNode(plantest.Pick(random, 2, 10, 40))
		served := plantest.Pick(random, 0, 0, 0, w.IntN(steps))
		// Some have something to lose.
		if served == 0 && w.IntN(2) == 0 {
			if why := w.quieten(true); why != "" {
				t.Fatalf("%s %v; repeat it with -args -seed %d -histories 1", why, w.faults, seed)
			}
			w.lacks = nil
		}
		for step := range steps {
			w.scheduling.Gangs = step >= served
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

// breakable gives what lost its minimum a short time to come back, or a long one, and has pods recreated together, or not.
func breakable(random *rand.Rand, set *v1alpha1.PodCliqueSet) *v1alpha1.PodCliqueSet {
	policy := func() v1alpha1.GroupRestartPolicy {
		return plantest.Pick(random, "", v1alpha1.RestartPolicyNone, v1alpha1.RestartPolicyRecreateGroup)
	}
	template := &set.Spec.Template
	if delay := plantest.Pick(random, 0, 5*time.Second, 30*time.Second); delay > 0 {
		template.TerminationDelay = &metav1.Duration{Duration: delay}
	}
	for i := range template.Cliques {
		template.Cliques[i].Spec.RestartPolicy = policy()
	}
	for i := range template.PodCliqueScalingGroups {
		template.PodCliqueScalingGroups[i].RestartPolicy = policy()
	}
	return set
}

// step is one thing that a user, the cluster or a controller does.
func (w *world) step() {
	w.now = w.now.Add(time.Second)
	switch w.IntN(16) {
	case 0, 1, 2:
		if w.IntN(3) == 0 {
			w.seen(-1)
		} else {
			w.seenSome()
		}
	case 3:
		w.syncSet()
	case 4, 5:
		for range 1 + w.IntN(4) {
			for _, name := range some(w, w.cache.cliques) {
				w.syncClique(w.cache.cliques[name])
			}
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
	case 12:
		w.shakeNodes()
	case 13:
		w.round()
	default:
		for range 1 + w.IntN(6) {
			for _, name := range some(w, w.live.pods) {
				w.run(name)
			}
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
	case plan.IsScheduled(pod) && !w.serves(pod.Spec.NodeName):
		// Nobody runs it, nor ends it; but it may be evicted.
		if w.IntN(4) == 0 {
			w.deletePod(name)
		}
	case !plan.Lives(pod):
		delete(w.live.pods, name)
	case w.IntN(8) == 0:
		w.deletePod(name)
	case !plan.IsScheduled(pod) || plan.HasEnded(pod):
	case w.IntN(6) == 0:
		w.become(name, func(pod *corev1.Pod) { pod.Status = corev1.PodStatus{Phase: corev1.PodFailed} })
	case w.IntN(8) == 0:
		w.become(name, plantest.Succeeded)
	default:
		w.become(name, plantest.Pick[plantest.State](w.Rand, plantest.Ready, plantest.Ready, plantest.Unready))
	}
	w.finalize()
}

// goOn is what becomes of a pod that nothing happens to.
func (w *world) goOn(name string) {
	switch pod := w.live.pods[name]; {
	case plan.IsScheduled(pod) && !w.serves(pod.Spec.NodeName):
	case !plan.Lives(pod):
		delete(w.live.pods, name)
		w.finalize()
	case plan.IsScheduled(pod) && !plan.HasEnded(pod) && !plan.IsReady(pod):
		w.become(name, plantest.Ready)
	}
}

// round lets all controllers work once, and pods go on.
func (w *world) round() {
	w.act()
	w.schedule()
	for _, name := range slices.Sorted(maps.Keys(w.live.pods)) {
		w.goOn(name)
	}
	w.seen(-1)
	w.describe()
}
