package nodes

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Attempt is what came of trying to place some pods together, one after the other, among the nodes of a domain.
type Attempt struct {
	// Domain is the value of the topology key that the nodes share; empty without a key.
	Domain string `json:"domain,omitempty"`
	// Nodes is how many nodes the domain has.
	Nodes int `json:"nodes"`
	// Placed is how many of the pods found a place, Pods how many there are.
	Placed int `json:"placed"`
	Pods   int `json:"pods"`
	// Missing is the first pod that found none; empty if all did.
	Missing string `json:"missing,omitempty"`
	// Verdicts of the domain's nodes on that pod, beside those placed before it.
	Verdicts []Verdict `json:"-"`
}

// Fits tells whether all pods found a place.
func (a Attempt) Fits() bool { return a.Placed == a.Pods }

// Together tries to place pods that belong together: in each domain of a topology key or, without one, among all nodes. The attempts are
// ordered by how many pods found a place, most first; there are none if no node has the key. The cluster is as it was, afterwards.
func (c *Cluster) Together(pods []*corev1.Pod, key string) []Attempt {
	domains, names := map[string][]*corev1.Node{}, []string{}
	for _, node := range c.Nodes() {
		domain, has := node.Labels[key]
		if key != "" && !has {
			continue
		}
		if domains[domain] == nil {
			names = append(names, domain)
		}
		domains[domain] = append(domains[domain], node)
	}
	slices.Sort(names)
	var attempts []Attempt
	for _, name := range names {
		attempt := c.attempt(pods, domains[name])
		attempt.Domain = name
		attempts = append(attempts, attempt)
	}
	slices.SortStableFunc(attempts, func(a, b Attempt) int { return cmp.Compare(b.Placed, a.Placed) })
	return attempts
}

// attempt tries to place pods among some nodes.
func (c *Cluster) attempt(pods []*corev1.Pod, among []*corev1.Node) Attempt {
	attempt := Attempt{Nodes: len(among), Pods: len(pods)}
	var placed []*corev1.Pod
	failed := map[string]bool{}
	for _, pod := range pods {
		// Pods of a PodClique are alike, so that where one finds no place, the next finds none.
		alike := pod.Labels[v1alpha1.LabelPodClique]
		if alike != "" && failed[alike] {
			continue
		}
		candidate := c.Candidate(pod)
		node := candidate.Best(among)
		if node != "" {
			placed = append(placed, c.Place(pod, node))
			continue
		}
		failed[alike] = true
		if attempt.Missing == "" {
			attempt.Missing = pod.Name
			for _, node := range among {
				attempt.Verdicts = append(attempt.Verdicts, candidate.On(node.Name))
			}
		}
	}
	attempt.Placed = len(placed)
	for _, pod := range placed {
		c.Remove(pod)
	}
	return attempt
}
