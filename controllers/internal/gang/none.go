package gang

import (
	"context"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/tools/cache"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/runner"
	"grove.io/grove/controllers/plan"
)

// None is the backend for schedulers that place each pod by itself.
type None struct {
	// NetworkTopologyKey is the topology key of pack groups that give none.
	NetworkTopologyKey string
}

// Scheduling says that there are no gangs.
func (n None) Scheduling(string, string) plan.Scheduling {
	return plan.Scheduling{
		NetworkTopologyKey: n.NetworkTopologyKey,
		Reason:             v1alpha1.ReasonDisabled,
		Message:            "the operator runs with --scheduler-backend=none, so each pod is scheduled by itself",
	}
}

// Join does nothing.
func (None) Join(*corev1ac.PodApplyConfiguration, string) {}

// Write does nothing.
func (None) Write(context.Context, apply.Owner, []plan.Placement) error { return nil }

// DeleteAll does nothing.
func (None) DeleteAll(context.Context, string, string) error { return nil }

// Verdicts are none: what the scheduler says of a pod is in the pod's status.
func (None) Verdicts(*v1alpha1.PodGang) map[string]string { return nil }

// Watch does nothing.
func (None) Watch(func() []cache.ObjectName, ...*runner.Loop) {}

// Fresh is always true.
func (None) Fresh(cache.ObjectName) bool { return true }

// Forget does nothing.
func (None) Forget(cache.ObjectName) {}

// Shutdown does nothing.
func (None) Shutdown() {}
