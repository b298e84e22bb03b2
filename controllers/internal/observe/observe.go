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

// Set finds the PodCliqueSet that controls a child. It is false where there is none, or where it isn't there to stay.
func Set(cluster *cluster.Cluster, child metav1.Object) (*v1alpha1.PodCliqueSet, bool) {
	owner := metav1.GetControllerOfNoCopy(child)
	if owner == nil {
		return nil, false
	}
	sets := cluster.GroveInformers.Grove().V1alpha1().PodCliqueSets().Lister()
	set, err := sets.PodCliqueSets(child.GetNamespace()).Get(owner.Name)
	return set, err == nil && set.UID == owner.UID && set.DeletionTimestamp == nil
}

// Clique gathers what decides about the pods of a PodClique. It is false while the caches don't have the PodCliqueSet, or the
// scaling group, that the PodClique belongs to: their arrival will be seen.
func Clique(cluster *cluster.Cluster, podClique *v1alpha1.PodClique) (plan.Clique, bool) {
	observed := plan.Clique{Object: podClique}
	set, there := Set(cluster, podClique)
	if !there {
		return observed, false
	}
	observed.Set = set
	grove := cluster.GroveInformers.Grove().V1alpha1()
	if name := plan.ScalingGroupOf(set, podClique); name != "" {
		group, err := grove.PodCliqueScalingGroups().Lister().PodCliqueScalingGroups(podClique.Namespace).Get(name)
		if err != nil || !metav1.IsControlledBy(group, set) {
			return observed, false
		}
		observed.Group = group
	}
	gang, err := grove.PodGangs().Lister().PodGangs(podClique.Namespace).Get(plan.PodGangOf(podClique))
	if err == nil && metav1.IsControlledBy(gang, set) {
		observed.Gang = gang
	}
	pods := cluster.Children.Core().V1().Pods().Informer().GetIndexer()
	observed.Pods = index.Controlled[*corev1.Pod](pods, podClique.UID)
	return observed, true
}
