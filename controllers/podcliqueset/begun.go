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
	// mostBegun is how many pods are enough to be in replicas that the scheduler hasn't looked at yet, of all sets of a namespace: it binds as many in
	// half a second by its own limit of 50 requests. It places one gang after the other, in the order in which they come, so whoever asks for a small
	// set waits behind these, and one more at most. And a replica that waits there tells of each step, where one that is soon up tells once.
	mostBegun = 20
	// slowStart is how long a new replica counts that the scheduler doesn't look at: its pods are refused, or there is no scheduler.
	slowStart = time.Second
)

// begun are new replicas, from when there is room for them until the scheduler has looked at one of their pods. Each namespace has room of its own: pods
// that nobody looks at keep no set of others back.
type begun struct {
	mu sync.Mutex
	// rooms are those of namespaces that somebody uses.
	rooms map[string]*room
	// leave has, by PodGang, what makes room for another.
	leave map[cache.ObjectName]func()
}

// room is for the new replicas of a namespace.
type room struct {
	gate *apply.Gate
	// users are those that are in, or wait.
	users int
}

func newBegun() *begun {
	return &begun{rooms: map[string]*room{}, leave: map[cache.ObjectName]func(){}}
}

// enter waits until there is room for a replica of an owner, of so many pods, and begins it. The error is the context's.
func (b *begun) enter(ctx context.Context, owner apply.Owner, podGang cache.ObjectName, pods int) error {
	leave, err := b.use(podGang.Namespace).Enter(ctx, owner, pods)
	if err != nil {
		b.release(podGang.Namespace)
		return err
	}
	b.end(podGang) // one of the same name that was deleted meanwhile
	b.mu.Lock()
	defer b.mu.Unlock()
	slow := time.AfterFunc(slowStart, func() { b.end(podGang) })
	b.leave[podGang] = func() {
		slow.Stop()
		leave()
		b.release(podGang.Namespace)
	}
	return nil
}

// use returns the gate of a namespace, for one more.
func (b *begun) use(namespace string) *apply.Gate {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rooms[namespace] == nil {
		b.rooms[namespace] = &room{gate: apply.NewGate(mostBegun, 0)}
	}
	b.rooms[namespace].users++
	return b.rooms[namespace].gate
}

// release drops the room of a namespace once its last user is gone.
func (b *begun) release(namespace string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rooms[namespace].users--; b.rooms[namespace].users == 0 {
		delete(b.rooms, namespace)
	}
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
