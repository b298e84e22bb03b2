// Package scalinggroup describes a PodCliqueScalingGroup.
package scalinggroup

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/labels"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// mostReplicas bounds replicaStatuses, so that no scaling group comes near the size that etcd takes.
const mostReplicas = 1000

// ScalingGroup is a PodCliqueScalingGroup with the PodGangs of its set, in which its group replicas are.
type ScalingGroup struct {
	Object   *v1alpha1.PodCliqueScalingGroup
	Set      *v1alpha1.PodCliqueSet
	PodGangs []*v1alpha1.PodGang
}

// Status describes a PodCliqueScalingGroup.
func (g ScalingGroup) Status(now time.Time) v1alpha1.PodCliqueScalingGroupStatus {
	status := v1alpha1.PodCliqueScalingGroupStatus{
		ObservedGeneration: g.Object.Generation,
		Selector:           g.scaleSelector(),
	}
	replicas := map[int32]plan.GroupReplica{}
	breach := ""
	outdated := map[int32]bool{}
	t := plan.TemplateOf(g.Set)
	hashes := t.PodTemplateHashes()
	for n, gang := range slices.SortedFunc(slices.Values(g.PodGangs), byReplica) {
		units := plan.UnitsOf(gang)
		here, outdatedHere := plan.GroupReplicasOf(units, g.Object.Name), g.outdated(gang, units, t, hashes)
		if message := g.breachIn(gang, here); message != "" && breach == "" {
			breach = message
		}
		if n < mostReplicas {
			status.ReplicaStatuses = append(status.ReplicaStatuses, replicaStatus(gang, here, outdatedHere))
		}
		maps.Copy(outdated, outdatedHere)
		for index, replica := range here {
			if n == 0 {
				replicas[index] = replica
			} else if before, ok := replicas[index]; ok {
				replicas[index] = before.And(replica)
			}
		}
	}
	for index, replica := range replicas {
		status.Replicas++
		status.UpdatedReplicas += plan.One(!outdated[index])
		status.ScheduledReplicas += plan.One(replica.Scheduled)
		status.AvailableReplicas += plan.One(replica.Ready)
	}
	conditions := plan.NewConditions(g.Object.Status.Conditions, g.Object.Generation, now)
	conditions.SetBool(v1alpha1.ConditionMinAvailableBreached, breach != "", g.reason(breach), breach)
	status.Conditions = conditions.List
	return status
}

// byReplica orders gangs by the index of their replica.
func byReplica(a, b *v1alpha1.PodGang) int {
	return cmp.Compare(a.Spec.ReplicaIndex, b.Spec.ReplicaIndex)
}

// replicaStatus counts the group replicas in one replica of the set.
func replicaStatus(gang *v1alpha1.PodGang, here map[int32]plan.GroupReplica, outdated map[int32]bool) v1alpha1.ScalingGroupReplicaStatus {
	status := v1alpha1.ScalingGroupReplicaStatus{ReplicaIndex: gang.Spec.ReplicaIndex}
	for index, replica := range here {
		status.Updated += plan.One(!outdated[index])
		status.Scheduled += plan.One(replica.Scheduled)
		status.Available += plan.One(replica.Ready)
	}
	return status
}

// outdated are the group replicas in a replica of the set that lack pods of the set's podSpecs, or have others. All's hashes are those of the
// template's cliques, computed once for all replicas.
func (g ScalingGroup) outdated(gang *v1alpha1.PodGang, units []plan.Unit, t plan.Template, all []string) map[int32]bool {
	hashes := make(map[string]string, len(all))
	for j, hash := range all {
		hashes[plan.PodCliqueName(g.Set.Name, t.Cliques()[j].Name, gang.Spec.ReplicaIndex)] = hash
	}
	outdated := map[int32]bool{}
	for _, unit := range units {
		for _, group := range unit.PodGroups {
			if group.PodCliqueScalingGroupName == g.Object.Name && group.GroupReplicaIndex != nil &&
				(group.TemplateHash != hashes[group.PodCliqueName] || group.Outdated > 0 || group.Updated < group.Created) {
				outdated[*group.GroupReplicaIndex] = true
			}
		}
	}
	return outdated
}

// Urgency is how urgent a change of the scaling group's status is.
func (g ScalingGroup) Urgency(after *v1alpha1.PodCliqueScalingGroupStatus) plan.Urgency {
	before := g.Object.Status
	urgency := plan.ConditionsUrgency(before.Conditions, after.Conditions, plan.UpdateGoesOn(g.Set.Status.Conditions))
	before.Conditions = after.Conditions
	if urgency < plan.Numbers && !equality.Semantic.DeepEqual(&before, after) {
		return plan.Numbers
	}
	return urgency
}

func (g ScalingGroup) reason(breach string) string {
	switch {
	case g.off():
		return v1alpha1.ReasonTurnedOff
	case breach == "":
		return v1alpha1.ReasonSufficientReplicas
	default:
		return v1alpha1.ReasonInsufficientReplicas
	}
}

func (g ScalingGroup) off() bool { return plan.ScalingGroupReplicas(g.Object) == 0 }

// scaleSelector matches one pod of each group replica, in the first replica of the set: the first of a member that isn't autoscaled itself.
// spec.replicas counts group replicas, and an autoscaler divides by the number of pods that it sees.
func (g ScalingGroup) scaleSelector() string {
	selector := labels.Set{v1alpha1.LabelPodCliqueScalingGroup: g.Object.Name, v1alpha1.LabelPodIndex: plan.Index(0)}
	t := plan.TemplateOf(g.Set)
	for _, config := range t.ScalingGroups {
		if lead := t.GroupLead(config); plan.ScalingGroupName(g.Set.Name, config.Name) == g.Object.Name && lead != nil {
			selector[v1alpha1.LabelPodClique] = plan.PodCliqueName(g.Set.Name, lead.Name, 0)
		}
	}
	return selector.String()
}

// breachIn says what is missing if a replica of the set has fewer group replicas than the scaling group's minimum. One that is off is in no breach, nor is
// a gang all of whose members of the group are, or one that has run to its end.
func (g ScalingGroup) breachIn(gang *v1alpha1.PodGang, replicas map[int32]plan.GroupReplica) string {
	if g.off() || len(replicas) == 0 || gang.Status.Phase == v1alpha1.PodGangSucceeded {
		return ""
	}
	var available int32
	for _, replica := range replicas {
		available += plan.One(replica.Available)
	}
	least := plan.ScalingGroupMinAvailable(&g.Object.Spec)
	if available >= least {
		return ""
	}
	return fmt.Sprintf("%s: %d of %d group replicas available, at least %d needed", gang.Name, available, plan.ScalingGroupReplicas(g.Object), least)
}
