package simulation

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// NamesOf are the names of pods, in their order.
func NamesOf(pods []*corev1.Pod) []string {
	names := make([]string, 0, len(pods))
	for _, pod := range pods {
		names = append(names, pod.Name)
	}
	slices.Sort(names)
	return names
}
