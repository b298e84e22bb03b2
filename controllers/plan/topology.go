package plan

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
)

// preferenceWeight is the weight of what is preferred: the highest there is, since other preferences are about less.
const preferenceWeight = 100

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

// pack is a pack group: cliques whose pods belong into one domain.
type pack struct {
	key      string
	required bool
	// podCliques are the names of the cliques' PodCliques in one replica.
	podCliques []string
}

// topology is what a set asks of the places of one replica's pods.
type topology struct {
	spread []corev1.TopologySpreadConstraint
	packs  []pack
}

func (t template) topology(i int32, s Scheduling) topology {
	policy := ptr.Deref(t.set.Spec.Template.SchedulingPolicyConfig, v1alpha1.SchedulingPolicyConfig{})
	asked := topology{spread: t.set.Spec.ReplicaSpreadConstraints}
	for _, config := range slices.Concat(policy.NetworkPackGroupConfigs, policy.NetworkPackGroups) {
		p := pack{key: config.TopologyKey, required: config.WhenUnsatisfiable == corev1.DoNotSchedule}
		if p.key == "" {
			p.key = s.NetworkTopologyKey
		}
		for _, clique := range config.CliqueNames {
			p.podCliques = append(p.podCliques, PodCliqueName(t.set.Name, clique, i))
		}
		asked.packs = append(asked.packs, p)
	}
	return asked
}

// packOf is the pack group that a PodClique is in; nil if there is none.
func (t topology) packOf(podClique string) *pack {
	for i := range t.packs {
		if slices.Contains(t.packs[i].podCliques, podClique) {
			return &t.packs[i]
		}
	}
	return nil
}

// requiredSpread are the keys of which each replica has to be inside one domain.
func (t topology) requiredSpread() []string {
	var keys []string
	for _, constraint := range t.spread {
		if constraint.WhenUnsatisfiable == corev1.DoNotSchedule {
			keys = append(keys, constraint.TopologyKey)
		}
	}
	return keys
}

// shape is how a scheduler is told of a unit: as one group of pods, or as groups below a common root.
type shape struct {
	// key is the topology key of the whole unit; empty for none.
	key string
	// parts are the keys of pack groups that are groups of their own, by the names of the PodCliques in them, joined. The rest of the
	// unit is a group without a key.
	parts []pack
}

// composite tells whether the unit is more than one group.
func (s shape) composite() bool { return len(s.parts) > 0 }

// shape of a unit that some PodCliques may have pods in, whether they have any or not: as much of what is required as the
// scheduler can do. The other units of a replica are led to the domain of its base unit by pod affinity.
func (t topology) shape(base bool, podCliques []string, s Scheduling) shape {
	if !s.Topology {
		return shape{}
	}
	var outer string
	if keys := t.requiredSpread(); base && len(keys) > 0 {
		outer = keys[0]
	}
	var parts []pack
	whole := false
	for _, p := range t.packs {
		if !p.required || p.key == outer {
			continue
		}
		if members := common(podCliques, p.podCliques); members > 0 {
			parts = append(parts, p)
			whole = members == len(podCliques)
		}
	}
	switch {
	case len(parts) == 0:
		return shape{key: outer}
	case whole && outer == "":
		return shape{key: parts[0].key}
	case s.Composite:
		return shape{key: outer, parts: parts}
	case whole:
		// Usually the narrower of the two.
		return shape{key: parts[0].key}
	default:
		return shape{key: outer}
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

// group is the name of the scheduler's group that the unit's pods of a PodClique are in. Names with a dot can't be those of
// units, of which a set could ask.
func (s shape) group(unit, podClique string) string {
	if !s.composite() {
		return unit
	}
	for i, part := range s.parts {
		if slices.Contains(part.podCliques, podClique) {
			return fmt.Sprintf("%s.pack-%d", unit, i)
		}
	}
	return unit + ".rest"
}

// keeps tells whether the scheduler itself sees to it that the unit's pods of a PodClique share a domain of a key.
func (s shape) keeps(key, podClique string) bool {
	if s.key == key {
		return true
	}
	return slices.ContainsFunc(s.parts, func(p pack) bool { return p.key == key && slices.Contains(p.podCliques, podClique) })
}

// weaker says what the scheduler doesn't do of what is required for a unit, so that each pod by itself follows those placed
// before it: what is required holds, but a domain may be chosen in which not all find room.
func (t topology) weaker(base bool, podCliques []string, s shape) []string {
	var weaker []string
	kept := func(key string, by []string) bool {
		return !slices.ContainsFunc(by, func(podClique string) bool { return slices.Contains(podCliques, podClique) && !s.keeps(key, podClique) })
	}
	for _, key := range t.requiredSpread() {
		if base && !kept(key, podCliques) {
			weaker = append(weaker, fmt.Sprintf("one %s for all pods of the replica", key))
		}
	}
	for _, p := range t.packs {
		if p.required && !kept(p.key, p.podCliques) {
			weaker = append(weaker, fmt.Sprintf("one %s for the pods of %s", p.key, strings.Join(p.podCliques, ", ")))
		}
	}
	return weaker
}

// place adds to a pod what leads it to where its replica, and its pack group, are. The replica's first pod chooses the
// domain for all: it alone is spread.
func (t topology) place(pod *corev1ac.PodApplyConfiguration, m membership, s shape, podClique string, leads bool) {
	replica := map[string]string{v1alpha1.LabelPodGang: pod.Labels[v1alpha1.LabelPodGang]}
	inUnit := func(key string) bool { return !m.surplus && s.keeps(key, podClique) }
	for _, constraint := range t.spread {
		if leads {
			pod.Spec.WithTopologySpreadConstraints(spreadLeads(constraint, pod.Labels[v1alpha1.LabelPodCliqueSet]))
		}
		required := constraint.WhenUnsatisfiable == corev1.DoNotSchedule
		if !inUnit(constraint.TopologyKey) {
			// A required term would keep the first pod from choosing, where another is placed before it.
			follow(pod, constraint.TopologyKey, required && !leads, metav1ac.LabelSelector().WithMatchLabels(replica))
		}
	}
	if p := t.packOf(podClique); p != nil && !inUnit(p.key) {
		together := metav1ac.LabelSelector().
			WithMatchLabels(map[string]string{v1alpha1.LabelGangUnit: m.unit}).
			WithMatchExpressions(metav1ac.LabelSelectorRequirement().
				WithKey(v1alpha1.LabelPodClique).
				WithOperator("In").
				WithValues(p.podCliques...))
		follow(pod, p.key, p.required, together)
	}
}

// spreadLeads spreads the first pods of a set's replicas.
func spreadLeads(constraint corev1.TopologySpreadConstraint, set string) *corev1ac.TopologySpreadConstraintApplyConfiguration {
	return Configuration[corev1ac.TopologySpreadConstraintApplyConfiguration](&constraint).
		WithLabelSelector(metav1ac.LabelSelector().WithMatchLabels(map[string]string{
			v1alpha1.LabelPodCliqueSet: set,
			v1alpha1.LabelReplicaLead:  v1alpha1.ReplicaLead,
		}))
}

// follow makes a pod go where the pods are that a selector matches; the first of them may go anywhere. What the pod's own
// affinity says stays.
func follow(pod *corev1ac.PodApplyConfiguration, key string, required bool, selector *metav1ac.LabelSelectorApplyConfiguration) {
	affinity, podAffinity := corev1ac.Affinity(), corev1ac.PodAffinity()
	if own := pod.Spec.Affinity; own != nil {
		*affinity = *own // shared between the pods of a PodClique
		if own.PodAffinity != nil {
			podAffinity.RequiredDuringSchedulingIgnoredDuringExecution = slices.Clone(own.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
			podAffinity.PreferredDuringSchedulingIgnoredDuringExecution = slices.Clone(own.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution)
		}
	}
	term := corev1ac.PodAffinityTerm().WithTopologyKey(key).WithLabelSelector(selector)
	if required {
		podAffinity.WithRequiredDuringSchedulingIgnoredDuringExecution(term)
	} else {
		podAffinity.WithPreferredDuringSchedulingIgnoredDuringExecution(
			corev1ac.WeightedPodAffinityTerm().WithWeight(preferenceWeight).WithPodAffinityTerm(term))
	}
	pod.Spec.Affinity = affinity.WithPodAffinity(podAffinity)
}

// unitCliques are the PodCliques of replica i that may have pods in a unit: all in the base unit, and in a scaled one those of
// its scaling group, of which one is given.
func (t template) unitCliques(i int32, base bool, one string) []string {
	var group *v1alpha1.PodCliqueScalingGroupConfig
	if !base {
		group = t.groupOf[t.clique(one, i).Name]
	}
	var names []string
	for j := range t.cliques() {
		if clique := &t.cliques()[j]; base || t.groupOf[clique.Name] == group {
			names = append(names, PodCliqueName(t.set.Name, clique.Name, i))
		}
	}
	return names
}

// leads tells whether a pod is the first of its replica: pod 0 of the first clique that the template turns on, standalone
// ones first, as in the PodGang.
func (t template) leads(clique *v1alpha1.PodCliqueTemplateSpec, id podIdentity) bool {
	if id.index != 0 || (id.group != nil && *id.group != 0) {
		return false
	}
	first := func(member bool) *v1alpha1.PodCliqueTemplateSpec {
		for i := range t.cliques() {
			c := &t.cliques()[i]
			if group := t.groupOf[c.Name]; replicasOf(c.Spec.Replicas) > 0 && (group != nil) == member && (group == nil || replicasOf(group.Replicas) > 0) {
				return c
			}
		}
		return nil
	}
	lead := first(false)
	if lead == nil {
		lead = first(true)
	}
	return lead != nil && lead.Name == clique.Name
}
