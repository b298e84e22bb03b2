package nodes

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/sets"
)

// domain is a value of a topology key.
type domain struct{ key, value string }

// domain of a key that a node is in; false if it is in none.
func (m *machine) domain(key string) (domain, bool) {
	value, has := m.Labels[key]
	return domain{key, value}, has
}

// affinity is what pods that are placed make of a pod's affinity and anti-affinity, and of their own anti-affinity to it.
type affinity struct {
	// near are the keys of which the pod has to share a value with pods that match; found has the domains in which there are some.
	near  []string
	found map[domain]bool
	// first tells whether no pod matches anywhere, while the pod matches itself: it may go anywhere.
	first bool
	// forbidden has the domains that the pod, or one in them, is to stay away from, with the words why.
	forbidden map[domain]string
	// preferred has the weights of domains in which there are pods that the pod prefers to be near, or, below 0, not to be near.
	preferred map[domain]int64
	// forbidding and preferring are the keys of those, each once, in their order.
	forbidding, preferring []string
}

// term selects pods, of which a node is near that has the same value of a key.
type term struct {
	key        string
	selector   labels.Selector
	namespaces []string
	// of selects namespaces by their labels; nil where only names count.
	of labels.Selector
}

// termOf reads a term of a pod. What the API server merges into the selector as a pod is created is merged here, too, for pods that
// don't exist.
func termOf(t *corev1.PodAffinityTerm, pod *corev1.Pod) term {
	selector := withLabelKeys(t.LabelSelector, pod.Labels, t.MatchLabelKeys, t.MismatchLabelKeys)
	read := term{key: t.TopologyKey, selector: selector, namespaces: t.Namespaces}
	if t.NamespaceSelector != nil {
		read.of = selectorOf(t.NamespaceSelector)
	} else if len(t.Namespaces) == 0 {
		read.namespaces = []string{pod.Namespace}
	}
	return read
}

func (t term) matches(pod *corev1.Pod, namespaces map[string]map[string]string) bool {
	in := slices.Contains(t.namespaces, pod.Namespace) || t.of != nil && t.of.Matches(labels.Set(namespaces[pod.Namespace]))
	return in && t.selector.Matches(labels.Set(pod.Labels))
}

// selectorOf reads a selector; one that can't be read, which admission refuses, matches nothing.
func selectorOf(selector *metav1.LabelSelector) labels.Selector {
	read, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return labels.Nothing()
	}
	return read
}

// withLabelKeys is a selector of pods that have the same values of some labels as a pod, and others of others.
func withLabelKeys(selector *metav1.LabelSelector, of map[string]string, same, other []string) labels.Selector {
	if selector == nil || len(same)+len(other) == 0 {
		return selectorOf(selector)
	}
	merged := selector.DeepCopy()
	add := func(keys []string, operator metav1.LabelSelectorOperator) {
		for _, key := range keys {
			if value, ok := of[key]; ok {
				merged.MatchExpressions = append(merged.MatchExpressions, metav1.LabelSelectorRequirement{Key: key, Operator: operator, Values: []string{value}})
			}
		}
	}
	add(same, metav1.LabelSelectorOpIn)
	add(other, metav1.LabelSelectorOpNotIn)
	return selectorOf(merged)
}

// affinityOf reads a pod's affinity against all pods of the cluster.
func (c *Cluster) affinityOf(pod *corev1.Pod) affinity {
	a := affinity{found: map[domain]bool{}, forbidden: map[domain]string{}, preferred: map[domain]int64{}}
	together, apart, weighted := podAffinity(pod), antiAffinity(pod), preferredTerms(pod)
	matchesAll := func(other *corev1.Pod) bool {
		return !slices.ContainsFunc(together, func(t term) bool { return !t.matches(other, c.namespaces) })
	}
	for _, t := range together {
		a.near = append(a.near, t.key)
	}
	for m, other := range c.pods() {
		if len(together) > 0 && matchesAll(other) {
			for _, t := range together {
				if at, has := m.domain(t.key); has {
					a.found[at] = true
				}
			}
		}
		for _, t := range apart {
			if at, has := m.domain(t.key); has && t.matches(other, c.namespaces) {
				a.forbidden[at] = fmt.Sprintf("pod anti-affinity: %s is in the same %s", other.Name, t.key)
			}
		}
		for _, t := range weighted {
			if at, has := m.domain(t.key); has && t.matches(other, c.namespaces) {
				a.preferred[at] += t.weight
			}
		}
		for _, t := range antiAffinity(other) {
			if at, has := m.domain(t.key); has && t.matches(pod, c.namespaces) {
				a.forbidden[at] = fmt.Sprintf("anti-affinity of pod %s, which is in the same %s", other.Name, t.key)
			}
		}
	}
	a.first = len(a.found) == 0 && matchesAll(pod)
	a.forbidding, a.preferring = keysOf(a.forbidden), keysOf(a.preferred)
	return a
}

func keysOf[T any](domains map[domain]T) []string {
	keys := sets.New[string]()
	for d := range domains {
		keys.Insert(d.key)
	}
	return sets.List(keys)
}

// podAffinity has the required terms of the pods that a pod is to be near.
func podAffinity(pod *corev1.Pod) []term {
	if pod.Spec.Affinity == nil || pod.Spec.Affinity.PodAffinity == nil {
		return nil
	}
	return required(pod.Spec.Affinity.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution, pod)
}

// antiAffinity has the required terms of the pods that a pod isn't to be near.
func antiAffinity(pod *corev1.Pod) []term {
	if pod.Spec.Affinity == nil || pod.Spec.Affinity.PodAntiAffinity == nil {
		return nil
	}
	return required(pod.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution, pod)
}

func required(terms []corev1.PodAffinityTerm, pod *corev1.Pod) []term {
	var read []term
	for i := range terms {
		read = append(read, termOf(&terms[i], pod))
	}
	return read
}

// weightedTerm is a preferred term. Of pods that aren't to be near the weight is below 0.
type weightedTerm struct {
	term
	weight int64
}

func preferredTerms(pod *corev1.Pod) []weightedTerm {
	var weighted []weightedTerm
	if pod.Spec.Affinity == nil {
		return nil
	}
	read := func(terms []corev1.WeightedPodAffinityTerm, sign int64) {
		for i := range terms {
			weighted = append(weighted, weightedTerm{termOf(&terms[i].PodAffinityTerm, pod), sign * int64(terms[i].Weight)})
		}
	}
	if near := pod.Spec.Affinity.PodAffinity; near != nil {
		read(near.PreferredDuringSchedulingIgnoredDuringExecution, 1)
	}
	if far := pod.Spec.Affinity.PodAntiAffinity; far != nil {
		read(far.PreferredDuringSchedulingIgnoredDuringExecution, -1)
	}
	return weighted
}

// against says what of it stands against a node.
func (a affinity) against(m *machine) string {
	for _, key := range a.near {
		at, has := m.domain(key)
		switch {
		case !has:
			return fmt.Sprintf("pod affinity: no label %s", key)
		case !a.found[at] && !a.first:
			return fmt.Sprintf("pod affinity: none of the pods to be near is in its %s", key)
		}
	}
	for _, key := range a.forbidding {
		if at, has := m.domain(key); has && a.forbidden[at] != "" {
			return a.forbidden[at]
		}
	}
	return ""
}

// preference is how near a node is to what the pod prefers.
func (a affinity) preference(m *machine) int64 {
	var sum int64
	for _, key := range a.preferring {
		if at, has := m.domain(key); has {
			sum += a.preferred[at]
		}
	}
	return sum
}
