package podclique

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// Status describes a PodClique. The report is on its pods.
func (c Clique) Status(report plan.Report, now time.Time) v1alpha1.PodCliqueStatus {
	live := c.Object.Status
	status := v1alpha1.PodCliqueStatus{
		ObservedGeneration: c.Object.Generation,
		Selector:           c.scaleSelector(),
	}
	counts := c.Counts()
	for _, podGroup := range c.PodGroupNames() {
		status.SliceReplicas = counts[podGroup].Pods
		break
	}
	hash := c.TemplateHash()
	for _, pod := range c.Pods {
		if !plan.Lives(pod) {
			continue
		}
		status.Replicas++
		status.ScheduledReplicas += plan.One(plan.IsScheduled(pod))
		status.ReadyReplicas += plan.One(plan.IsReady(pod))
		status.UpdatedReplicas += plan.One(plan.IsUpdated(pod, hash))
	}
	conditions := plan.NewConditions(live.Conditions, c.Object.Generation, now)
	scheduled := c.missing(counts, plan.Scheduled)
	message := scheduled
	// Enough pods may be scheduled, and others wait all the same.
	if waits := c.Waits(now); waits != "" {
		message = join(scheduled, waits)
	}
	conditions.SetBool(v1alpha1.ConditionPodCliqueScheduled, scheduled == "", c.reason(scheduled == ""), message)
	breach := c.missing(counts, plan.Available)
	if updating := status.UpdatedReplicas < status.Replicas && c.Updates(); updating && breach != "" {
		conditions.Set(v1alpha1.ConditionMinAvailableBreached, metav1.ConditionUnknown, v1alpha1.ReasonUpdating, breach)
	} else {
		conditions.SetBool(v1alpha1.ConditionMinAvailableBreached, breach != "", c.reason(breach == ""), breach)
	}
	conditions.SetResourcesApplied(report.Of(c.Object), report.Problems)
	status.Conditions = conditions.List
	status.FirstAvailableTime = plan.FirstTime(live.FirstAvailableTime, !c.Off() && c.missing(counts, plan.Ready) == "", now)
	return status
}

func join(first, second string) string {
	if first == "" {
		return second
	}
	return first + "; " + second
}

// Urgency is how urgent a change of the PodClique's status is. What adds to pods that are enough is waited for by nobody.
func (c Clique) Urgency(after *v1alpha1.PodCliqueStatus) plan.Urgency {
	before := c.Object.Status
	urgency := plan.ConditionsUrgency(before.Conditions, after.Conditions, plan.UpdateGoesOn(c.Set.Status.Conditions))
	before.Conditions = after.Conditions
	if urgency < plan.Numbers && !equality.Semantic.DeepEqual(&before, after) {
		return plan.Numbers
	}
	return urgency
}

func (c Clique) reason(enough bool) string {
	switch {
	case c.Off():
		return v1alpha1.ReasonTurnedOff
	case enough:
		return v1alpha1.ReasonSufficientPods
	default:
		return v1alpha1.ReasonInsufficientPods
	}
}

// missing says which pod group that counts has fewer than minAvailable pods of a sort; nothing if none has. Those of the base unit
// count: what is above a scaling group's minAvailable may be missing. A gang that has run to its end misses nothing.
func (c Clique) missing(counts map[string]*plan.Counts, sort plan.Sort) string {
	if c.Off() || c.Gang != nil && c.Gang.Status.Phase == v1alpha1.PodGangSucceeded {
		return ""
	}
	for g, podGroup := range c.PodGroupNames() {
		if g != nil && *g >= plan.ScalingGroupMinAvailable(&c.ScalingGroup.Spec) {
			break
		}
		if have := sort.Count(*counts[podGroup]); have < c.MinAvailable() {
			return fmt.Sprintf("%s: %d of %d pods %s, at least %d needed", podGroup, have, c.Replicas(), sort.Word, c.MinAvailable())
		}
	}
	return ""
}

// scaleSelector matches the pods of the first pod group: spec.replicas counts those of one, and an autoscaler divides
// by the number of pods that it sees.
func (c Clique) scaleSelector() string {
	selector := labels.Set{v1alpha1.LabelPodClique: c.Object.Name}
	if c.ScalingGroup != nil {
		selector[v1alpha1.LabelGroupReplicaIndex] = plan.Index(0)
	}
	return selector.String()
}
