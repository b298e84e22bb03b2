package history_test

import (
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/plan/podclique"
)

// grace is for how long a node may be silent. It is short, since a step takes a second.
const grace = 10 * time.Second

// addNode adds a node with room for some pods.
func (w *world) addNode(room int) {
	w.nodes++
	name := fmt.Sprint("node-", w.nodes)
	w.live.nodes[name] = &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Status:     corev1.NodeStatus{Allocatable: corev1.ResourceList{corev1.ResourcePods: *resource.NewQuantity(int64(room), resource.DecimalSI)}},
	}
	w.hear(name, corev1.ConditionTrue)
}

// hear changes whether a node is heard. What runs on one that is silent isn't ready, as kube-controller-manager sees to. One that is back is in
// service.
func (w *world) hear(name string, ready corev1.ConditionStatus) {
	node := w.live.nodes[name].DeepCopy()
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready, LastTransitionTime: metav1.NewTime(w.now)}}
	node.Spec.Taints = nil
	w.live.nodes[name] = node
	for _, pod := range w.live.pods {
		if ready != corev1.ConditionTrue && pod.Spec.NodeName == name && pod.Status.Phase == corev1.PodRunning {
			w.become(pod.Name, func(pod *corev1.Pod) {
				pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
			})
		}
	}
}

// shakeNodes is what becomes of nodes.
func (w *world) shakeNodes() {
	if w.IntN(3) == 0 {
		w.addNode(1 + w.IntN(8))
		return
	}
	for _, name := range some(w, w.live.nodes) {
		switch silent := w.silent(name); {
		case w.IntN(4) == 0:
			delete(w.live.nodes, name)
		case silent && w.IntN(2) == 0:
			node := w.live.nodes[name].DeepCopy()
			node.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeOutOfService, Effect: corev1.TaintEffectNoExecute}}
			w.live.nodes[name] = node
		case silent:
			w.hear(name, corev1.ConditionTrue)
		default:
			w.hear(name, corev1.ConditionUnknown)
		}
	}
}

// calmNodes ends what would be taken for a disruption, in which nobody's pods are lost: nodes that are silent may stay so if they are few.
func (w *world) calmNodes() {
	w.addNode(1 + w.IntN(6))
	few := w.IntN(3)
	for _, name := range slices.Sorted(maps.Keys(w.live.nodes)) {
		if w.silent(name) {
			if few--; few < 0 {
				w.hear(name, corev1.ConditionTrue)
			}
		}
	}
}

func (w *world) silent(node string) bool { return isSilent(w.live.nodes[node]) }

func isSilent(node *corev1.Node) bool {
	return node.Status.Conditions[0].Status == corev1.ConditionUnknown
}

// serves tells whether there is a node whose kubelet is heard, and isn't given up.
func (w *world) serves(node string) bool {
	found := w.live.nodes[node]
	return found != nil && !isSilent(found) && len(found.Spec.Taints) == 0
}

// seemsLost tells whether a node is lost by what the caches have of it and of all others: the rules of the design page, told anew.
func (w *world) seemsLost(node string) bool {
	found := w.cache.nodes[node]
	if found == nil || len(found.Spec.Taints) > 0 {
		return true
	}
	silent, all := 0, len(w.cache.nodes)
	for _, other := range w.cache.nodes {
		silent += int(plan.One(isSilent(other)))
	}
	disrupted := silent == all || silent >= 3 && float64(silent) >= 0.55*float64(all)
	return isSilent(found) && w.now.Sub(found.Status.Conditions[0].LastTransitionTime.Time) >= grace && !disrupted
}

// deleteLost plays what the controller of PodCliques does about nodes that are lost.
func (w *world) deleteLost(clique podclique.Clique) {
	pods := slices.Clone(clique.Pods)
	for _, pod := range clique.Siblings {
		if owner := metav1.GetControllerOfNoCopy(pod); owner.Name == clique.Object.Name && owner.UID != clique.Object.UID {
			pods = append(pods, pod)
		}
	}
	nodes := podclique.Nodes{
		Grace: grace,
		Get:   func(name string) *corev1.Node { return w.cache.nodes[name] },
		All:   func() []*corev1.Node { return slices.Collect(maps.Values(w.cache.nodes)) },
	}
	lost, _ := clique.Lost(pods, nodes, w.now)
	for _, node := range lost {
		if node.Absent && w.live.nodes[node.Name] != nil {
			continue
		}
		for _, pod := range node.Pods {
			found := w.live.pods[pod.Name]
			if found == nil || found.UID != pod.UID {
				continue
			}
			if !w.seemsLost(pod.Spec.NodeName) {
				w.fault("pod %s was deleted as if its node were lost", pod.Name)
			}
			w.writes++
			delete(w.live.pods, pod.Name)
		}
	}
	w.finalize()
}

// become changes how far a pod has come on its node.
func (w *world) become(name string, state plantest.State) {
	w.change(name, func(pod *corev1.Pod) {
		node := pod.Spec.NodeName
		bound := slices.DeleteFunc(slices.Clone(pod.Status.Conditions), func(c corev1.PodCondition) bool { return c.Type != corev1.PodScheduled })
		state(pod)
		pod.Spec.NodeName = node
		pod.Status.Conditions = append(pod.Status.Conditions, bound...)
	})
}
