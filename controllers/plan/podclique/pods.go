// Package podclique decides which pods a PodClique has, and describes the PodClique.
package podclique

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// Kind is the kind of a PodClique.
const Kind = "PodClique"

// Clique is what decides about the pods of a PodClique.
type Clique struct{ plan.Clique }

// Actions are what has to be done to a PodClique's pods.
type Actions struct {
	// Create has the pods that are missing and have nothing to wait for: those of units first, lowest indexes first.
	Create []NewPod
	// Delete has the pods that are not wanted.
	Delete []*corev1.Pod
	// Replace has the pods that failed, and their successors, which get their names.
	Replace []Replacement
	// Relabel has the pods whose labels, annotations or owner are not as they should be. Nothing else of a pod can be changed.
	Relabel []*corev1ac.PodApplyConfiguration
	// Again is after what time a pod may come back that may not yet; 0 if there is none.
	Again time.Duration
	// Problems are pods that won't be made.
	Problems []plan.Problem
}

// NewPod is a pod that is to be created.
type NewPod struct {
	Config *corev1ac.PodApplyConfiguration
	// Group is the scheduler's group that the pod is in; empty for none.
	Group string

	membership plan.Membership
}

// Replacement is a failed pod and its successor.
type Replacement struct {
	Failed    *corev1.Pod
	Successor NewPod
}

// Actions bring the pods of a PodClique to what its spec says. There are none for a PodClique that its set has no
// place for: it is about to go, and its pods with it; nor for one whose gang has run to its end. A pod's identity is its name, which
// never changes its meaning; so scaling in removes the highest indexes, and a lost pod comes back under its own name.
func (c Clique) Actions(now time.Time) Actions {
	var actions Actions
	t := plan.TemplateOf(c.Set)
	clique := t.Clique(c.Object.Name, c.Index())
	if clique == nil || c.Index() >= c.Set.Spec.Replicas {
		return actions
	}
	if pods := c.NumPods(); pods > plan.MostPods {
		actions.Problems = append(actions.Problems, plan.Problem{Reason: v1alpha1.ReasonTooManyPods, Message: fmt.Sprintf(
			"PodClique %s is scaled to %d pods, and a replica of a set may have %d: scale it or its PodCliqueScalingGroup in", c.Object.Name, pods, plan.MostPods)})
	}
	existing := c.PodsByName()
	b := c.builder(c.release(t), clique)
	restarts, together := b.released.Restarts(), c.Together()
	for id := range c.Identities() {
		pod := existing[id.Name]
		delete(existing, id.Name)
		switch {
		case pod == nil:
			if !c.over() && b.waits(id, now) == "" {
				actions.Create = append(actions.Create, b.newPod(id, 0))
			}
			actions.again(restarts.Until(id.PodGroup).Sub(now))
		case !plan.Lives(pod):
			// Its successor waits until the name is free.
		case restarts.Outlived(pod, id.PodGroup) && !c.over() && metav1.IsControlledBy(pod, c.Object):
			actions.Delete = append(actions.Delete, pod)
		case pod.Status.Phase == corev1.PodFailed && !c.over() && together != plan.Alone:
			// It goes with the others, once the restart has been counted.
		case pod.Status.Phase == corev1.PodFailed && !c.over():
			b.replace(&actions, id, pod, now)
		default:
			if why := plan.DeferredResize(pod); why != "" {
				actions.Problems = append(actions.Problems, plan.Problem{Reason: v1alpha1.ReasonResizeDeferred, Message: fmt.Sprintf(
					"node %s doesn't give pod %s what its podSpec requests: %s; make room there, or delete the pod, and it comes back where there is room",
					pod.Spec.NodeName, pod.Name, why)})
			}
			if relabeled, changed := b.relabeled(id, pod); changed {
				actions.Relabel = append(actions.Relabel, relabeled)
			}
		}
	}
	for _, pod := range existing {
		if plan.Lives(pod) && metav1.IsControlledBy(pod, c.Object) {
			actions.Delete = append(actions.Delete, pod)
		}
	}
	slices.SortFunc(actions.Delete, plan.ByName)
	inOrder(actions.Create)
	return actions
}

// again asks for another look after a time that is in the future.
func (a *Actions) again(wait time.Duration) {
	if wait > 0 && (a.Again == 0 || wait < a.Again) {
		a.Again = wait
	}
}

// inOrder puts pods into the order in which they are created: those of units first, the base unit's ahead of the others.
func inOrder(pods []NewPod) {
	rank := func(pod NewPod) int {
		switch {
		case pod.membership.Surplus:
			return 2
		case !pod.membership.Base:
			return 1
		default:
			return 0
		}
	}
	slices.SortStableFunc(pods, func(a, b NewPod) int { return cmp.Compare(rank(a), rank(b)) })
}
