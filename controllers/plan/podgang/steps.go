package podgang

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// mostNamed is how many group replicas an event names.
const mostNamed = 5

// Tells is what users are told of a step of an update that was taken. That a change goes on that was begun before is no news.
func (g Gang) Tells(step Step) []plan.News {
	var changed []*corev1.Pod
	for _, patch := range step.Patches {
		if !plan.InPlaceOf(patch.Pod).Resizing {
			changed = append(changed, patch.Pod)
		}
	}
	var all []plan.News
	if len(step.Pods) > 0 {
		all = append(all, g.tells("recreating "+g.named(step, step.Pods), step.Pods))
	}
	if len(changed) > 0 {
		all = append(all, g.tells("changing "+g.named(step, changed)+" in place", changed))
	}
	return all
}

// First is one of the pods of a step that isn't empty.
func (s Step) First() *corev1.Pod {
	if len(s.Pods) > 0 {
		return s.Pods[0]
	}
	return s.Patches[0].Pod
}

func (g Gang) tells(what string, pods []*corev1.Pod) plan.News {
	message := fmt.Sprintf("updating replica %d: %s (%s)", g.Object().Spec.ReplicaIndex, what, podsOf(len(pods)))
	notReady := 0
	for _, pod := range pods {
		notReady += int(plan.One(!isUp(pod)))
	}
	switch {
	case notReady == len(pods):
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
func (g Gang) named(step Step, pods []*corev1.Pod) string {
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
	return groupReplicas(pods) + " of " + name
}

// groupReplicas names the group replicas that pods are in.
func groupReplicas(pods []*corev1.Pod) string {
	var indexes []int32
	for _, pod := range pods {
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
