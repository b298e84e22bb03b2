package podclique

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/tools/cache"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/events"
	"grove.io/grove/controllers/internal/index"
	"grove.io/grove/controllers/internal/runner"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/podclique"
)

// watchNodes lets a loop look for pods that are lost with their nodes.
func (c *controller) watchNodes(loop *runner.Loop, grace time.Duration) {
	nodes := c.cluster.Nodes.Core().V1().Nodes()
	c.nodes = &podclique.Nodes{
		Grace: grace,
		Get: func(name string) *corev1.Node {
			node, err := nodes.Lister().Get(name)
			if err != nil {
				return nil
			}
			return node
		},
		All: func() []*corev1.Node {
			// A lister has no error.
			all, _ := nodes.Lister().List(labels.Everything())
			return all
		},
	}
	// What matters of a node is all that the cache keeps of it.
	runner.WatchWhere(loop, nodes.Informer(), c.onNode, func(before, after *corev1.Node) bool {
		return before.UID != after.UID || !equality.Semantic.DeepEqual(before.Spec, after.Spec) || !equality.Semantic.DeepEqual(before.Status, after.Status)
	})
}

// onNode are the PodCliques with pods on a node.
func (c *controller) onNode(node *corev1.Node) []cache.ObjectName {
	var keys []cache.ObjectName
	for _, pod := range index.OnNode(c.pods(), node.Name) {
		keys = append(keys, ownerOf(pod)...)
	}
	return keys
}

func (c *controller) pods() cache.Indexer {
	return c.cluster.Children.Core().V1().Pods().Informer().GetIndexer()
}

// lost are the nodes that are lost with pods of a PodClique, or of an earlier one of its name, and when more may be.
func (c *controller) lost(observed plan.Clique) ([]podclique.LostNode, time.Duration) {
	if c.nodes == nil {
		return nil, 0
	}
	pods := slices.Clone(observed.Pods)
	for _, pod := range index.Labelled[*corev1.Pod](c.pods(), observed.Object.Namespace, observed.Object.Labels[v1alpha1.LabelPodGang]) {
		if owner := metav1.GetControllerOfNoCopy(pod); owner != nil && owner.Name == observed.Object.Name && owner.UID != observed.Object.UID {
			pods = append(pods, pod)
		}
	}
	return podclique.Clique{Clique: observed}.Lost(pods, *c.nodes, c.cluster.Clock.Now())
}

// deleteLost deletes pods without waiting for their nodes, and says why.
func (w *writer) deleteLost(ctx context.Context, observed plan.Clique, lost []podclique.LostNode) error {
	var errs []error
	for _, node := range lost {
		if node.Absent {
			// A pod may be seen before the node that it was bound to, whose arrival will wake this PodClique.
			_, err := w.cluster.Kube.CoreV1().Nodes().Get(ctx, node.Name, metav1.GetOptions{})
			if !apierrors.IsNotFound(err) {
				errs = append(errs, err)
				continue
			}
		}
		if err := w.pods.DeleteNow(ctx, w.ownerOf(observed), node.Pods); err != nil {
			errs = append(errs, err)
			continue
		}
		w.tellOfLost(observed, node)
	}
	return utilerrors.NewAggregate(errs)
}

// tellOfLost tells of each pod that was lost with a node, and of all together on the PodClique and its set. Each event is related to the node:
// events that differ in their message alone become one.
func (w *writer) tellOfLost(observed plan.Clique, lost podclique.LostNode) {
	// Pods and nodes aren't in the scheme of the recorder.
	node := &corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: lost.Name}
	for _, pod := range lost.Pods {
		ref := &corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID}
		events.Warn(w.cluster.Recorder, ref, node, v1alpha1.ReasonNodeLost,
			fmt.Sprintf("Deleted without waiting for its node: node %s %s", lost.Name, lost.Why))
	}
	pods := "pod " + lost.Pods[0].Name
	if more := len(lost.Pods) - 1; more > 0 {
		pods = fmt.Sprintf("%s and %d more of PodClique %s", pods, more, observed.Object.Name)
	}
	message := fmt.Sprintf("Node %s %s: deleted %s without waiting for it, so that the successor can come up elsewhere", lost.Name, lost.Why, pods)
	events.Warn(w.cluster.Recorder, observed.Object, node, v1alpha1.ReasonNodeLost, message)
	events.Warn(w.cluster.Recorder, observed.Set, node, v1alpha1.ReasonNodeLost, message)
}
