package nodes

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	schedulinghelper "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
)

// spread is a required topology spread constraint of a pod, with how many pods that match are in each domain.
type spread struct {
	key     string
	maxSkew int
	matches map[string]int
	// least is how many are in the domain that has fewest.
	least int
	// own is 1 if the pod itself matches.
	own int
}

// spreads count for each constraint of the pod that is required.
func (c *Candidate) spreads() []spread {
	var required []*corev1.TopologySpreadConstraint
	for i := range c.pod.Spec.TopologySpreadConstraints {
		if constraint := &c.pod.Spec.TopologySpreadConstraints[i]; constraint.WhenUnsatisfiable == corev1.DoNotSchedule {
			required = append(required, constraint)
		}
	}
	var all []spread
	for _, constraint := range required {
		all = append(all, c.count(constraint, required))
	}
	return all
}

// count counts the pods that match a constraint. Only nodes count that have the keys of all constraints and that, as the constraint says,
// the pod's node affinity and tolerations don't rule out.
func (c *Candidate) count(constraint *corev1.TopologySpreadConstraint, all []*corev1.TopologySpreadConstraint) spread {
	selector := withLabelKeys(constraint.LabelSelector, c.pod.Labels, constraint.MatchLabelKeys, nil)
	s := spread{key: constraint.TopologyKey, maxSkew: int(constraint.MaxSkew), matches: map[string]int{}}
	if selector.Matches(labels.Set(c.pod.Labels)) {
		s.own = 1
	}
	for _, m := range c.cluster.machines {
		if !hasKeys(m, all) || !c.counts(m, constraint) {
			continue
		}
		n := s.matches[m.Labels[s.key]]
		for _, pod := range m.pods {
			if pod.DeletionTimestamp == nil && pod.Namespace == c.pod.Namespace && selector.Matches(labels.Set(pod.Labels)) {
				n++
			}
		}
		s.matches[m.Labels[s.key]] = n
	}
	if len(s.matches) < int(ptr.Deref(constraint.MinDomains, 1)) {
		return s
	}
	first := true
	for _, n := range s.matches {
		if first || n < s.least {
			s.least, first = n, false
		}
	}
	return s
}

func hasKeys(m *machine, constraints []*corev1.TopologySpreadConstraint) bool {
	for _, constraint := range constraints {
		if _, has := m.Labels[constraint.TopologyKey]; !has {
			return false
		}
	}
	return true
}

// counts tells whether the pods of a node count for a constraint, by its policies.
func (c *Candidate) counts(m *machine, constraint *corev1.TopologySpreadConstraint) bool {
	if ptr.Deref(constraint.NodeAffinityPolicy, corev1.NodeInclusionPolicyHonor) == corev1.NodeInclusionPolicyHonor {
		if fits, err := c.required.Match(m.Node); err != nil || !fits {
			return false
		}
	}
	if ptr.Deref(constraint.NodeTaintsPolicy, corev1.NodeInclusionPolicyIgnore) == corev1.NodeInclusionPolicyHonor {
		_, untolerated := schedulinghelper.FindMatchingUntoleratedTaint(klog.Background(), m.Spec.Taints, c.pod.Spec.Tolerations, repels, true)
		return !untolerated
	}
	return true
}

// against says what of the constraint stands against a node.
func (s spread) against(m *machine) string {
	value, has := m.Labels[s.key]
	if !has {
		return fmt.Sprintf("topology spread: no label %s", s.key)
	}
	if skew := s.matches[value] + s.own - s.least; skew > s.maxSkew {
		return fmt.Sprintf("topology spread: %s %s would be %d ahead of the least, and %d is allowed", s.key, value, skew, s.maxSkew)
	}
	return ""
}
