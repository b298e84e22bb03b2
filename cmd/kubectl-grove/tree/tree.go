// Package tree shows a PodCliqueSet and what Grove made of it as a tree: the set, its replicas, scaling groups, cliques and pods.
package tree

import (
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/cmd/kubectl-grove/view"
	"grove.io/grove/controllers/plan"
)

// Node is a part of a set, with its own parts.
type Node struct {
	// Name is as kubectl takes it, such as pg/web-0; group replicas, which are no objects, are "group replica 0".
	Name string `json:"name"`
	// Ready is how many pods of the part are ready or have succeeded, Total how many there shall be.
	Ready int `json:"ready"`
	Total int `json:"total"`
	// Status sums up the part in a word or a few.
	Status string    `json:"status,omitempty"`
	Mood   view.Mood `json:"-"`
	// Node is the node that a pod is bound to.
	Node string `json:"node,omitempty"`
	// Since is since when the status is as it is; nil where that isn't known.
	Since *metav1.Time `json:"since,omitempty"`
	Parts []Node       `json:"parts,omitempty"`
}

// Of is the tree of a set.
func Of(v *view.View) Node {
	root := Node{Name: "pcs/" + v.Set.Name, Status: setStatus(v.Set), Mood: setMood(v.Set.Status.Phase)}
	if available := meta.FindStatusCondition(v.Set.Status.Conditions, v1alpha1.ConditionAvailable); available != nil {
		root.Since = &available.LastTransitionTime
	}
	for _, gang := range v.Gangs {
		root.add(gangNode(v, v.Replica(gang)))
	}
	return root
}

// Lean is the tree without pods and without group replicas, for where there is little room.
func (n Node) Lean() Node {
	var parts []Node
	for _, part := range n.Parts {
		if !part.isPod() {
			parts = append(parts, part.Lean())
		}
	}
	n.Parts = parts
	return n
}

func (n Node) isPod() bool { return len(n.Name) > 4 && n.Name[:4] == "pod/" }

// add adds a part, and its pods to those of the whole.
func (n *Node) add(part Node) {
	n.Parts = append(n.Parts, part)
	n.Ready += part.Ready
	n.Total += part.Total
}

func setStatus(set *v1alpha1.PodCliqueSet) string {
	return fmt.Sprintf("%s, %d/%d available", phaseWord(string(set.Status.Phase)), set.Status.AvailableReplicas, set.Spec.Replicas)
}

func phaseWord(phase string) string {
	if phase == "" {
		return "New"
	}
	return phase
}

func setMood(phase v1alpha1.PodCliqueSetPhase) view.Mood {
	switch phase {
	case v1alpha1.PodCliqueSetAvailable, v1alpha1.PodCliqueSetCompleted:
		return view.Good
	case v1alpha1.PodCliqueSetDegraded, v1alpha1.PodCliqueSetFailed:
		return view.Bad
	default:
		return view.Waiting
	}
}

func gangNode(v *view.View, r plan.Replica) Node {
	record := plan.UnitRecord(r.Gang, r.Gang.Name)
	node := Node{Name: "pg/" + r.Gang.Name, Status: phaseWord(string(r.Gang.Status.Phase)), Since: &r.Gang.CreationTimestamp}
	switch {
	case record.BreachedSince != nil:
		node.Status, node.Mood, node.Since = "Breached", view.Bad, seconds(record.BreachedSince)
	case r.Gang.Status.Phase == v1alpha1.PodGangFailed:
		node.Mood, node.Since = view.Bad, seconds(record.TerminatedAt)
	case record.AvailableSince != nil:
		node.Since = seconds(record.AvailableSince)
	case r.Gang.Status.Phase != v1alpha1.PodGangSucceeded:
		node.Mood = view.Waiting
	}
	if record.Restarts > 0 {
		node.Status += fmt.Sprintf(", %d restarts", record.Restarts)
	}
	for _, clique := range v.Cliques {
		if of, ok := r.Cliques[clique.Name]; ok && of.ScalingGroup == nil {
			node.add(cliqueNode(of, plan.PodGroupName(clique.Name, nil)))
		}
	}
	for _, group := range v.Groups {
		node.add(groupNode(v, r, group))
	}
	return node
}

func seconds(at *metav1.MicroTime) *metav1.Time {
	if at == nil {
		return nil
	}
	return &metav1.Time{Time: at.Time}
}

// groupNode is a scaling group in one replica of the set.
func groupNode(v *view.View, r plan.Replica, group *v1alpha1.PodCliqueScalingGroup) Node {
	node := Node{Name: "pcsg/" + group.Name}
	replicas, available := plan.ScalingGroupReplicas(group), int32(0)
	states := plan.GroupReplicasOf(r.Units(), group.Name)
	for g := range replicas {
		part := Node{Name: fmt.Sprintf("group replica %d", g), Mood: view.Waiting}
		for _, clique := range v.Cliques {
			if of, ok := r.Cliques[clique.Name]; ok && of.ScalingGroup == group {
				part.add(cliqueNode(of, plan.PodGroupName(clique.Name, &g)))
			}
		}
		part.Status = "Pending"
		switch state := states[g]; {
		case state.Ready:
			part.Status, part.Mood = "Ready", view.Good
			available++
		case state.Scheduled:
			part.Status = "Starting"
		}
		node.add(part)
	}
	node.Status = fmt.Sprintf("%d/%d ready", available, replicas)
	node.Mood = moodOf(available >= replicas)
	return node
}

func moodOf(good bool) view.Mood {
	if good {
		return view.Good
	}
	return view.Waiting
}

// cliqueNode is a PodClique in one replica of the set or, for a member of a scaling group, in one group replica.
func cliqueNode(clique plan.Clique, podGroup string) Node {
	node := Node{Name: "pclq/" + clique.Object.Name}
	pods := clique.PodsByName()
	for p := range clique.Replicas() {
		name := plan.PodName(podGroup, p)
		node.add(podNode(name, pods[name]))
		delete(pods, name)
	}
	for _, name := range slices.Sorted(maps.Keys(pods)) {
		if p, _ := plan.IndexLabel(pods[name], v1alpha1.LabelPodIndex); name == plan.PodName(podGroup, p) {
			node.add(podNode(name, pods[name]).leaving())
		}
	}
	switch {
	case node.Total == 0:
		node.Status = "Off"
	case node.Ready >= node.Total:
		node.Status = "Ready"
	case node.Ready >= int(clique.MinAvailable()):
		node.Status, node.Mood = "Enough", view.Waiting
	default:
		node.Status, node.Mood = fmt.Sprintf("%d needed", clique.MinAvailable()), view.Waiting
	}
	return node
}

// podNode is a pod that shall be there, whether it is or not.
func podNode(name string, pod *corev1.Pod) Node {
	node := Node{Name: "pod/" + name, Total: 1}
	if pod == nil {
		node.Status, node.Mood = "not created", view.Waiting
		return node
	}
	up := plan.Lives(pod) && (plan.IsReady(pod) || pod.Status.Phase == corev1.PodSucceeded)
	node.Ready, node.Node = int(plan.One(up)), pod.Spec.NodeName
	node.Status, node.Mood = view.PodState(pod)
	node.Since = podSince(pod)
	return node
}

// leaving is a pod that shall not be there any more, and counts for nothing.
func (n Node) leaving() Node {
	n.Ready, n.Total = 0, 0
	return n
}

// podSince is since when a pod is ready or isn't, if it ever was bound; else since when it exists.
func podSince(pod *corev1.Pod) *metav1.Time {
	if pod.DeletionTimestamp != nil {
		return pod.DeletionTimestamp
	}
	since := pod.CreationTimestamp
	for i := range pod.Status.Conditions {
		if condition := &pod.Status.Conditions[i]; condition.Type == corev1.PodReady && condition.LastTransitionTime.After(since.Time) {
			since = condition.LastTransitionTime
		}
	}
	return &since
}

// age is how long ago a time was, as kubectl says it.
func age(since *metav1.Time, now time.Time) string {
	if since.IsZero() {
		return ""
	}
	return view.Age(now.Sub(since.Time))
}
