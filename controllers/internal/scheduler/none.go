package scheduler

import (
	"context"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/tools/cache"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/runner"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/podgang"
)

// None is the backend for schedulers that place each pod by itself.
type None struct {
	// NetworkTopologyKey is the topology key of pack groups that give none.
	NetworkTopologyKey string
}

// Scheduling says that there are no gangs.
func (n None) Scheduling() plan.Scheduling {
	return plan.Scheduling{
		NetworkTopologyKey: n.NetworkTopologyKey,
		Reason:             v1alpha1.ReasonDisabled,
		Message:            "the operator runs with --scheduler-backend=none, so each pod is scheduled by itself",
	}
}

// Group finds none: nobody names one.
func (None) Group(string, string, *v1alpha1.PodGang) plan.SchedulerGroup {
	return plan.SchedulerGroup{}
}

// Join does nothing.
func (None) Join(*corev1ac.PodApplyConfiguration, string) {}

// Write does nothing.
func (None) Write(context.Context, apply.Owner, []podgang.Placement, podgang.Names) error {
	return nil
}

// DeleteAll does nothing.
func (None) DeleteAll(context.Context, string, string, []*v1alpha1.PodGang) error { return nil }

// Verdicts are none: what the scheduler says of a pod is in the pod's status.
func (None) Verdicts(*v1alpha1.PodGang) map[string]string { return nil }

// Watch does nothing.
func (None) Watch(func() []cache.ObjectName, ...*runner.Loop) {}

// WatchGroups does nothing.
func (None) WatchGroups(func() []cache.ObjectName, func(cache.ObjectName) []cache.ObjectName, ...*runner.Loop) {
}

// Fresh is always true.
func (None) Fresh(cache.ObjectName) bool { return true }

// Forget does nothing.
func (None) Forget(cache.ObjectName) {}

// Shutdown does nothing.
func (None) Shutdown() {}
