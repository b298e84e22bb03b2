package podcliqueset

import (
	"fmt"

	grovev1alpha1 "grove.io/grove/apis/applyconfiguration/grove/v1alpha1"
	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

const (
	// mostGangBytes is how large a PodGang may become with its status. etcd takes 1.5 MiB, of which some is left for managed fields and conditions.
	mostGangBytes = 1_300_000
	// podGroupBytes is what a pod group takes at most in the spec and in the status, without its names, and unitBytes the same of a scaled unit.
	podGroupBytes, unitBytes = 420, 280
)

// gangBytes is how large a PodGang of a spec becomes at most. A status that etcd doesn't take would be missing without a word, so the spec
// that leads to it isn't applied.
func gangBytes(spec *grovev1alpha1.PodGangSpecApplyConfiguration) int {
	size := 0
	add := func(podGroups []grovev1alpha1.PodGroupApplyConfiguration) {
		for i := range podGroups {
			group := &podGroups[i]
			size += podGroupBytes + 2*len(*group.Name) + len(*group.PodCliqueName)
			if group.PodCliqueScalingGroupName != nil {
				size += len(*group.PodCliqueScalingGroupName)
			}
		}
	}
	add(spec.PodGroups)
	for i := range spec.ScaledGroups {
		size += unitBytes + 2*len(*spec.ScaledGroups[i].Name)
		add(spec.ScaledGroups[i].PodGroups)
	}
	return size
}

// tooLarge is the problem of a replica that is scaled so far that one object can't describe it.
func tooLarge(podGang string) plan.Problem {
	return plan.Problem{Reason: v1alpha1.ReasonTooLarge, Message: fmt.Sprintf(
		"PodGang %s would be larger than etcd takes, with so many group replicas: scale the PodCliqueScalingGroups in, or have more replicas of the set instead", podGang)}
}
