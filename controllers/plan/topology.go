package plan

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Scheduling is what the cluster's scheduler can do for gangs.
type Scheduling struct {
	// Gangs: place a unit all or nothing.
	Gangs bool
	// Topology: place a unit inside one domain of a topology key.
	Topology bool
	// Composite: place parts of a unit inside domains of their own, and the whole inside one of another key.
	Composite bool
	// Reason and Message say why gangs aren't placed all or nothing.
	Reason, Message string
	// NetworkTopologyKey is the topology key of pack groups that give none.
	NetworkTopologyKey string
}

// Pack is a pack group: cliques whose pods belong into one domain.
type Pack struct {
	Key      string
	Required bool
	// PodCliques are the names of the cliques' PodCliques in one replica.
	PodCliques []string
}

// Topology is what a set asks of the places of one replica's pods.
type Topology struct {
	Spread []corev1.TopologySpreadConstraint
	Packs  []Pack
}

// Topology is what a set asks of the places of the pods of replica i. A pack group inside of a domain that the whole replica has to be inside of is left out: it
// would let a scaled unit choose a domain of its own, and pods that have to be near both the replica's first pod and their pack would find no
// place at all, since kube-scheduler asks for one pod that matches all terms.
func (t Template) Topology(i int32, s Scheduling) Topology {
	policy := ptr.Deref(t.Set.Spec.Template.SchedulingPolicyConfig, v1alpha1.SchedulingPolicyConfig{})
	asked := Topology{Spread: t.Set.Spec.ReplicaSpreadConstraints}
	for _, config := range slices.Concat(policy.NetworkPackGroupConfigs, policy.NetworkPackGroups) {
		p := Pack{Key: config.TopologyKey, Required: config.WhenUnsatisfiable == corev1.DoNotSchedule}
		if p.Key == "" {
			p.Key = s.NetworkTopologyKey
		}
		if slices.Contains(asked.requiredSpread(), p.Key) {
			continue
		}
		for _, clique := range config.CliqueNames {
			p.PodCliques = append(p.PodCliques, PodCliqueName(t.Set.Name, clique, i))
		}
		asked.Packs = append(asked.Packs, p)
	}
	return asked
}

// PackOf is the pack group that a PodClique is in; nil if there is none.
func (t Topology) PackOf(podClique string) *Pack {
	for i := range t.Packs {
		if slices.Contains(t.Packs[i].PodCliques, podClique) {
			return &t.Packs[i]
		}
	}
	return nil
}

// requiredSpread are the keys of which each replica has to be inside one domain.
func (t Topology) requiredSpread() []string {
	var keys []string
	for _, constraint := range t.Spread {
		if constraint.WhenUnsatisfiable == corev1.DoNotSchedule {
			keys = append(keys, constraint.TopologyKey)
		}
	}
	return keys
}

// Shape is how a scheduler is told of a unit: as one group of pods, or as groups below a common root.
type Shape struct {
	// Key is the topology key of the whole unit; empty for none.
	Key string
	// Parts are the keys of pack groups that are groups of their own, by the names of the PodCliques in them, joined. The rest of the
	// unit is a group without a key.
	Parts []Pack
}

// Composite tells whether the unit is more than one group.
func (s Shape) Composite() bool { return len(s.Parts) > 0 }

// Shape of a unit that some PodCliques may have pods in, whether they have any or not: as much of what is required as the
// scheduler can do. The other units of a replica are led to the domain of its base unit by pod affinity.
func (t Topology) Shape(base bool, podCliques []string, s Scheduling) Shape {
	if !s.Topology {
		return Shape{}
	}
	var outer string
	if keys := t.requiredSpread(); base && len(keys) > 0 {
		outer = keys[0]
	}
	var parts []Pack
	whole := false
	for _, p := range t.Packs {
		if !p.Required {
			continue
		}
		if members := common(podCliques, p.PodCliques); members > 0 {
			parts = append(parts, p)
			whole = members == len(podCliques)
		}
	}
	switch {
	case len(parts) == 0:
		return Shape{Key: outer}
	case whole && outer == "":
		return Shape{Key: parts[0].Key}
	case s.Composite:
		return Shape{Key: outer, Parts: parts}
	case whole:
		// Usually the narrower of the two.
		return Shape{Key: parts[0].Key}
	default:
		return Shape{Key: outer}
	}
}

// common counts what two lists have in common.
func common(a, b []string) int {
	n := 0
	for _, one := range a {
		if slices.Contains(b, one) {
			n++
		}
	}
	return n
}

// Group is the name of the scheduler's group that the unit's pods of a PodClique are in.
func (s Shape) Group(unit, podClique string) string {
	if !s.Composite() {
		return unit
	}
	for i, part := range s.Parts {
		if slices.Contains(part.PodCliques, podClique) {
			return fmt.Sprintf("%s%spack-%d", unit, partSeparator, i)
		}
	}
	return unit + partSeparator + "rest"
}

// Keeps tells whether the scheduler itself sees to it that the unit's pods of a PodClique share a domain of a key.
func (s Shape) Keeps(key, podClique string) bool {
	if s.Key == key {
		return true
	}
	return slices.ContainsFunc(s.Parts, func(p Pack) bool { return p.Key == key && slices.Contains(p.PodCliques, podClique) })
}

// Weaker says what the scheduler doesn't do of what is required for a unit, so that each pod by itself follows those placed
// before it by pod affinity.
func (t Topology) Weaker(base bool, podCliques []string, s Shape) []string {
	var weaker []string
	kept := func(key string, by []string) bool {
		return !slices.ContainsFunc(by, func(podClique string) bool { return slices.Contains(podCliques, podClique) && !s.Keeps(key, podClique) })
	}
	for _, key := range t.requiredSpread() {
		if base && !kept(key, podCliques) {
			weaker = append(weaker, fmt.Sprintf("one %s for all pods of the replica isn't promised, since another pod may be placed ahead of the first, which chooses it", key))
		}
	}
	for _, p := range t.Packs {
		if p.Required && !kept(p.Key, p.PodCliques) {
			weaker = append(weaker, fmt.Sprintf("one %s for the pods of %s is required of each pod by pod affinity, so that the scheduler may begin where not all of "+
				"them fit, and wait there", p.Key, strings.Join(p.PodCliques, ", ")))
		}
	}
	return weaker
}

// UnitCliques are the PodCliques of replica i that may have pods in a unit: all in the base unit, and in a scaled one those of
// its scaling group, of which one is given.
func (t Template) UnitCliques(i int32, base bool, one string) []string {
	var scalingGroup *v1alpha1.PodCliqueScalingGroupConfig
	if !base {
		if clique := t.Clique(one, i); clique != nil {
			scalingGroup = t.ScalingGroupOf[clique.Name]
		}
	}
	var names []string
	for j := range t.Cliques() {
		if clique := &t.Cliques()[j]; base || t.ScalingGroupOf[clique.Name] == scalingGroup {
			names = append(names, PodCliqueName(t.Set.Name, clique.Name, i))
		}
	}
	return names
}

// Missing names the feature gates that would let the scheduler do more.
func (s Scheduling) Missing() string {
	if !s.Topology {
		return "feature gate TopologyAwareWorkloadScheduling"
	}
	return "feature gate CompositePodGroup, or scheduling.k8s.io/v1alpha3 isn't served"
}

// For is what the scheduler can do for a gang some of whose pods live: what those name can't be changed, so a gang that runs keeps its
// shape, whatever is discovered today.
func (s Scheduling) For(pods []*corev1.Pod) Scheduling {
	named, divided, whole := false, false, false
	for _, pod := range pods {
		if group := SchedulerGroupOf(pod); Lives(pod) && group != "" {
			named = true
			divided = divided || strings.Contains(group, partSeparator)
			whole = whole || group == pod.Labels[v1alpha1.LabelPodGang]
		}
	}
	if named {
		s.Gangs, s.Reason, s.Message = true, "", ""
	}
	// That a scaled unit is whole says nothing of the base: it may have none of the packs.
	if divided || whole {
		s.Composite, s.Topology = divided, s.Topology || divided
	}
	return s
}

// partSeparator stands between the name of a unit and that of a part of it. Names of units, of which a set could ask, have no dot.
const partSeparator = "."
