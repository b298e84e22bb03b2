package simulation

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// Step is what happens without waiting for a pod to become ready.
type Step struct {
	// Waits are pods that aren't ready at the beginning, without whose being ready the step doesn't begin.
	Waits []string `json:"waits,omitempty"`
	// Deleted pods go, Created ones come, Replaced ones go and come back under their names.
	Deleted  []*corev1.Pod `json:"-"`
	Created  []*corev1.Pod `json:"-"`
	Replaced []*corev1.Pod `json:"-"`
	// Changed pods are changed where they are, and their containers may restart.
	Changed []*corev1.Pod `json:"-"`
	// Relabelled pods get other labels or annotations, and go on running.
	Relabelled []*corev1.Pod `json:"-"`
	// Leaves is what is ready while the step is under way.
	Leaves Capacity `json:"leaves"`
}

// Capacity is how much of a set is ready.
type Capacity struct {
	// Replicas counts the set's, which are available.
	Replicas Count `json:"replicas"`
	// Units counts those of all replicas, base and scaled.
	Units Count `json:"units"`
	Pods  Count `json:"pods"`
}

// Count is how many are ready of how many that shall be.
type Count struct {
	Ready int32 `json:"ready"`
	Of    int32 `json:"of"`
}

func (c *Count) add(ready bool) {
	c.Ready += plan.One(ready)
	c.Of++
}

func (s *Step) deleted(pod *corev1.Pod)    { s.Deleted = append(s.Deleted, pod) }
func (s *Step) relabelled(pod *corev1.Pod) { s.Relabelled = append(s.Relabelled, pod) }

func (s *Step) created(pod *corev1.Pod) {
	if at := slices.IndexFunc(s.Deleted, func(before *corev1.Pod) bool { return before.Name == pod.Name }); at >= 0 {
		s.Deleted = slices.Delete(s.Deleted, at, at+1)
		s.Replaced = append(s.Replaced, pod)
		return
	}
	s.Created = append(s.Created, pod)
}

// Nothing tells whether the step does nothing to any pod.
func (s *Step) Nothing() bool {
	return len(s.Deleted)+len(s.Created)+len(s.Replaced)+len(s.Changed)+len(s.Relabelled) == 0
}

// Change makes the set another, as applying it would.
func (w *World) Change(set *v1alpha1.PodCliqueSet) {
	w.Object = set
	w.touchAll()
}

// Run lets the controllers work until nothing is left to be done, or for so many steps, and tells whether they came to the end. Pods that are
// made become ready. Those that were there and aren't ready are taken to stay so, until nothing else is left to wait for.
func (w *World) Run(most int) (steps []Step, ended bool) {
	var waits []string
	for len(steps) < most {
		w.step = &Step{Waits: waits}
		w.proceed()
		w.step.Leaves = w.Capacity()
		if !w.step.Nothing() {
			steps = append(steps, *w.step)
			waits = nil
		}
		if w.becomeReady(func(pod *corev1.Pod) bool { return !w.Existed(pod) || w.changed[pod.UID] }) != nil {
			continue
		}
		if waits = w.becomeReady(func(*corev1.Pod) bool { return true }); waits == nil {
			return steps, true
		}
	}
	return steps, false
}

// proceed lets everything happen but that pods become ready.
func (w *World) proceed() {
	for moved := true; moved; {
		moved = false
		w.settle()
		for _, pod := range w.Pods() {
			if !plan.Lives(pod) {
				w.remove(pod)
				moved = true
			}
		}
	}
}

// becomeReady makes pods ready that aren't, and returns their names.
func (w *World) becomeReady(which func(*corev1.Pod) bool) []string {
	var became []string
	for _, pod := range w.Pods() {
		if !plan.IsReady(pod) && pod.Status.Phase != corev1.PodSucceeded && which(pod) {
			w.put(ready(pod))
			became = append(became, pod.Name)
		}
	}
	return became
}

// Capacity is how much of the set is ready as the world is.
func (w *World) Capacity() Capacity {
	var c Capacity
	for i := range w.Object.Spec.Replicas {
		name := plan.PodGangName(w.Object.Name, i)
		gang := w.Gang(name)
		if gang == nil {
			c.Replicas.Of++
			continue
		}
		for _, unit := range gang.Units() {
			up := unit.Has(plan.Scheduled) && unit.Has(plan.Ready)
			c.Units.add(up)
			if unit.Base {
				c.Replicas.add(up)
			}
			for _, group := range unit.PodGroups {
				c.Pods.Ready += group.Up()
				c.Pods.Of += group.Desired
			}
		}
	}
	return c
}
