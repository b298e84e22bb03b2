package podclique

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/controllers/plan"
)

// Nodes are what is known of the nodes that pods are bound to.
type Nodes struct {
	// Grace is for how long a node may be silent before its pods are lost. A pod has it, too, from when it was bound: one that tolerates
	// whatever is wrong with a node would otherwise be made and deleted there over and over.
	Grace time.Duration
	// Get returns a node by its name; nil where there is none.
	Get func(name string) *corev1.Node
	// All returns all nodes.
	All func() []*corev1.Node
}

// LostNode is a node that is lost, and pods on it that have to be deleted without its kubelet, so that their names get free.
type LostNode struct {
	Name string
	// Absent is set where there is no such node. What seems to be so may be a cache that is behind: ask again before pods are deleted.
	Absent bool
	// Why says what has become of the node, after its name.
	Why string
	// Pods are those that are lost with it, by name.
	Pods []*corev1.Pod

	// silent is set where nothing but silence says that the node is lost.
	silent bool
}

// Lost are the nodes that are lost with pods of the PodClique, and after what time more may be; 0 if none will by itself. Pods are the
// PodClique's, and those of an earlier PodClique of its name: as long as they can't end, it can't have pods of their names.
func (c Clique) Lost(pods []*corev1.Pod, nodes Nodes, now time.Time) (lost []LostNode, again time.Duration) {
	found := map[string]*LostNode{}
	disrupted := disruption{nodes: nodes}
	for _, pod := range pods {
		if !plan.IsScheduled(pod) || !c.loses(pod) {
			continue
		}
		at, node := nodes.lostWith(pod)
		if node == nil {
			continue
		}
		wait := at.Sub(now)
		if wait <= 0 && node.silent && disrupted.is() {
			// The end of a disruption is seen at other nodes, which don't wake this PodClique.
			wait = nodes.Grace
		}
		if wait > 0 {
			if again == 0 || wait < again {
				again = wait
			}
			continue
		}
		if found[node.Name] == nil {
			found[node.Name] = node
		}
		found[node.Name].Pods = append(found[node.Name].Pods, pod)
	}
	for _, node := range found {
		slices.SortFunc(node.Pods, plan.ByName)
		lost = append(lost, *node)
	}
	slices.SortFunc(lost, func(a, b LostNode) int { return cmp.Compare(a.Name, b.Name) })
	return lost, again
}

// loses tells whether a pod can be lost to the PodClique: not one that has come to its end, which the API server deletes without a kubelet.
func (c Clique) loses(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOfNoCopy(pod)
	switch {
	case owner == nil || owner.Kind != Kind || owner.Name != c.Object.Name:
		return false
	case !plan.Lives(pod):
		// Otherwise it has been deleted without its kubelet already, and something else holds it up.
		return pod.DeletionGracePeriodSeconds == nil || *pod.DeletionGracePeriodSeconds > 0
	default:
		return owner.UID == c.Object.UID && !plan.HasEnded(pod)
	}
}

// lostWith tells when a pod is lost with its node; nil for a node that is well.
func (n Nodes) lostWith(pod *corev1.Pod) (time.Time, *LostNode) {
	lost := &LostNode{Name: pod.Spec.NodeName}
	var at time.Time
	switch node := n.Get(lost.Name); {
	case node == nil:
		lost.Absent, lost.Why = true, "doesn't exist any more"
	case isOutOfService(node):
		lost.Why = fmt.Sprintf("has the taint %s", corev1.TaintNodeOutOfService)
	case isSilent(node):
		since := readiness(node).LastTransitionTime
		lost.silent = true
		at, lost.Why = since.Add(n.Grace), fmt.Sprintf("has been silent since %s", since.UTC().Format(time.RFC3339))
	default:
		return at, nil
	}
	if kept := boundAt(pod).Add(n.Grace); plan.Lives(pod) && kept.After(at) {
		at = kept
	}
	return at, lost
}

// boundAt is when a pod was bound to its node.
func boundAt(pod *corev1.Pod) time.Time {
	for i := range pod.Status.Conditions {
		if condition := &pod.Status.Conditions[i]; condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionTrue {
			return condition.LastTransitionTime.Time
		}
	}
	return pod.CreationTimestamp.Time
}

// isOutOfService tells whether somebody has said of a node that it is shut down for certain.
func isOutOfService(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Spec.Taints, func(taint corev1.Taint) bool { return taint.Key == corev1.TaintNodeOutOfService })
}

func readiness(node *corev1.Node) *corev1.NodeCondition {
	at := slices.IndexFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool { return c.Type == corev1.NodeReady })
	if at < 0 {
		return nil
	}
	return &node.Status.Conditions[at]
}

// isSilent tells whether a node's kubelet isn't heard any more.
func isSilent(node *corev1.Node) bool {
	ready := readiness(node)
	return ready != nil && ready.Status == corev1.ConditionUnknown
}

// disruption finds out, once, whether so many nodes are silent that it is rather the control plane that doesn't hear them. Their pods go on
// then, and deleting them would make an outage of what isn't one. The bounds are those at which kube-controller-manager stops evicting.
type disruption struct {
	nodes       Nodes
	known, here bool
}

func (d *disruption) is() bool {
	if !d.known {
		d.known = true
		all := d.nodes.All()
		silent := 0
		for _, node := range all {
			silent += int(plan.One(isSilent(node)))
		}
		d.here = silent == len(all) || silent > 2 && 100*silent >= 55*len(all)
	}
	return d.here
}
