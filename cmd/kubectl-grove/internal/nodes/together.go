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
	// Places are the pods that found one, bound to their nodes.
	Places []*corev1.Pod `json:"-"`
	// Parts are the domains that parts found which have a topology key of their own, in the order of the parts.
	Parts []Attempt `json:"parts,omitempty"`
}

// Part is a part of what belongs together: pods that share a domain of a topology key of their own, beside that of the whole; an empty key is none.
type Part struct {
	Key  string
	Pods []*corev1.Pod
}

// Fits tells whether all pods found a place.
func (a Attempt) Fits() bool { return a.Placed == a.Pods }

// Together tries to place pods that belong together: in each domain of a topology key or, without one, among all nodes. The attempts are
// ordered by how many pods found a place, most first; there are none if no node has the key. The cluster is as it was, afterwards.
func (c *Cluster) Together(pods []*corev1.Pod, key string) []Attempt {
	return c.Parts([]Part{{Pods: pods}}, key)
}

// Parts tries the same with pods some of which share domains of keys of their own: each such part takes, part after part, the first domain by
// name that it fits into.
func (c *Cluster) Parts(parts []Part, key string) []Attempt { return c.parts(parts, key, c.Nodes()) }

// Nowhere is the attempt at placing parts where no node has the key.
func (c *Cluster) Nowhere(parts []Part, key string) Attempt {
	all := Attempt{Missing: parts[0].Pods[0].Name, Verdicts: lacking(key, c.Nodes())}
	for _, part := range parts {
		all.Pods += len(part.Pods)
	}
	return all
}

// Keep places the pods of an attempt where it found places.
func (c *Cluster) Keep(attempt Attempt) {
	for _, pod := range attempt.Places {
		c.byName[pod.Spec.NodeName].add(pod)
	}
}

func (c *Cluster) parts(parts []Part, key string, among []*corev1.Node) []Attempt {
	domains, names := map[string][]*corev1.Node{}, []string{}
	for _, node := range among {
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
		attempt := c.inDomain(parts, domains[name])
		attempt.Domain = name
		attempts = append(attempts, attempt)
	}
	slices.SortStableFunc(attempts, func(a, b Attempt) int { return cmp.Compare(b.Placed, a.Placed) })
	return attempts
}

// inDomain tries to place parts, one after the other, among some nodes.
func (c *Cluster) inDomain(parts []Part, among []*corev1.Node) Attempt {
	whole := Attempt{Nodes: len(among)}
	for _, part := range parts {
		var attempt Attempt
		if part.Key == "" {
			attempt = c.attempt(part.Pods, among)
		} else if tried := c.parts([]Part{{Pods: part.Pods}}, part.Key, among); len(tried) > 0 {
			attempt = tried[0]
			whole.Parts = append(whole.Parts, attempt)
		} else {
			attempt = Attempt{Pods: len(part.Pods), Missing: part.Pods[0].Name, Verdicts: lacking(part.Key, among)}
		}
		c.Keep(attempt)
		whole.Placed, whole.Pods = whole.Placed+attempt.Placed, whole.Pods+attempt.Pods
		whole.Places = append(whole.Places, attempt.Places...)
		if whole.Missing == "" {
			whole.Missing, whole.Verdicts = attempt.Missing, attempt.Verdicts
		}
	}
	for _, pod := range whole.Places {
		c.Remove(pod)
	}
	return whole
}

// lacking are the verdicts of nodes none of which has a label.
func lacking(key string, nodes []*corev1.Node) []Verdict {
	var verdicts []Verdict
	for _, node := range nodes {
		verdicts = append(verdicts, Verdict{Node: node.Name, Reasons: []Reason{{Filter: TopologyPlacement, Words: "no label " + key}}})
	}
	return verdicts
}

// attempt tries to place pods among some nodes.
func (c *Cluster) attempt(pods []*corev1.Pod, among []*corev1.Node) Attempt {
	attempt := Attempt{Nodes: len(among), Pods: len(pods)}
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
			attempt.Places = append(attempt.Places, c.Place(pod, node))
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
	attempt.Placed = len(attempt.Places)
	for _, pod := range attempt.Places {
		c.Remove(pod)
	}
	return attempt
}
