package why

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"

	"grove.io/grove/cmd/kubectl-grove/internal/nodes"
)

// groupsOf puts nodes together that are alike, in what a pod asks for, in their type and in their taints, and says what stands against a place
// for the pod on them. The groups with most nodes come first.
func groupsOf(all []*corev1.Node, verdicts []nodes.Verdict, pod *corev1.Pod) []NodeGroup {
	judged, names := map[string][]nodes.Verdict{}, map[string]string{}
	for _, node := range all {
		names[node.Name] = kindOf(node, pod)
	}
	for _, verdict := range verdicts {
		judged[names[verdict.Node]] = append(judged[names[verdict.Node]], verdict)
	}
	var groups []NodeGroup
	for name, of := range judged {
		group := NodeGroup{Name: name, Nodes: len(of), Against: nodes.Summary(of)}
		for _, verdict := range of {
			if verdict.Fits() {
				group.Fit++
			}
		}
		groups = append(groups, group)
	}
	slices.SortFunc(groups, func(a, b NodeGroup) int {
		if a.Nodes != b.Nodes {
			return b.Nodes - a.Nodes
		}
		return strings.Compare(a.Name, b.Name)
	})
	return groups
}

// kindOf says what a node is like, as far as a pod minds.
func kindOf(node *corev1.Node, pod *corev1.Pod) string {
	var words []string
	asked := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
	var names []string
	for name := range asked {
		names = append(names, string(name))
	}
	slices.Sort(names)
	for _, name := range names {
		if has, ok := node.Status.Allocatable[corev1.ResourceName(name)]; ok {
			words = append(words, fmt.Sprintf("%s %s", name, &has))
		} else {
			words = append(words, "no "+name)
		}
	}
	for _, taint := range node.Spec.Taints {
		words = append(words, "taint "+taint.ToString())
	}
	has := strings.Join(words, ", ")
	if kind := node.Labels[corev1.LabelInstanceTypeStable]; kind != "" {
		return fmt.Sprintf("of type %s, with %s", kind, has)
	}
	return "with " + has
}
