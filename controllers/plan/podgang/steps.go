package podgang

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// mostNamed is how many group replicas an event names.
const mostNamed = 5

// Tells is what users are told of a step of an update that was taken.
func (g Gang) Tells(step Step) plan.News {
	i := g.Object().Spec.ReplicaIndex
	message := fmt.Sprintf("updating replica %d: recreating %s (%s)", i, g.named(step), podsOf(len(step.Pods)))
	notReady := 0
	for _, pod := range step.Pods {
		notReady += int(plan.One(!isUp(pod)))
	}
	switch {
	case notReady == len(step.Pods):
		message += ", not ready as they were"
	case notReady > 0:
		message += fmt.Sprintf(", of which %d weren't ready", notReady)
	}
	return plan.News{Reason: v1alpha1.ReasonUpdating, Message: message}
}

func podsOf(n int) string {
	if n == 1 {
		return "1 pod"
	}
	return fmt.Sprintf("%d pods", n)
}

// named names what a step replaces, as the template does.
func (g Gang) named(step Step) string {
	t := plan.TemplateOf(g.Set)
	if step.Clique != "" {
		if clique := t.Clique(step.Clique, g.Object().Spec.ReplicaIndex); clique != nil {
			return "pods of " + clique.Name
		}
		return "pods of " + step.Clique
	}
	name := step.ScalingGroup
	for _, config := range t.ScalingGroups {
		if plan.ScalingGroupName(g.Set.Name, config.Name) == step.ScalingGroup {
			name = config.Name
		}
	}
	return groupReplicas(step) + " of " + name
}

// groupReplicas names the group replicas that a step's pods are in.
func groupReplicas(step Step) string {
	var indexes []int32
	for _, pod := range step.Pods {
		if index, ok := plan.IndexLabel(pod, v1alpha1.LabelGroupReplicaIndex); ok {
			indexes = append(indexes, index)
		}
	}
	slices.Sort(indexes)
	indexes = slices.Compact(indexes)
	if len(indexes) == 1 {
		return fmt.Sprintf("group replica %d", indexes[0])
	}
	var words []string
	for _, index := range indexes[:min(len(indexes), mostNamed)] {
		words = append(words, strconv.Itoa(int(index)))
	}
	if more := len(indexes) - mostNamed; more > 0 {
		words[mostNamed-1] += fmt.Sprintf(" and %d more", more)
	}
	return "group replicas " + strings.Join(words, ", ")
}
