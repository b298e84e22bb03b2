// Package live reads from a cluster what planners have to know of a set.
package live

import (
	"context"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"grove.io/grove/apis/client/clientset/versioned"
	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/cmd/kubectl-grove/internal/nodes"
	"grove.io/grove/cmd/kubectl-grove/view"
	"grove.io/grove/controllers/plan/podcliqueset"
)

// Observe reads a set with its children, those of its kinds that it may adopt, and its pods. The accounts and rights of pods, which decide about
// no pod, aren't read.
func Observe(ctx context.Context, core kubernetes.Interface, grove versioned.Interface, namespace, name string) (podcliqueset.Set, []*corev1.Pod, error) {
	v, err := view.Load(ctx, core, grove, namespace, name)
	if err != nil {
		return podcliqueset.Set{}, nil, err
	}
	observed := podcliqueset.Set{
		Object:        v.Set,
		ScalingGroups: ofSet(v.Set, v.Groups),
		PodGangs:      ofSet(v.Set, v.Gangs),
		PodCliques:    ofSet(v.Set, v.Cliques),
	}
	of := metav1.ListOptions{LabelSelector: v1alpha1.LabelPodCliqueSet + "=" + name}
	services, err := core.CoreV1().Services(namespace).List(ctx, of)
	if err != nil {
		return observed, nil, err
	}
	observed.Services = controlled(v.Set, services.Items)
	autoscalers, err := core.AutoscalingV2().HorizontalPodAutoscalers(namespace).List(ctx, of)
	if err != nil {
		return observed, nil, err
	}
	observed.Autoscalers = map[string]*autoscalingv2.HorizontalPodAutoscaler{}
	for _, autoscaler := range controlled(v.Set, autoscalers.Items) {
		observed.Autoscalers[autoscaler.Name] = autoscaler
	}
	revisions, err := core.AppsV1().ControllerRevisions(namespace).List(ctx, of)
	if err != nil {
		return observed, nil, err
	}
	observed.Revisions = controlled(v.Set, revisions.Items)
	budgets, err := core.PolicyV1().PodDisruptionBudgets(namespace).List(ctx, of)
	if err != nil {
		return observed, nil, err
	}
	observed.DisruptionBudgets = controlled(v.Set, budgets.Items)
	return observed, v.Pods, nil
}

// ofSet are the children by name, without those of another controller.
func ofSet[T metav1.Object](set *v1alpha1.PodCliqueSet, children []T) map[string]T {
	named := map[string]T{}
	for _, child := range children {
		if metav1.GetControllerOfNoCopy(child) == nil || metav1.IsControlledBy(child, set) {
			named[child.GetName()] = child
		}
	}
	return named
}

// controlled are those of a list that the set controls.
func controlled[T any, P interface {
	*T
	metav1.Object
}](set *v1alpha1.PodCliqueSet, items []T) []P {
	var all []P
	for i := range items {
		if child := P(&items[i]); metav1.IsControlledBy(child, set) {
			all = append(all, child)
		}
	}
	return all
}

// Snapshot reads what decides about places: the nodes of a cluster, the pods of all namespaces, and what namespaces are labelled with.
func Snapshot(ctx context.Context, core kubernetes.Interface) (nodes.Snapshot, error) {
	var s nodes.Snapshot
	nodeList, err := core.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return s, err
	}
	for i := range nodeList.Items {
		s.Nodes = append(s.Nodes, &nodeList.Items[i])
	}
	podList, err := core.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return s, err
	}
	for i := range podList.Items {
		s.Pods = append(s.Pods, &podList.Items[i])
	}
	namespaces, err := core.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	if err != nil {
		return s, err
	}
	s.Namespaces = map[string]map[string]string{}
	for i := range namespaces.Items {
		s.Namespaces[namespaces.Items[i].Name] = namespaces.Items[i].Labels
	}
	return s, nil
}
