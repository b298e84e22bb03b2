package history_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
)

// TestUpdates edits sets on which nothing else happens, so that whatever isn't ready was taken away by an update, or waits for a place: never more than
// the budget allows. In the end, all are updated.
func TestUpdates(t *testing.T) {
	for i := range uint64(*histories) {
		seed := *first + i
		random := rand.New(rand.NewPCG(seed, 2))
		u := newUpdates(random)
		repeat := fmt.Sprintf("repeat it with -run TestUpdates -args -seed %d -histories 1", seed)
		if why := u.finish(); why != "" {
			t.Fatalf("before the first update: %s; %s", why, repeat)
		}
		u.begun = true
		for step := range 4 * steps {
			u.step()
			if u.check(); len(u.faults) > 0 {
				t.Fatalf("step %d: %v; %s", step, u.faults, repeat)
			}
		}
		if why := u.finish(); why != "" {
			t.Errorf("%s %v; %s", why, u.faults, repeat)
		}
	}
}

// updates is a world in which nothing but updates takes pods away.
type updates struct {
	*world
	strategy v1alpha1.UpdateStrategy
	// begun tells whether every pod has been ready.
	begun bool
}

func newUpdates(random *rand.Rand) *updates {
	set := plantest.RandomSet(random)
	set.Spec.Replicas = 1 + random.Int32N(3)
	set.Spec.UpdateStrategy = v1alpha1.UpdateStrategy{
		Type:           plantest.Pick(random, v1alpha1.RollingRecreate, v1alpha1.RollingRecreate, v1alpha1.Coherent),
		MaxUnavailable: plantest.Pick(random, nil, ptr.To(intstr.FromInt32(2)), ptr.To(intstr.FromString("50%"))),
	}
	u := &updates{world: newWorld(random, set), strategy: set.Spec.UpdateStrategy}
	places := 0
	for _, config := range plan.TemplateOf(set).ScalingGroups {
		for _, name := range config.CliqueNames {
			places += int(set.Spec.Replicas * plan.ReplicasOf(config.Replicas) * u.podsOf(name))
		}
	}
	for i := range set.Spec.Template.Cliques {
		if clique := &set.Spec.Template.Cliques[i]; plan.TemplateOf(set).ScalingGroupOf[clique.Name] == nil {
			places += int(set.Spec.Replicas * u.podsOf(clique.Name))
		}
	}
	// Without a place to spare.
	u.addNode(places)
	return u
}

func (u *updates) podsOf(name string) int32 {
	for i := range u.live.set.Spec.Template.Cliques {
		if clique := &u.live.set.Spec.Template.Cliques[i]; clique.Name == name {
			return plan.ReplicasOf(clique.Spec.Replicas)
		}
	}
	return 0
}

// step is one thing that a user who updates, the cluster or a controller does.
func (u *updates) step() {
	u.now = u.now.Add(time.Second)
	switch u.IntN(16) {
	case 0, 1, 2:
		u.seenSome()
	case 3, 4:
		u.seen(-1)
	case 5:
		u.syncSet()
	case 6:
		for _, name := range some(u.world, u.cache.cliques) {
			u.syncClique(u.cache.cliques[name])
		}
	case 7, 8:
		for _, name := range some(u.world, u.cache.gangs) {
			u.syncGang(u.cache.gangs[name])
		}
	case 9:
		u.describe()
	case 10:
		u.schedule()
	case 11:
		if u.IntN(4) == 0 {
			u.edit()
		}
	case 12:
		u.round()
	default:
		for _, name := range some(u.world, u.live.pods) {
			u.goOn(name)
		}
	}
}

// edit changes a podSpec, or what holds an update back.
func (u *updates) edit() {
	set := u.live.set.DeepCopy()
	clique := &set.Spec.Template.Cliques[u.IntN(len(set.Spec.Template.Cliques))]
	strategy := &set.Spec.UpdateStrategy
	switch u.IntN(8) {
	case 0:
		strategy.Paused = !strategy.Paused
	case 1:
		strategy.Partition = u.Int32N(3)
	case 2:
		if strategy.Type = v1alpha1.OnDelete; u.IntN(2) == 0 {
			strategy.Type = u.strategy.Type
		}
	case 3:
		set.Annotations = map[string]string{v1alpha1.AnnotationRestartedAt: plantest.Pick(u.Rand, "1", "2")}
	default:
		clique.Spec.PodSpec.Containers[0].Image = plantest.Pick(u.Rand, "a", "b", "c")
	}
	set.Generation++
	u.live.set = set
}

// finish lets the update reach all replicas, and says what is left to do when nothing is done any more.
func (u *updates) finish() string {
	set := u.live.set.DeepCopy()
	set.Spec.UpdateStrategy = u.strategy
	set.Generation++
	u.live.set = set
	const enough = 600
	for range enough {
		before := u.writes
		u.now = u.now.Add(time.Second)
		u.round()
		if u.begun {
			u.check()
		}
		if len(u.faults) > 0 {
			return "while it was finished:"
		}
		if u.writes == before {
			return u.unfinished()
		}
	}
	return "it never ends"
}

// unfinished says what isn't updated.
func (u *updates) unfinished() string {
	if why := u.unsettled(); why != "" {
		return why
	}
	status := u.live.set.Status
	if progress := status.RollingUpdateProgress; progress != nil && progress.UpdateEndedAt == nil {
		return fmt.Sprintf("the update hasn't ended: %+v, %+v", progress, status.Conditions)
	}
	if status.UpdatedReplicas != u.live.set.Spec.Replicas {
		return fmt.Sprintf("%d of %d replicas are updated", status.UpdatedReplicas, u.live.set.Spec.Replicas)
	}
	for name, pod := range u.live.pods {
		if hash := u.live.cliques[pod.Labels[v1alpha1.LabelPodClique]].Labels[v1alpha1.LabelPodTemplateHash]; pod.Labels[v1alpha1.LabelPodTemplateHash] != hash {
			return "pod " + name + " isn't updated"
		}
	}
	return ""
}

// check finds more away than the budget allows: of replicas, and in each of them of group replicas, and of pods of a standalone clique.
func (u *updates) check() {
	set := u.live.set
	t := plan.TemplateOf(set)
	parts, away := map[string]map[string]bool{}, map[string]map[string]bool{}
	least := map[string]int{}
	count := func(stage, part string, up bool) {
		if parts[stage] == nil {
			parts[stage], away[stage] = map[string]bool{}, map[string]bool{}
		}
		parts[stage][part] = true
		if !up {
			away[stage][part] = true
		}
	}
	for _, podClique := range u.live.cliques {
		clique, _ := u.clique(podClique)
		template := t.Clique(podClique.Name, clique.Index())
		for id := range clique.Identities() {
			pod := u.live.pods[id.Name]
			up := plan.Lives(pod) && plan.IsReady(pod)
			replica := plan.Index(clique.Index())
			count("replicas", replica, up)
			stage, part := "pods of "+podClique.Name, id.Name
			least[stage] = int(clique.MinAvailable())
			if config := t.ScalingGroupOf[template.Name]; config != nil {
				stage, part = "replicas of group "+config.Name+" in replica "+replica, plan.Index(*id.GroupReplica)
				least[stage] = int(plan.ScalingGroupMinAvailable(&config.PodCliqueScalingGroupSpec))
			}
			if u.strategy.Type != v1alpha1.Coherent {
				count(stage, part, up)
			}
		}
	}
	for _, stage := range slices.Sorted(maps.Keys(parts)) {
		if gone := slices.Sorted(maps.Keys(away[stage])); len(gone) > u.allowed(stage, len(parts[stage]), least[stage]) {
			u.fault("of %d %s, %s are away at once: %s", len(parts[stage]), stage, strings.Join(gone, ", "), u.states())
		}
	}
}

// allowed is how many parts of a stage may be away.
func (u *updates) allowed(stage string, all, least int) int {
	if stage == "replicas" && u.strategy.Type != v1alpha1.Coherent {
		return 1
	}
	allowed := plan.Budget(u.strategy.MaxUnavailable, all)
	if spare := all - least; stage != "replicas" && spare > 0 {
		return min(allowed, spare)
	}
	return allowed
}

// states are those of all pods that aren't up.
func (u *updates) states() string {
	var states []string
	for _, name := range slices.Sorted(maps.Keys(u.live.pods)) {
		if pod := u.live.pods[name]; !plan.Lives(pod) || !plan.IsReady(pod) {
			states = append(states, fmt.Sprintf("%s: lives %v, on %q", name, plan.Lives(pod), pod.Spec.NodeName))
		}
	}
	return strings.Join(states, "; ")
}
