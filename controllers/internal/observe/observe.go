// Package observe gathers from the caches what more than one planner looks at.
package observe

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/internal/index"
	"grove.io/grove/controllers/plan"
)

// Clique gathers what decides about the pods of a PodClique. It is false while the caches don't have the PodCliqueSet, or the
// scaling group, that the PodClique belongs to: their arrival will be seen.
func Clique(cluster *cluster.Cluster, podClique *v1alpha1.PodClique) (plan.Clique, bool) {
	observed := plan.Clique{Object: podClique}
	owner := metav1.GetControllerOfNoCopy(podClique)
	if owner == nil {
		return observed, false
	}
	grove := cluster.GroveInformers.Grove().V1alpha1()
	set, err := grove.PodCliqueSets().Lister().PodCliqueSets(podClique.Namespace).Get(owner.Name)
	if err != nil || set.UID != owner.UID || set.DeletionTimestamp != nil {
		return observed, false
	}
	observed.Set = set
	if name := plan.ScalingGroupOf(set, podClique); name != "" {
		group, err := grove.PodCliqueScalingGroups().Lister().PodCliqueScalingGroups(podClique.Namespace).Get(name)
		if err != nil || !metav1.IsControlledBy(group, set) {
			return observed, false
		}
		observed.Group = group
	}
	pods := cluster.Children.Core().V1().Pods().Informer().GetIndexer()
	observed.Pods = index.Controlled[*corev1.Pod](pods, podClique.UID)
	return observed, true
}
