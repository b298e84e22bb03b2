package podcliqueset

import (
	"context"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
)

const (
	// mostBegun is how many new replicas the scheduler hasn't looked at yet, of all sets. It places one gang after the other, in the order in which
	// they come, so whoever asks for a small set waits behind no more than these. And a replica that waits there tells of each step, where one that is
	// soon up tells once.
	mostBegun = 8
	// slowStart is how long a new replica counts that the scheduler doesn't look at: its pods are refused, or there is no scheduler.
	slowStart = 2 * time.Second
)

// begun are new replicas, from when there is room for them until the scheduler has looked at one of their pods.
type begun struct {
	gate *apply.Gate

	mu sync.Mutex
	// leave has, by PodGang, what makes room for another.
	leave map[cache.ObjectName]func()
}

func newBegun() *begun {
	return &begun{gate: apply.NewGate(mostBegun, 0), leave: map[cache.ObjectName]func(){}}
}

// enter waits until there is room for a replica of an owner, and begins it. The error is the context's.
func (b *begun) enter(ctx context.Context, owner apply.Owner, podGang cache.ObjectName) error {
	leave, err := b.gate.Enter(ctx, owner)
	if err != nil {
		return err
	}
	slow := time.AfterFunc(slowStart, func() { b.end(podGang) })
	b.end(podGang) // one of the same name that was deleted meanwhile
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leave[podGang] = func() {
		slow.Stop()
		leave()
	}
	return nil
}

// see is told of each state of a pod.
func (b *begun) see(pod *corev1.Pod) {
	looked := slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool { return condition.Type == corev1.PodScheduled })
	if looked || pod.Spec.NodeName != "" {
		b.end(cache.NewObjectName(pod.Namespace, pod.Labels[v1alpha1.LabelPodGang]))
	}
}

// end makes room for another replica, if this one has taken any.
func (b *begun) end(podGang cache.ObjectName) {
	b.mu.Lock()
	leave := b.leave[podGang]
	delete(b.leave, podGang)
	b.mu.Unlock()
	if leave != nil {
		leave()
	}
}
