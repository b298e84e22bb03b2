package plan

import (
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// Budget is how many of so many may be unavailable for an update: a number, or a percentage rounded down; one at least, which is the default.
func Budget(maxUnavailable *intstr.IntOrString, of int) int {
	allowed, err := intstr.GetScaledValueFromIntOrPercent(ptr.To(ptr.Deref(maxUnavailable, intstr.FromInt32(1))), of, false)
	if err != nil {
		return 1
	}
	return max(allowed, 1)
}
