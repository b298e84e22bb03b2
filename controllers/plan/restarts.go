package plan

import (
	"maps"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
)

// This file is the one home of restarts: how often the pods of a unit, or of a part of it, were recreated together. A PodGang's status counts
// them, and pods bear as a label what was counted when they were born; those that bear less have to go. It is always "less", never "not
// equal": a PodGang that was made anew counts from 0, and must not end what runs.

const (
	// firstBackOff is how long the second successor in a row waits; the time doubles with each more.
	firstBackOff = time.Second
	// lastBackOff is the longest wait.
	lastBackOff = 5 * time.Minute
	// Recovered is how long something has to have lasted for its end to be the first again.
	Recovered = 10 * time.Minute
)

// BackOff is how long after an end its successor waits, that so many ends in a row came before: the first comes back at once.
func BackOff(before int) time.Duration {
	if before <= 0 {
		return 0
	}
	wait := firstBackOff
	for range before - 1 {
		if wait *= 2; wait >= lastBackOff {
			return lastBackOff
		}
	}
	return wait
}

// Restarts tells how often the pods of each pod group of a gang were recreated together.
type Restarts struct {
	// numbers has those of pod groups that ever were.
	numbers map[string]int32
	// units has the unit that each pod group is part of.
	units map[string]string
	// together has the group replica, or the slice, that each pod group is recreated with.
	together map[string]string
	// terminated has the units that were terminated, and aren't up again.
	terminated map[string]bool
	// until has the end of the back-off of pod groups that were recreated by policy several times in a row.
	until map[string]time.Time
}

// RestartsOf reads a gang's status; nothing was restarted while there is no gang.
func RestartsOf(gang *v1alpha1.PodGang) Restarts {
	r := Restarts{numbers: map[string]int32{}, units: map[string]string{}, together: map[string]string{}, terminated: map[string]bool{}, until: map[string]time.Time{}}
	if gang == nil {
		return r
	}
	restarts := map[string]int32{}
	for _, unit := range gang.Status.Units {
		restarts[unit.Name] = unit.Restarts
		if unit.TerminatedAt != nil && unit.AvailableSince == nil {
			r.terminated[unit.Name] = true
		}
	}
	policy := map[string]v1alpha1.PodGroupStatus{}
	for _, group := range gang.Status.PodGroups {
		policy[group.Name] = group
	}
	for _, unit := range UnitsOf(gang) {
		for _, group := range unit.PodGroups {
			own := policy[group.Name]
			number := restarts[gang.Name] + own.Restarts
			if !unit.Base {
				number += restarts[unit.Name]
			}
			r.units[group.Name] = unit.Name
			r.together[group.Name] = group.Name
			if group.GroupReplicaIndex != nil {
				r.together[group.Name] = PodGroupName(group.PodCliqueScalingGroupName, group.GroupReplicaIndex)
			}
			if number > 0 {
				r.numbers[group.Name] = number
			}
			if wait := BackOff(int(own.RestartsInARow) - 1); wait > 0 && own.RestartedAt != nil {
				r.until[group.Name] = own.RestartedAt.Add(wait)
			}
		}
	}
	return r
}

// Of is the number that new pods of a pod group bear: the restarts of the base unit, which takes its whole replica along, of their own unit,
// and by their restartPolicy.
func (r Restarts) Of(podGroup string) int32 { return r.numbers[podGroup] }

// Until is until when the pods of a pod group stay away, since they were recreated several times in a row; the zero time if they needn't.
func (r Restarts) Until(podGroup string) time.Time { return r.until[podGroup] }

// equal tells whether both have the same pods go.
func (r Restarts) equal(other Restarts) bool {
	return maps.Equal(r.numbers, other.numbers) && maps.Equal(r.terminated, other.terminated)
}

// RestartsBefore is how many restarts a pod was born after.
func RestartsBefore(pod *corev1.Pod) int32 {
	number, err := strconv.ParseInt(pod.Labels[v1alpha1.LabelRestarts], 10, 32)
	if err != nil {
		return 0
	}
	return int32(number)
}

// Outlived tells whether a pod of a pod group was born before the last restart, so that it has to go.
func (r Restarts) Outlived(pod *corev1.Pod, podGroup string) bool {
	return RestartsBefore(pod) < r.Of(podGroup)
}

// PodGroupOf is the name of the pod group that a pod's labels say it is of.
func PodGroupOf(pod metav1.Object) string {
	labels := pod.GetLabels()
	if g, ok := IndexLabel(pod, v1alpha1.LabelGroupReplicaIndex); ok {
		return PodGroupName(labels[v1alpha1.LabelPodClique], &g)
	}
	return PodGroupName(labels[v1alpha1.LabelPodClique], nil)
}

// Outliving finds among the pods of a replica those that were born before the last restart, and are still there.
func (r Restarts) Outliving(pods []*corev1.Pod) Outliving {
	found := Outliving{restarts: r, units: map[string]string{}, together: map[string]string{}}
	if len(r.numbers) == 0 {
		return found
	}
	for _, pod := range pods {
		if of := PodGroupOf(pod); r.Outlived(pod, of) {
			found.units[r.units[of]], found.together[r.together[of]] = pod.Name, pod.Name
		}
	}
	return found
}

// Outliving has a pod for each unit, and for each group replica or slice, in which there still is one that was born before the last restart.
type Outliving struct {
	restarts        Restarts
	units, together map[string]string
}

// Of names the pod that has to be gone before one of a pod group may come: successors are placed as a gang, which the scheduler does only
// once it counts none of their predecessors. Those of a unit that was terminated wait for all of it, others for their own group replica
// or slice. It is empty if there is none.
func (o Outliving) Of(podGroup string) string {
	if unit := o.restarts.units[podGroup]; o.restarts.terminated[unit] && o.units[unit] != "" {
		return o.units[unit]
	}
	return o.together[o.restarts.together[podGroup]]
}
