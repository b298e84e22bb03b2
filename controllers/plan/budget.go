package plan

import (
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Budget is how many of so many may be unavailable for an update: a number, or a percentage rounded down; one at least, which is the default.
func Budget(maxUnavailable *intstr.IntOrString, of int) int {
	allowed, err := intstr.GetScaledValueFromIntOrPercent(ptr.To(ptr.Deref(maxUnavailable, intstr.FromInt32(1))), of, false)
	if err != nil {
		return 1
	}
	return max(allowed, 1)
}

// Replaces tells whether Grove replaces pods of an older podSpec by itself, in replicas whose turn it is.
func Replaces(set *v1alpha1.PodCliqueSet) bool {
	return set.Spec.UpdateStrategy.Type != v1alpha1.OnDelete && !set.Spec.UpdateStrategy.Paused
}

// HasTurn tells whether an update has come to a PodClique with the podSpec that it has, so that its pods of older ones may go.
func HasTurn(podClique *v1alpha1.PodClique, hash string) bool {
	return podClique.Annotations[v1alpha1.AnnotationUpdateTo] == hash
}

// Updates tells whether Grove replaces those of the PodClique's pods that are of an older podSpec.
func (c Clique) Updates() bool { return Replaces(c.Set) && HasTurn(c.Object, c.TemplateHash()) }
