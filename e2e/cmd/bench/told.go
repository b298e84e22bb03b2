package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"grove.io/grove/apis/grove/v1alpha1"
)

const (
	// toldRuns is how often it is measured how soon users are told.
	toldRuns = 10
	// looking is how often it is looked whether they have been.
	looking = 10 * time.Millisecond
)

// told is how soon users are told on a quiet cluster: the worst of several times.
type told struct {
	// statuses is until a new set and all that it consists of have one, refused until the set and an event say that a pod is refused, and repaired
	// until somebody else's write of a PodGang's status is undone.
	statuses, refused, repaired time.Duration
}

// measureTold measures how soon users are told of what is.
func (b *bench) measureTold(ctx context.Context) error {
	var worst told
	for range toldRuns {
		once, err := b.tellOnce(ctx)
		if err != nil {
			return err
		}
		worst.statuses, worst.refused, worst.repaired = max(worst.statuses, once.statuses), max(worst.refused, once.refused), max(worst.repaired, once.repaired)
	}
	b.report.told(worst)
	return nil
}

func (b *bench) tellOnce(ctx context.Context) (t told, err error) {
	sound := b.podCliqueSets("told", 1, smallPods, tenPods())
	if t.statuses, err = b.until(ctx, sound.create, b.allDescribed); err != nil {
		return t, fmt.Errorf("waiting for statuses: %w", err)
	}
	if _, err := b.seen.pods.complete(smallPods).since(ctx, time.Now()); err != nil {
		return t, err
	}
	if _, err := b.requestsUntilAfter(ctx, time.Now(), settling); err != nil { // so that nothing is written for another reason
		return t, err
	}
	if t.repaired, err = b.until(ctx, b.overwrite, b.repaired); err != nil {
		return t, fmt.Errorf("waiting for a status to be repaired: %w", err)
	}
	if err := b.remove(ctx, sound); err != nil {
		return t, err
	}
	spec := tenPods()
	spec.Template.Cliques[0].Spec.PodSpec.Containers[0].Image = ""
	bad := b.podCliqueSets("refused", 1, 0, spec)
	if t.refused, err = b.until(ctx, bad.create, b.refusalIsKnown); err != nil {
		return t, fmt.Errorf("waiting for a refusal: %w", err)
	}
	return t, b.remove(ctx, bad)
}

// until does something, and measures until something is true.
func (b *bench) until(ctx context.Context, do func(context.Context) error, is wait.ConditionWithContextFunc) (time.Duration, error) {
	began := time.Now()
	if err := do(ctx); err != nil {
		return 0, err
	}
	err := wait.PollUntilContextCancel(ctx, looking, true, is)
	return time.Since(began), err
}

// remove deletes a workload, and waits until nothing is left of it.
func (b *bench) remove(ctx context.Context, w workload) error {
	if err := w.delete(ctx); err != nil {
		return err
	}
	for _, gone := range []*milestone{b.seen.pods.exist(0), b.seen.between.exist(0)} {
		if _, err := gone.since(ctx, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// allDescribed tells whether the set, and all objects of Grove's that it consists of, have a status.
func (b *bench) allDescribed(ctx context.Context) (bool, error) {
	grove := b.grove.GroveV1alpha1()
	sets, err := grove.PodCliqueSets(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return false, err
	}
	gangs, err := grove.PodGangs(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return false, err
	}
	cliques, err := grove.PodCliques(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return false, err
	}
	groups, err := grove.PodCliqueScalingGroups(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return false, err
	}
	var observed []int64
	for i := range sets.Items {
		observed = append(observed, sets.Items[i].Status.ObservedGeneration)
	}
	for i := range gangs.Items {
		observed = append(observed, gangs.Items[i].Status.ObservedGeneration)
	}
	for i := range cliques.Items {
		observed = append(observed, cliques.Items[i].Status.ObservedGeneration)
	}
	for i := range groups.Items {
		observed = append(observed, groups.Items[i].Status.ObservedGeneration)
	}
	all := len(sets.Items) > 0 && len(gangs.Items) > 0 && len(cliques.Items) > 0 && len(groups.Items) > 0
	return all && !slices.Contains(observed, 0), nil
}

// overwrite writes into a PodGang's status what isn't so.
func (b *bench) overwrite(ctx context.Context) error {
	patch := []byte(`{"status": {"phase": "Failed", "podGroups": [], "conditions": []}}`)
	_, err := b.grove.GroveV1alpha1().PodGangs(namespace).Patch(ctx, "told-0-0", types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

func (b *bench) repaired(ctx context.Context) (bool, error) {
	gang, err := b.grove.GroveV1alpha1().PodGangs(namespace).Get(ctx, "told-0-0", metav1.GetOptions{})
	return err == nil && gang.Status.Phase == v1alpha1.PodGangRunning && len(gang.Status.PodGroups) > 0 && len(gang.Status.Conditions) > 0, err
}

// refusalIsKnown tells whether the set's condition and an event say that a pod was refused.
func (b *bench) refusalIsKnown(ctx context.Context) (bool, error) {
	set, err := b.grove.GroveV1alpha1().PodCliqueSets(namespace).Get(ctx, "refused-0", metav1.GetOptions{})
	if err != nil || !meta.IsStatusConditionFalse(set.Status.Conditions, v1alpha1.ConditionResourcesApplied) {
		return false, err
	}
	events, err := b.core.EventsV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: "regarding.uid=" + string(set.UID)})
	if err != nil {
		return false, err
	}
	for i := range events.Items {
		if events.Items[i].Reason == v1alpha1.ReasonInvalidChild {
			return true, nil
		}
	}
	return false, nil
}
