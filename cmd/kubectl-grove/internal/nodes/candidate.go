package nodes

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	schedulinghelper "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"
)

// Candidate is a pod that looks for a node of a cluster as it is now. It is stale once a pod is placed or removed.
type Candidate struct {
	cluster  *Cluster
	pod      *corev1.Pod
	asked    amounts
	required nodeaffinity.RequiredNodeAffinity
	affinity affinity
	spread   []spread
}

// Candidate reads what a pod asks of nodes.
func (c *Cluster) Candidate(pod *corev1.Pod) *Candidate {
	candidate := &Candidate{cluster: c, pod: pod, asked: requests(pod), required: nodeaffinity.GetRequiredNodeAffinity(pod)}
	candidate.affinity = c.affinityOf(pod)
	candidate.spread = candidate.spreads()
	return candidate
}

// Verdicts of all nodes, in the order of the snapshot.
func (c *Candidate) Verdicts() []Verdict {
	verdicts := make([]Verdict, 0, len(c.cluster.machines))
	for _, m := range c.cluster.machines {
		verdicts = append(verdicts, Verdict{Node: m.Name, Reasons: c.reasons(m)})
	}
	return verdicts
}

// On is the verdict of one node of the cluster.
func (c *Candidate) On(node string) Verdict {
	return Verdict{Node: node, Reasons: c.reasons(c.cluster.byName[node])}
}

// Best is the node, among some, that the pod would be placed on: of those that fit, the one that most pods are near which the pod prefers to
// be near, and then the one that has most left of its CPUs and memory. It is empty where none fits. kube-scheduler weighs more, and
// chooses at random between equals, so that which node it takes is a guess; whether there is one isn't.
func (c *Candidate) Best(among []*corev1.Node) string {
	type choice struct {
		node      string
		preferred int64
		use       float64
	}
	var choices []choice
	for _, node := range among {
		m := c.cluster.byName[node.Name]
		if len(c.reasons(m)) == 0 {
			choices = append(choices, choice{node.Name, c.affinity.preference(m), m.use(c.asked)})
		}
	}
	if len(choices) == 0 {
		return ""
	}
	return slices.MinFunc(choices, func(a, b choice) int {
		return cmp.Or(-cmp.Compare(a.preferred, b.preferred), cmp.Compare(a.use, b.use))
	}).node
}

// reasons are what stands against a node.
func (c *Candidate) reasons(m *machine) []Reason {
	var reasons []Reason
	turnDown := func(filter Filter, words string) {
		if words != "" {
			reasons = append(reasons, Reason{Filter: filter, Words: words})
		}
	}
	turnDown(NodeUnschedulable, c.cordoned(m))
	if name := c.pod.Spec.NodeName; name != "" && name != m.Name {
		turnDown(NodeName, "the pod names the node "+name)
	}
	turnDown(TaintToleration, c.tainted(m))
	turnDown(NodeAffinity, c.mismatch(m))
	turnDown(NodePorts, c.portTaken(m))
	reasons = append(reasons, m.lacks(c.asked)...)
	for _, spread := range c.spread {
		turnDown(PodTopologySpread, spread.against(m))
	}
	turnDown(InterPodAffinity, c.affinity.against(m))
	return reasons
}

// cordoned says that no pods are to come to a node.
func (c *Candidate) cordoned(m *machine) string {
	if !m.Spec.Unschedulable {
		return ""
	}
	taint := corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}
	if schedulinghelper.TolerationsTolerateTaint(klog.Background(), c.pod.Spec.Tolerations, &taint, true) {
		return ""
	}
	return "cordoned"
}

// tainted says which taint the pod doesn't tolerate. That of a cordoned node says nothing more.
func (c *Candidate) tainted(m *machine) string {
	taint, untolerated := schedulinghelper.FindMatchingUntoleratedTaint(klog.Background(), m.Spec.Taints, c.pod.Spec.Tolerations, func(taint *corev1.Taint) bool {
		return repels(taint) && !(m.Spec.Unschedulable && taint.Key == corev1.TaintNodeUnschedulable)
	}, true)
	if !untolerated {
		return ""
	}
	return fmt.Sprintf("taint %s not tolerated", taint.ToString())
}

func repels(taint *corev1.Taint) bool {
	return taint.Effect == corev1.TaintEffectNoSchedule || taint.Effect == corev1.TaintEffectNoExecute
}

// mismatch says which labels the pod asks for that a node doesn't have.
func (c *Candidate) mismatch(m *machine) string {
	if fits, err := c.required.Match(m.Node); fits && err == nil {
		return ""
	}
	var missing []string
	for key, value := range c.pod.Spec.NodeSelector {
		if m.Labels[key] != value {
			missing = append(missing, key+"="+value)
		}
	}
	if len(missing) == 0 {
		return "node affinity doesn't match"
	}
	slices.Sort(missing)
	return "no label " + strings.Join(missing, ", ")
}

// portTaken says which host port of the pod's another pod of a node has.
func (c *Candidate) portTaken(m *machine) string {
	for _, port := range hostPorts(c.pod) {
		for _, pod := range m.pods {
			for _, taken := range hostPorts(pod) {
				if conflict(port, taken) {
					return fmt.Sprintf("host port %d/%s taken", port.HostPort, port.Protocol)
				}
			}
		}
	}
	return ""
}

// hostPorts are what a pod's containers, sidecars included, take of the node's own ports.
func hostPorts(pod *corev1.Pod) []corev1.ContainerPort {
	var ports []corev1.ContainerPort
	of := func(container *corev1.Container) {
		for _, port := range container.Ports {
			if port.HostPort > 0 {
				port.Protocol, port.HostIP = cmp.Or(port.Protocol, corev1.ProtocolTCP), cmp.Or(port.HostIP, anyAddress)
				ports = append(ports, port)
			}
		}
	}
	for i := range pod.Spec.Containers {
		of(&pod.Spec.Containers[i])
	}
	for i := range pod.Spec.InitContainers {
		if policy := pod.Spec.InitContainers[i].RestartPolicy; policy != nil && *policy == corev1.ContainerRestartPolicyAlways {
			of(&pod.Spec.InitContainers[i])
		}
	}
	return ports
}

// anyAddress stands for all addresses of a node.
const anyAddress = "0.0.0.0"

func conflict(a, b corev1.ContainerPort) bool {
	return a.HostPort == b.HostPort && a.Protocol == b.Protocol && (a.HostIP == b.HostIP || a.HostIP == anyAddress || b.HostIP == anyAddress)
}
