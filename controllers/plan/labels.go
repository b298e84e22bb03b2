package plan

import (
	"maps"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
)

// indexLabel reads a label that is an index; false where it is missing or no index.
func indexLabel(object metav1.Object, label string) (int32, bool) {
	value, err := strconv.ParseInt(object.GetLabels()[label], 10, 32)
	return int32(value), err == nil && value >= 0
}

func byName[T metav1.Object](a, b T) int { return strings.Compare(a.GetName(), b.GetName()) }

// setLabels are on every child of a set.
func setLabels(set *v1alpha1.PodCliqueSet) map[string]string {
	return map[string]string{
		v1alpha1.LabelPodCliqueSet: set.Name,
		v1alpha1.LabelManagedBy:    v1alpha1.ManagedBy,
	}
}

// replicaLabels are on every child of one replica of a set.
func replicaLabels(set *v1alpha1.PodCliqueSet, i int32) map[string]string {
	return merge(setLabels(set), map[string]string{
		v1alpha1.LabelPodGang:      PodGangName(set.Name, i),
		v1alpha1.LabelReplicaIndex: index(i),
	})
}

// merge joins maps; a later one wins.
func merge(all ...map[string]string) map[string]string {
	merged := map[string]string{}
	for _, m := range all {
		maps.Copy(merged, m)
	}
	return merged
}
