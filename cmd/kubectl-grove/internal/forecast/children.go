package forecast

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	autoscalingv2ac "k8s.io/client-go/applyconfigurations/autoscaling/v2"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/podcliqueset"
)

// Action is what becomes of an object.
type Action string

// Actions.
const (
	Create    Action = "create"
	Change    Action = "change"
	Delete    Action = "delete"
	Unchanged Action = "unchanged"
	Refused   Action = "refused"
)

// Child is an object of the set's, pods aside, that comes, goes, or changes.
type Child struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Action Action `json:"action"`
	// Changes say of one that changes in what: "replicas 2 → 3".
	Changes []string `json:"changes,omitempty"`
}

// childrenOf are those that differ between the set's children as they are and as they will be, kind by kind.
func childrenOf(before, after podcliqueset.Set) []Child {
	return slices.Concat(
		compare("PodCliqueScalingGroup", before.ScalingGroups, after.ScalingGroups, scalingGroupChanges),
		compare("PodGang", before.PodGangs, after.PodGangs, gangChanges),
		compare("PodClique", before.PodCliques, after.PodCliques, podCliqueChanges),
		compare("HorizontalPodAutoscaler", before.Autoscalers, after.Autoscalers, autoscalerChanges),
		compare("PodDisruptionBudget", byName(before.DisruptionBudgets), byName(after.DisruptionBudgets), budgetChanges),
		compare("Service", byName(before.Services), byName(after.Services), nil),
	)
}

func byName[T metav1.Object](objects []T) map[string]T {
	named := map[string]T{}
	for _, object := range objects {
		named[object.GetName()] = object
	}
	return named
}

func compare[T any](kind string, before, after map[string]T, changes func(before, after T) []string) []Child {
	var children []Child
	for name, is := range after {
		was, existed := before[name]
		switch {
		case !existed:
			children = append(children, Child{Kind: kind, Name: name, Action: Create})
		case changes != nil:
			if what := changes(was, is); len(what) > 0 {
				children = append(children, Child{Kind: kind, Name: name, Action: Change, Changes: what})
			}
		}
	}
	for name := range before {
		if _, stays := after[name]; !stays {
			children = append(children, Child{Kind: kind, Name: name, Action: Delete})
		}
	}
	slices.SortFunc(children, func(a, b Child) int { return cmp.Or(cmp.Compare(a.Action, b.Action), cmp.Compare(a.Name, b.Name)) })
	return children
}

// changes collects what has changed, in words.
type changes []string

func (c *changes) number(field string, before, after int32) {
	if before != after {
		*c = append(*c, fmt.Sprintf("%s %d → %d", field, before, after))
	}
}

func (c *changes) value(field string, before, after any) {
	if !equality.Semantic.DeepEqual(before, after) {
		*c = append(*c, field)
	}
}

// metadata tells of labels and annotations, but for those that only say what is told otherwise.
func (c *changes) metadata(before, after metav1.Object) {
	rest := func(of map[string]string) map[string]string {
		kept := map[string]string{}
		maps.Copy(kept, of)
		delete(kept, v1alpha1.LabelPodTemplateHash)
		delete(kept, v1alpha1.AnnotationTemplateReplicas)
		delete(kept, v1alpha1.AnnotationRestartedAt)
		delete(kept, v1alpha1.AnnotationUpdateTo)
		return kept
	}
	if !maps.Equal(rest(before.GetLabels()), rest(after.GetLabels())) {
		*c = append(*c, "labels")
	}
	if !maps.Equal(rest(before.GetAnnotations()), rest(after.GetAnnotations())) {
		*c = append(*c, "annotations")
	}
}

func podCliqueChanges(before, after *v1alpha1.PodClique) []string {
	var c changes
	c.number("replicas", plan.ReplicasOf(before.Spec.Replicas), plan.ReplicasOf(after.Spec.Replicas))
	c.value("podSpec", before.Spec.PodSpec, after.Spec.PodSpec)
	c.value("minAvailable", before.Spec.MinAvailable, after.Spec.MinAvailable)
	c.value("startsAfter", before.Spec.StartsAfter, after.Spec.StartsAfter)
	c.value("autoScalingConfig", before.Spec.AutoScalingConfig, after.Spec.AutoScalingConfig)
	c.value("restartedAt", before.Annotations[v1alpha1.AnnotationRestartedAt], after.Annotations[v1alpha1.AnnotationRestartedAt])
	c.metadata(before, after)
	return c
}

func scalingGroupChanges(before, after *v1alpha1.PodCliqueScalingGroup) []string {
	var c changes
	c.number("replicas", plan.ReplicasOf(before.Spec.Replicas), plan.ReplicasOf(after.Spec.Replicas))
	c.value("minAvailable", before.Spec.MinAvailable, after.Spec.MinAvailable)
	c.value("cliqueNames", before.Spec.CliqueNames, after.Spec.CliqueNames)
	c.value("scaleConfig", before.Spec.ScaleConfig, after.Spec.ScaleConfig)
	c.metadata(before, after)
	return c
}

func gangChanges(before, after *v1alpha1.PodGang) []string {
	var c changes
	c.number("units", int32(1+len(before.Spec.ScaledGroups)), int32(1+len(after.Spec.ScaledGroups)))
	c.value("podGroups", before.Spec.PodGroups, after.Spec.PodGroups)
	c.metadata(before, after)
	return c
}

// autoscalerChanges compares what Grove applied with what it would apply: the rest of an autoscaler is filled in by the API server.
func autoscalerChanges(before, after *autoscalingv2.HorizontalPodAutoscaler) []string {
	owned, err := autoscalingv2ac.ExtractHorizontalPodAutoscaler(before, plan.SetManager)
	if err != nil || owned.Spec == nil {
		return nil
	}
	was := plan.Configuration[autoscalingv2.HorizontalPodAutoscalerSpec](owned.Spec)
	var c changes
	c.number("minReplicas", plan.ReplicasOf(was.MinReplicas), plan.ReplicasOf(after.Spec.MinReplicas))
	c.number("maxReplicas", was.MaxReplicas, after.Spec.MaxReplicas)
	c.value("metrics", was.Metrics, after.Spec.Metrics)
	c.value("behavior", was.Behavior, after.Spec.Behavior)
	return c
}

func budgetChanges(before, after *policyv1.PodDisruptionBudget) []string {
	var c changes
	c.value("minAvailable", before.Spec.MinAvailable, after.Spec.MinAvailable)
	c.value("maxUnavailable", before.Spec.MaxUnavailable, after.Spec.MaxUnavailable)
	return c
}
