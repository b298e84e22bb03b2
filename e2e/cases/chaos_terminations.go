package cases

import (
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apitypes "k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"

	"grove.io/grove/apis/client/clientset/versioned"
	"grove.io/grove/apis/grove/v1alpha1"
)

// defaultDelay is the terminationDelay of a set that has none.
const defaultDelay = 4 * time.Hour

// unjustified says which unit was terminated from one status of a PodGang to the next without having been in breach for its whole delay.
func unjustified(before, after []v1alpha1.UnitStatus, delay time.Duration) string {
	was := map[string]v1alpha1.UnitStatus{}
	for _, record := range before {
		was[record.Name] = record
	}
	for _, record := range after {
		earlier, known := was[record.Name]
		switch {
		case !known || record.Restarts <= earlier.Restarts:
		case record.TerminatedAt == nil:
			return fmt.Sprintf("unit %s counts %d restarts after %d, and wasn't terminated", record.Name, record.Restarts, earlier.Restarts)
		case earlier.BreachedSince == nil:
			return fmt.Sprintf("unit %s was terminated at %s, and wasn't in breach", record.Name, record.TerminatedAt)
		case record.TerminatedAt.Sub(earlier.BreachedSince.Time) < delay:
			return fmt.Sprintf("unit %s was terminated at %s, and was in breach since %s only; its delay is %s", record.Name, record.TerminatedAt, earlier.BreachedSince, delay)
		}
	}
	return ""
}

// terminations looks at every status that PodGangs have, and remembers what of it can't be right.
type terminations struct {
	grove     versioned.Interface
	namespace string
	// delay is the terminationDelay of a set.
	delay func(set string) time.Duration

	mu sync.Mutex
	// count is how many terminations were seen.
	count  int
	faults []string
	// last are the records that each PodGang had when it was seen last.
	last map[apitypes.UID][]v1alpha1.UnitStatus
}

// watchTerminations begins to look, until the end of the test.
func (c *chaos) watchTerminations() *terminations {
	delays := map[string]time.Duration{}
	for _, set := range c.sets() {
		delays[set.Name] = defaultDelay
		if delay := set.Spec.Template.TerminationDelay; delay != nil {
			delays[set.Name] = delay.Duration
		}
	}
	t := &terminations{grove: c.grove, namespace: c.namespace, delay: func(set string) time.Duration { return delays[set] }}
	ctx, stop := context.WithCancel(c.ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		wait.UntilWithContext(ctx, t.look, pollPeriod)
	}()
	c.Cleanup(func() {
		stop()
		<-ended
	})
	return t
}

// look lists PodGangs and watches them until the watch ends, as it does with the API server. What it missed meanwhile it doesn't judge.
func (t *terminations) look(ctx context.Context) {
	gangs := t.grove.GroveV1alpha1().PodGangs(t.namespace)
	list, err := gangs.List(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	t.mu.Lock()
	t.last = map[apitypes.UID][]v1alpha1.UnitStatus{}
	for _, gang := range list.Items {
		t.last[gang.UID] = gang.Status.Units
	}
	t.mu.Unlock()
	events, err := gangs.Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	if err != nil {
		return
	}
	defer events.Stop()
	for event := range events.ResultChan() {
		gang, ok := event.Object.(*v1alpha1.PodGang)
		if !ok || event.Type == watch.Error {
			return
		}
		t.see(gang)
	}
}

func (t *terminations) see(gang *v1alpha1.PodGang) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.last[gang.UID]
	if fault := unjustified(before, gang.Status.Units, t.delay(gang.Labels[v1alpha1.LabelPodCliqueSet])); fault != "" {
		t.faults = append(t.faults, "PodGang "+gang.Name+": "+fault)
	}
	for _, record := range before {
		for _, now := range gang.Status.Units {
			if now.Name == record.Name && now.Restarts > record.Restarts {
				t.count++
			}
		}
	}
	t.last[gang.UID] = gang.Status.Units
}

// check fails the test if a unit was terminated that should not have been, and says how many were.
func (t *terminations) check(c *chaos) {
	c.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, fault := range t.faults {
		c.Errorf("seed %d: %s", c.seed, fault)
	}
	c.Logf("%s %d terminations so far", time.Now().Format(clock), t.count)
}
