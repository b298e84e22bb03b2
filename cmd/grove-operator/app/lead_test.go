package app

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/utils/ptr"
)

const leaseSpace = "grove-system"

// election is one replica that leads, and whose work takes its time to end.
type election struct {
	kube *fake.Clientset
	// unwilling is while the API server refuses renewals; it would let a leader release its lease.
	unwilling atomic.Bool
	// stopping is closed once the work was asked to end, and it ends when finish is closed.
	stopping, finish chan struct{}
	// result receives what lead returns.
	result chan error
}

func startElection(ctx context.Context) *election {
	e := &election{kube: fake.NewClientset(), stopping: make(chan struct{}), finish: make(chan struct{}), result: make(chan error, 1)}
	e.kube.PrependReactor("update", "leases", func(action clienttesting.Action) (bool, runtime.Object, error) {
		renewal := holderOf(action.(clienttesting.UpdateAction).GetObject().(*coordinationv1.Lease)) != ""
		return renewal && e.unwilling.Load(), nil, errors.New("no renewals")
	})
	o := Options{LeaderElectNamespace: leaseSpace, LeaseDuration: 15 * time.Second}
	go func() {
		e.result <- lead(ctx, o, e.kube.CoordinationV1(), func(working context.Context) error {
			<-working.Done()
			close(e.stopping)
			<-e.finish
			return nil
		})
	}()
	return e
}

// lease is as the API server has it.
func (e *election) lease(t *testing.T) *coordinationv1.Lease {
	t.Helper()
	obj, err := e.kube.Tracker().Get(coordinationv1.SchemeGroupVersion.WithResource("leases"), leaseSpace, leaseName)
	if err != nil {
		t.Fatal(err)
	}
	return obj.(*coordinationv1.Lease)
}

func (e *election) holder(t *testing.T) string {
	t.Helper()
	return holderOf(e.lease(t))
}

func holderOf(lease *coordinationv1.Lease) string { return ptr.Deref(lease.Spec.HolderIdentity, "") }

// A leader that can't renew its lease holds it for as long as its work goes on.
func TestLostLeaseIsReleasedAfterTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := startElection(t.Context())
		time.Sleep(time.Minute)
		holder := e.holder(t)
		e.unwilling.Store(true)
		<-e.stopping
		e.unwilling.Store(false)
		time.Sleep(2 * time.Minute)
		if got := e.holder(t); got == "" || got != holder {
			t.Errorf("the lease is held by %q while %q still works", got, holder)
		}
		close(e.finish)
		if err := <-e.result; !errors.Is(err, errLeaseLost) {
			t.Errorf("led: %v; want %v", err, errLeaseLost)
		}
		if got := e.holder(t); got != "" {
			t.Errorf("the lease is held by %q after the work", got)
		}
	})
}

// A leader that is asked to end renews its lease until its work has ended, and releases it then.
func TestLeaseIsRenewedUntilTheWorkHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		e := startElection(ctx)
		time.Sleep(time.Minute)
		end()
		<-e.stopping
		time.Sleep(2 * time.Minute)
		if lease := e.lease(t); e.holder(t) == "" || time.Since(lease.Spec.RenewTime.Time) > 15*time.Second {
			t.Errorf("the lease is %v long after the work was asked to end", lease.Spec)
		}
		close(e.finish)
		if err := <-e.result; err != nil {
			t.Errorf("led: %v", err)
		}
		if got := e.holder(t); got != "" {
			t.Errorf("the lease is held by %q after the work", got)
		}
	})
}

// What another has taken isn't released.
func TestLeaseOfAnotherIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := startElection(t.Context())
		time.Sleep(time.Minute)
		e.unwilling.Store(true)
		<-e.stopping
		e.unwilling.Store(false)
		lease := e.lease(t).DeepCopy()
		lease.Spec.HolderIdentity = ptr.To("another")
		if _, err := e.kube.CoordinationV1().Leases(leaseSpace).Update(t.Context(), lease, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		close(e.finish)
		if err := <-e.result; !errors.Is(err, errLeaseLost) {
			t.Errorf("led: %v; want %v", err, errLeaseLost)
		}
		if got := e.holder(t); got != "another" {
			t.Errorf("the lease is held by %q; want another", got)
		}
	})
}

// Who never led ends at once, whatever the API server does.
func TestReplicaThatWaitsEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := startElection(t.Context())
		time.Sleep(time.Minute)
		ctx, end := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() {
			result <- lead(ctx, Options{LeaderElectNamespace: leaseSpace, LeaseDuration: 15 * time.Second}, first.kube.CoordinationV1(),
				func(context.Context) error { return errors.New("two replicas work") })
		}()
		time.Sleep(2 * time.Minute)
		asked := time.Now()
		end()
		if err := <-result; err != nil || time.Since(asked) > 0 {
			t.Errorf("led: %v, %s after it was asked to end", err, time.Since(asked))
		}
		if first.holder(t) == "" {
			t.Error("the lease of another was released")
		}
		first.unwilling.Store(true)
		close(first.finish)
		<-first.result
	})
}
