// Package nodes tells on which nodes a pod could be placed now, and what stands against it on the others, by the arithmetic of
// kube-scheduler's filters.
//
// Its filters are those on which kube-scheduler turns a node down by what the node, its pods and the pod say: spec.unschedulable, nodeName,
// taints, node selector and affinity, host ports, resources (extended ones, init containers, sidecars, overhead and pod level resources, and
// the number of pods a node may have), topology spread that is required, and pod affinity and anti-affinity that are required.
//
// Left out is what takes objects besides nodes and pods: volumes (binding, zones, limits of CSI drivers), claims of dynamic resource
// allocation, quota and admission. So is what makes room, preemption, and places kept for nominated pods. Beyond says what of that a pod
// asks for. What prefers a node rather than turning it down counts for the order in which nodes are tried, and only roughly: see Candidate.
package nodes

import (
	"iter"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Snapshot is a cluster at one time.
type Snapshot struct {
	Nodes []*corev1.Node
	// Pods are those of all namespaces. Those that aren't bound to a node take no place.
	Pods []*corev1.Pod
	// Namespaces have the labels of namespaces, by name, which namespaceSelectors of pod affinity match. One that isn't there has none.
	Namespaces map[string]map[string]string
}

// Filter is one of kube-scheduler's, by its name there.
type Filter string

// Filters in the order in which kube-scheduler asks them.
const (
	NodeUnschedulable Filter = "NodeUnschedulable"
	NodeName          Filter = "NodeName"
	TaintToleration   Filter = "TaintToleration"
	NodeAffinity      Filter = "NodeAffinity"
	NodePorts         Filter = "NodePorts"
	NodeResourcesFit  Filter = "NodeResourcesFit"
	PodTopologySpread Filter = "PodTopologySpread"
	InterPodAffinity  Filter = "InterPodAffinity"
	// TopologyPlacement offers the domains of a topology key to what belongs into one.
	TopologyPlacement Filter = "TopologyPlacement"
)

// Reason is why a filter turns down a node.
type Reason struct {
	Filter Filter `json:"filter"`
	// Resource is what there is too little of, with how much of it is free and how much the pod asks for; empty for other filters.
	Resource corev1.ResourceName `json:"resource,omitempty"`
	Free     *resource.Quantity  `json:"free,omitempty"`
	Asked    *resource.Quantity  `json:"asked,omitempty"`
	// Words tell users: "nvidia.com/gpu 3 free, 8 asked".
	Words string `json:"words"`
}

// Verdict is whether a pod could be placed on a node.
type Verdict struct {
	Node string `json:"node"`
	// Reasons stand against it, in the order of the filters; there are none if the pod could be placed. kube-scheduler tells the first
	// filter's alone.
	Reasons []Reason `json:"reasons,omitempty"`
}

// Fits tells whether nothing stands against the node.
func (v Verdict) Fits() bool { return len(v.Reasons) == 0 }

// Verdicts of all nodes on a pod, in the order of the snapshot. If the pod is in the snapshot, it counts as if it weren't.
func (s Snapshot) Verdicts(pod *corev1.Pod) []Verdict {
	without := s
	without.Pods = slices.DeleteFunc(slices.Clone(s.Pods), func(p *corev1.Pod) bool { return p.Namespace == pod.Namespace && p.Name == pod.Name })
	return NewCluster(without).Candidate(pod).Verdicts()
}

// Cluster is a snapshot in which pods are placed.
type Cluster struct {
	machines   []*machine
	byName     map[string]*machine
	namespaces map[string]map[string]string
}

// machine is a node with its pods.
type machine struct {
	*corev1.Node
	pods []*corev1.Pod
	// requested is what the pods ask for.
	requested amounts
}

// NewCluster counts what the pods of a snapshot take. Those that have ended take nothing.
func NewCluster(s Snapshot) *Cluster {
	c := &Cluster{byName: map[string]*machine{}, namespaces: s.Namespaces}
	for _, node := range s.Nodes {
		m := &machine{Node: node, requested: amounts{}}
		c.machines = append(c.machines, m)
		c.byName[node.Name] = m
	}
	for _, pod := range s.Pods {
		if m := c.byName[pod.Spec.NodeName]; m != nil && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			m.add(pod)
		}
	}
	return c
}

// Nodes of the cluster, in the order of the snapshot.
func (c *Cluster) Nodes() []*corev1.Node {
	var all []*corev1.Node
	for _, m := range c.machines {
		all = append(all, m.Node)
	}
	return all
}

// Node is the node of a name; nil if there is none.
func (c *Cluster) Node(name string) *corev1.Node {
	if m := c.byName[name]; m != nil {
		return m.Node
	}
	return nil
}

// pods are those of all nodes.
func (c *Cluster) pods() iter.Seq2[*machine, *corev1.Pod] {
	return func(yield func(*machine, *corev1.Pod) bool) {
		for _, m := range c.machines {
			for _, pod := range m.pods {
				if !yield(m, pod) {
					return
				}
			}
		}
	}
}

// Place puts a pod on a node of the cluster, whether it fits or not, and returns it as it is there.
func (c *Cluster) Place(pod *corev1.Pod, node string) *corev1.Pod {
	bound := *pod
	bound.Spec.NodeName = node
	c.byName[node].add(&bound)
	return &bound
}

// Remove takes a pod, which Place returned or the snapshot had, from its node.
func (c *Cluster) Remove(pod *corev1.Pod) {
	m := c.byName[pod.Spec.NodeName]
	if m == nil {
		return
	}
	if at := slices.Index(m.pods, pod); at >= 0 {
		m.pods = slices.Delete(m.pods, at, at+1)
		m.requested.add(requests(pod), -1)
	}
}

func (m *machine) add(pod *corev1.Pod) {
	m.pods = append(m.pods, pod)
	m.requested.add(requests(pod), 1)
}

// Beyond says what a pod asks for that no filter here looks at; nothing if there is nothing.
func Beyond(pod *corev1.Pod) []string {
	var beyond []string
	if slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.PersistentVolumeClaim != nil || v.Ephemeral != nil }) {
		beyond = append(beyond, "volume claims")
	}
	if len(pod.Spec.ResourceClaims) > 0 {
		beyond = append(beyond, "resource claims")
	}
	return beyond
}
