package plan

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Group is a PodCliqueScalingGroup with the PodGangs of its set, in which its group replicas are.
type Group struct {
	Object   *v1alpha1.PodCliqueScalingGroup
	Set      *v1alpha1.PodCliqueSet
	PodGangs []*v1alpha1.PodGang
}

// Status describes a PodCliqueScalingGroup.
func (g Group) Status(now time.Time) v1alpha1.PodCliqueScalingGroupStatus {
	status := v1alpha1.PodCliqueScalingGroupStatus{
		ObservedGeneration: g.Object.Generation,
		Selector:           g.scaleSelector(),
	}
	replicas := map[int32]groupReplica{}
	breach := ""
	for n, gang := range slices.SortedFunc(slices.Values(g.PodGangs), byName) {
		here := groupReplicas(gang, g.Object.Name)
		if message := breachIn(gang, g.Object, here); message != "" && breach == "" {
			breach = message
		}
		for index, replica := range here {
			if n == 0 {
				replicas[index] = replica
			} else if before, ok := replicas[index]; ok {
				replicas[index] = before.and(replica)
			}
		}
	}
	for _, replica := range replicas {
		status.Replicas++
		status.ScheduledReplicas += one(replica.scheduled)
		status.AvailableReplicas += one(replica.ready)
	}
	conditions := newConditions(g.Object.Status.Conditions, g.Object.Generation, now)
	conditions.setBool(v1alpha1.ConditionMinAvailableBreached, breach != "", g.reason(breach), breach)
	status.Conditions = conditions.list
	return status
}

// Begins tells whether a status says no more of a scaling group than that pods are being created and scheduled.
func (g Group) Begins(status *v1alpha1.PodCliqueScalingGroupStatus) bool {
	waits := func(gang *v1alpha1.PodGang) bool { return waitsForScheduler(gang.Status.Conditions) }
	return status.ScheduledReplicas < replicasOf(g.Object.Spec.Replicas) && !slices.ContainsFunc(g.PodGangs, waits)
}

// Patience is how long a change of the scaling group's status may wait for others.
func (g Group) Patience(after *v1alpha1.PodCliqueScalingGroupStatus) time.Duration {
	return patience(g.Object.Status.Conditions, after.Conditions)
}

func (g Group) reason(breach string) string {
	switch {
	case replicasOf(g.Object.Spec.Replicas) == 0:
		return v1alpha1.ReasonTurnedOff
	case breach == "":
		return v1alpha1.ReasonSufficientReplicas
	default:
		return v1alpha1.ReasonInsufficientReplicas
	}
}

// scaleSelector matches one pod of each group replica, in the first replica of the set: the first of the first member.
// spec.replicas counts group replicas, and an autoscaler divides by the number of pods that it sees.
func (g Group) scaleSelector() string {
	selector := labels.Set{v1alpha1.LabelPodCliqueScalingGroup: g.Object.Name, v1alpha1.LabelPodIndex: index(0)}
	t := templateOf(g.Set)
	for _, group := range t.groups {
		if members := t.members(group); ScalingGroupName(g.Set.Name, group.Name) == g.Object.Name && len(members) > 0 {
			selector[v1alpha1.LabelPodClique] = PodCliqueName(g.Set.Name, members[0].Name, 0)
		}
	}
	return selector.String()
}

// groupReplica tells whether all slices of a group replica have their minimum of pods of some sort.
type groupReplica struct {
	scheduled, available, ready bool
}

func (r groupReplica) and(other groupReplica) groupReplica {
	return groupReplica{
		scheduled: r.scheduled && other.scheduled,
		available: r.available && other.available,
		ready:     r.ready && other.ready,
	}
}

// groupReplicas reads the replicas of one scaling group out of a PodGang, by their index.
func groupReplicas(gang *v1alpha1.PodGang, scalingGroup string) map[int32]groupReplica {
	counted := map[string]v1alpha1.PodGroupStatus{}
	for _, status := range gang.Status.PodGroups {
		counted[status.Name] = status
	}
	replicas := map[int32]groupReplica{}
	for _, group := range podGroupsOf(gang) {
		if group.PodCliqueScalingGroupName != scalingGroup || group.GroupReplicaIndex == nil {
			continue
		}
		count, least := counted[group.Name], group.MinReplicas
		slice := groupReplica{
			scheduled: count.Scheduled >= least,
			available: count.Available >= least,
			ready:     count.Ready >= least,
		}
		if before, ok := replicas[*group.GroupReplicaIndex]; ok {
			slice = slice.and(before)
		}
		replicas[*group.GroupReplicaIndex] = slice
	}
	return replicas
}

// breachIn says what is missing if a replica of the set has fewer group replicas than the group's minimum; a group that is
// off is in no breach.
func breachIn(gang *v1alpha1.PodGang, group *v1alpha1.PodCliqueScalingGroup, replicas map[int32]groupReplica) string {
	if replicasOf(group.Spec.Replicas) == 0 {
		return ""
	}
	var available int32
	for _, replica := range replicas {
		available += one(replica.available)
	}
	least := groupMinAvailable(&group.Spec)
	if available >= least {
		return ""
	}
	return fmt.Sprintf("%s: %d of %d group replicas available, at least %d needed",
		gang.Name, available, replicasOf(group.Spec.Replicas), least)
}
