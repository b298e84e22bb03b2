package runner

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/component-base/metrics/testutil"
	"k8s.io/klog/v2"

	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/consistency"
	"grove.io/grove/controllers/internal/metrics"
	"grove.io/grove/controllers/plan"
)

var key = cache.NewObjectName("ns", "a")

// syncs runs a controller for a time and returns when it synced a key that was marked once, since the start, and what it
// logged.
func syncs(t *testing.T, span time.Duration, result func(call int) (time.Duration, error)) (times []time.Duration, logged []string) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		logger := funcr.New(func(_, args string) { logged = append(logged, args) }, funcr.Options{})
		ctx, stop := context.WithTimeout(klog.NewContext(t.Context(), logger), span)
		defer stop()
		c := Children("test", func(context.Context, cache.ObjectName) (time.Duration, error) {
			times = append(times, time.Since(start).Round(time.Millisecond))
			return result(len(times))
		})
		c.Mark(key)
		if err := c.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	return times, logged
}

func TestSyncAgain(t *testing.T) {
	times, logged := syncs(t, time.Second, func(call int) (time.Duration, error) {
		if call == 1 {
			return 300 * time.Millisecond, nil
		}
		return 0, nil
	})
	if len(times) != 2 || times[1] != 300*time.Millisecond || len(logged) > 0 {
		t.Errorf("synced at %v, logged %v", times, logged)
	}
}

func TestStatusesWaitForMoreChanges(t *testing.T) {
	var times []time.Duration
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		l := Statuses("test", func(context.Context, cache.ObjectName) (time.Duration, error) {
			times = append(times, time.Since(start))
			return 0, nil
		})
		for _, after := range []time.Duration{0, statusDelay / 2, statusDelay - time.Millisecond, 2 * statusDelay} {
			time.AfterFunc(after, func() { l.Mark(key) })
		}
		if err := l.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	if want := []time.Duration{statusDelay, 3 * statusDelay}; !slices.Equal(times, want) {
		t.Errorf("three changes within the delay, and one after twice that, are described after %v, want %v", times, want)
	}
}

func TestErrorsAreRetriedWithPatience(t *testing.T) {
	times, logged := syncs(t, time.Minute, func(int) (time.Duration, error) { return 0, errors.New("no luck") })
	if n := len(times); n < 8 || n > 20 {
		t.Errorf("synced %d times within a minute", n)
	}
	if len(logged) != len(times) || !strings.Contains(logged[0], "no luck") {
		t.Errorf("%d syncs failed, %d were logged", len(times), len(logged))
	}
}

// Each sync is measured, and each that fails is counted by the reason.
func TestSyncsAreCounted(t *testing.T) {
	took := func() uint64 {
		histogram, err := testutil.GetHistogramVecFromGatherer(legacyregistry.DefaultGatherer, "grove_reconcile_duration_seconds", map[string]string{"loop": "test"})
		if err != nil {
			t.Fatal(err)
		}
		return histogram.GetAggregatedSampleCount()
	}
	errs := func() map[string]float64 {
		counted, err := testutil.GetCounterValuesFromGatherer(legacyregistry.DefaultGatherer, "grove_reconcile_errors_total", map[string]string{"loop": "test"}, "reason")
		if err != nil {
			t.Fatal(err)
		}
		return counted
	}
	Children("test", nil)
	tookBefore, errsBefore := took(), errs()
	answers := []error{
		errors.New("no luck"), apierrors.NewConflict(schema.GroupResource{Resource: "pods"}, "a", nil),
		apply.Refuse([]plan.Problem{{Reason: "Reason", Message: "no"}}), nil,
	}
	syncs(t, time.Minute-time.Second, func(call int) (time.Duration, error) { return 0, answers[call-1] })
	if n := took() - tookBefore; n != uint64(len(answers)) {
		t.Errorf("measured %d syncs, want %d", n, len(answers))
	}
	counted := errs()
	for reason := range counted {
		counted[reason] -= errsBefore[reason]
	}
	if diff := cmp.Diff(map[string]float64{metrics.Failed: 1, metrics.Conflict: 1, metrics.Refused: 1}, counted); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

func TestConflictsAreRetriedQuietly(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{Resource: "pods"}, "a", nil)
	times, logged := syncs(t, time.Second, func(call int) (time.Duration, error) {
		if call == 1 {
			return 0, conflict
		}
		return 0, nil
	})
	if len(times) != 2 || len(logged) > 0 {
		t.Errorf("synced at %v, logged %v", times, logged)
	}
}

func TestAPanicIsAnErrorOfItsKey(t *testing.T) {
	times, logged := syncs(t, time.Second, func(call int) (time.Duration, error) {
		if call == 1 {
			panic("oh")
		}
		return 0, nil
	})
	if len(times) != 2 || len(logged) != 1 || !strings.Contains(logged[0], "panic: oh") || !strings.Contains(logged[0], "runner_test.go") {
		t.Errorf("synced at %v, logged %v", times, logged)
	}
}

func TestProblemsAreTriedAgainLater(t *testing.T) {
	times, logged := syncs(t, time.Minute-time.Second, func(call int) (time.Duration, error) {
		if call == 1 {
			return 0, apply.Refuse([]plan.Problem{{Reason: "Reason", Message: "no"}})
		}
		return 0, nil
	})
	if len(times) != 2 || times[1] != apply.RefusedRetry || strings.Contains(strings.Join(logged, ""), "Sync failed") {
		t.Errorf("synced at %v, logged %v", times, logged)
	}
}

func TestHead(t *testing.T) {
	there := &metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}
	going := &metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, DeletionTimestamp: &metav1.Time{}}
	missing := apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	for name, test := range map[string]struct {
		object *metav1.ObjectMeta
		err    error
		stale  bool
		// deaf heads have nothing to do for what is being deleted.
		deaf  bool
		want  string
		again time.Duration
		fails bool
	}{
		"there":               {object: there, want: "sync", again: time.Hour},
		"there, stale":        {object: there, stale: true, again: consistency.Retry},
		"not found":           {err: missing, want: "gone"},
		"not found, stale":    {err: missing, stale: true, want: "gone"},
		"not read":            {err: errors.New("no luck"), fails: true},
		"ending":              {object: going, want: "ending"},
		"ending, stale":       {object: going, stale: true, again: consistency.Retry},
		"ending, deaf":        {object: going, deaf: true},
		"ending, stale, deaf": {object: going, stale: true, deaf: true},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			head := Head[*metav1.ObjectMeta]{
				Get:    func(cache.ObjectName) (*metav1.ObjectMeta, error) { return test.object, test.err },
				Fresh:  func(cache.ObjectName) bool { return !test.stale },
				Gone:   func(context.Context, cache.ObjectName) error { got += "gone"; return nil },
				Ending: func(context.Context, *metav1.ObjectMeta) error { got += "ending"; return nil },
			}
			if test.deaf {
				head.Ending = nil
			}
			again, err := head.Sync(func(context.Context, *metav1.ObjectMeta) (time.Duration, error) { got += "sync"; return time.Hour, nil })(t.Context(), key)
			if got != test.want || again != test.again || (err != nil) != test.fails {
				t.Errorf("called %q, again after %s, error %v", got, again, err)
			}
		})
	}
}

// A cache that catches up just when it is asked whether it is fresh is read after that.
func TestHeadReadsFreshCaches(t *testing.T) {
	cached := "before"
	head := Head[*metav1.ObjectMeta]{
		Get: func(cache.ObjectName) (*metav1.ObjectMeta, error) {
			return &metav1.ObjectMeta{ResourceVersion: cached}, nil
		},
		Fresh: func(cache.ObjectName) bool { cached = "after"; return true },
	}
	got := ""
	sync := func(_ context.Context, object *metav1.ObjectMeta) (time.Duration, error) {
		got = object.ResourceVersion
		return 0, nil
	}
	if _, err := head.Sync(sync)(t.Context(), key); err != nil || got != "after" {
		t.Errorf("goes on with the object %s, error %v", got, err)
	}
}

func TestNothingIsLeftRunning(t *testing.T) {
	before := runtime.NumGoroutine()
	ctx, stop := context.WithCancel(t.Context())
	synced := make(chan struct{})
	c := Children("test", func(context.Context, cache.ObjectName) (time.Duration, error) { close(synced); return time.Hour, nil })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := c.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	c.Mark(key)
	<-synced
	stop()
	<-ended
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
		}
		runtime.Gosched()
	}
}

func TestSooner(t *testing.T) {
	for _, test := range []struct{ a, b, want time.Duration }{
		{0, 0, 0}, {0, 2, 2}, {1, 0, 1}, {1, 2, 1}, {2, 1, 1},
	} {
		if got := Sooner(test.a, test.b); got != test.want {
			t.Errorf("Sooner(%d, %d) is %d", test.a, test.b, got)
		}
	}
}
