package plan

import (
	"maps"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Field managers. Each controller applies under its own, so that every field of an object has one known owner.
const (
	// SetManager applies the children of a PodCliqueSet.
	SetManager = "grove-podcliqueset"
	// CliqueManager applies the pods of a PodClique.
	CliqueManager = "grove-podclique"
	// GangManager applies what a scheduler is told of a PodGang.
	GangManager = "grove-podgang"
	// ScalingGroupManager applies the status of a PodCliqueScalingGroup.
	ScalingGroupManager = "grove-scalinggroup"
)

// IndexLabel reads a label that is an index; false where it is missing or no index.
func IndexLabel(object metav1.Object, label string) (int32, bool) {
	value, err := strconv.ParseInt(object.GetLabels()[label], 10, 32)
	return int32(value), err == nil && value >= 0
}

// ByName orders objects by their names.
func ByName[T metav1.Object](a, b T) int { return strings.Compare(a.GetName(), b.GetName()) }

// SetLabels are on every child of a set.
func SetLabels(set *v1alpha1.PodCliqueSet) map[string]string {
	return map[string]string{
		v1alpha1.LabelPodCliqueSet: set.Name,
		v1alpha1.LabelManagedBy:    v1alpha1.ManagedBy,
	}
}

// ReplicaLabels are on every child of one replica of a set.
func ReplicaLabels(set *v1alpha1.PodCliqueSet, i int32) map[string]string {
	return Merge(SetLabels(set), map[string]string{
		v1alpha1.LabelPodGang:      PodGangName(set.Name, i),
		v1alpha1.LabelReplicaIndex: Index(i),
	})
}

// Merge joins maps; a later one wins.
func Merge(all ...map[string]string) map[string]string {
	merged := map[string]string{}
	for _, m := range all {
		maps.Copy(merged, m)
	}
	return merged
}

// trackers are the domains of labels and annotations by which tools find the objects that they manage. On a child, such a mark would
// make a tool take the child for one of its own, and prune it.
var trackers = []string{"kubectl.kubernetes.io", "argocd.argoproj.io", "fluxcd.io", "helm.sh"}

// Mirrored are the labels or annotations of a set that its PodGangs, and what schedulers are told of them, bear too: quotas
// and queues go by them. What belongs to Grove, or to tools that track what they manage, is left out.
func Mirrored(of map[string]string) map[string]string {
	kept := map[string]string{}
	for key, value := range of {
		domain, _, _ := strings.Cut(key, "/")
		if domain == v1alpha1.GroupName || key == v1alpha1.LabelManagedBy || key == labelInstance || tracks(domain) {
			continue
		}
		kept[key] = value
	}
	return kept
}

// labelInstance is the label that Argo CD tracks objects by unless it is told otherwise.
const labelInstance = "app.kubernetes.io/instance"

func tracks(domain string) bool {
	for _, tracker := range trackers {
		if domain == tracker || strings.HasSuffix(domain, "."+tracker) {
			return true
		}
	}
	return false
}
