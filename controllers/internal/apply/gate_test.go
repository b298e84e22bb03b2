package apply

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// gateOwner is an owner of some age, and of a size by which nobody is preferred.
func gateOwner(namespace, name string, age time.Duration) Owner {
	created := time.Unix(1_000_000, 0).Add(-age)
	return Owner{Object: &metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: metav1.NewTime(created)}}
}

const patience = time.Second

func mustEnter(t *testing.T, gate *Gate, owner Owner) func() {
	t.Helper()
	leave, err := gate.Enter(t.Context(), owner, 1)
	if err != nil {
		t.Fatal(err)
	}
	return leave
}

// Small sets come before large ones, old before young ones, in the order in which they ask, and namespaces take turns.
func TestGateOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := NewGate(Passing, patience)
		var inside []func()
		for range Passing {
			inside = append(inside, mustEnter(t, gate, gateOwner("large", "old", time.Hour)))
		}
		var passed []string
		wait := func(owner Owner, number int) {
			go func() {
				leave := mustEnter(t, gate, owner)
				passed = append(passed, fmt.Sprint(owner.GetNamespace(), "/", owner.GetName(), " ", number))
				leave()
			}()
			synctest.Wait()
		}
		wait(gateOwner("large", "young", time.Minute), 1)
		wait(gateOwner("large", "old", time.Hour), 2)
		wait(gateOwner("large", "old", time.Hour), 3)
		wait(gateOwner("small", "small", 0), 4)
		wait(gateOwner("large", "older", time.Hour+time.Second), 5)
		larger := gateOwner("large", "larger", 2*time.Hour)
		larger.Size = 1000
		wait(larger, 6)
		if len(passed) > 0 {
			t.Fatalf("%q passed while %d were inside", passed, Passing)
		}
		inside[0]()
		synctest.Wait()
		want := []string{"large/older 5", "small/small 4", "large/old 2", "large/old 3", "large/young 1", "large/larger 6"}
		if !slices.Equal(passed, want) {
			t.Errorf("passed in the order %q, want %q", passed, want)
		}
		for _, leave := range inside[1:] {
			leave()
		}
		if gate.passing != 0 || gate.waiting.Len() > 0 {
			t.Errorf("left behind: %d inside, %d waiting", gate.passing, gate.waiting.Len())
		}
	})
}

// Whoever gives up takes nobody's turn.
func TestGateGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := NewGate(Passing, patience)
		var inside []func()
		for range Passing {
			inside = append(inside, mustEnter(t, gate, gateOwner("a", "a", 0)))
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			if _, err := gate.Enter(ctx, gateOwner("a", "a", time.Hour), 1); err == nil {
				t.Error("one that gave up passed")
			}
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		passed := false
		go func() {
			defer mustEnter(t, gate, gateOwner("a", "b", 0))()
			passed = true
		}()
		synctest.Wait()
		inside[0]()
		synctest.Wait()
		if !passed {
			t.Error("the one behind doesn't pass")
		}
	})
}

// What takes long to be answered keeps nobody back, and counts once.
func TestSlowAppliesLeaveTheGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := NewGate(Passing, patience)
		var inside []func()
		for range Passing {
			inside = append(inside, mustEnter(t, gate, gateOwner("slow", "webhook", time.Hour)))
		}
		start := time.Now()
		leave := mustEnter(t, gate, gateOwner("quick", "set", 0))
		if waited := time.Since(start); waited != patience {
			t.Errorf("waited for %s, want %s", waited, patience)
		}
		for _, leave := range append(inside, leave, leave) {
			leave()
		}
		if gate.passing != 0 {
			t.Errorf("%d are inside when all have left", gate.passing)
		}
	})
}

// However heavy one is, it passes once the gate has room, and none after it until there is room again.
func TestGateWeighs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := NewGate(10, 0)
		var mu sync.Mutex
		passed := map[int]func(){}
		for _, weight := range []int{9, 30, 4, 5, 6} {
			go func() {
				leave, err := gate.Enter(t.Context(), gateOwner("a", "a", 0), weight)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				passed[weight] = leave
			}()
			synctest.Wait()
		}
		for _, step := range []struct{ leaves, inside int }{{9, 1}, {30, 3}, {4, 2}, {5, 1}, {6, 0}} {
			leave := passed[step.leaves]
			delete(passed, step.leaves)
			leave()
			synctest.Wait()
			if len(passed) != step.inside {
				t.Errorf("after the one of %d has left, %d are inside, want %d", step.leaves, len(passed), step.inside)
			}
		}
	})
}

func TestNoGate(t *testing.T) {
	var gate *Gate
	mustEnter(t, gate, gateOwner("a", "a", 0))()
}
