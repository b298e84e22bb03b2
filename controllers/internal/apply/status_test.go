package apply

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

func object(n int) described {
	return described{manager: "test", name: cache.NewObjectName("ns", fmt.Sprint(n))}
}

func TestPace(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var pace Pace
	expect := func(what string, got, want time.Duration) {
		t.Helper()
		if got != want {
			t.Errorf("%s: held for %s; want %s", what, got, want)
		}
	}
	expect("alone", pace.hold(object(0), plan.Numbers, now), ShortestHold)
	expect("alone, later, in other words", pace.hold(object(0), plan.Words, now.Add(ShortestHold/2)), ShortestHold/2)
	expect("in the end", pace.hold(object(0), plan.Words, now.Add(ShortestHold)), 0)
	expect("urgent", pace.hold(object(1), plan.Urgent, now), 0)
	for n := range 100 {
		pace.hold(object(n), plan.Numbers, now)
	}
	expect("beside a hundred", pace.hold(object(0), plan.Numbers, now), 100*time.Second/statusesPerSecond)
	for n := range 5000 {
		pace.hold(object(n), plan.Numbers, now)
	}
	expect("beside thousands", pace.hold(object(0), plan.Numbers, now), LongestHold)
	for n := range 5000 {
		pace.release(object(n))
	}
	expect("after all were written", pace.hold(object(0), plan.Numbers, now), ShortestHold)
	if len(pace.held) != 1 {
		t.Errorf("%d objects are remembered, of which 1 is held", len(pace.held))
	}
}

func TestWriteStatus(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	terminating := apierrors.NewForbidden(schema.GroupResource{}, "web", errors.New("going"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	for name, test := range map[string]struct {
		replicas int32
		urgency  plan.Urgency
		err      error
		wait     time.Duration
		sent     int
		problem  bool
		fails    bool
	}{
		"unchanged":                {replicas: 0},
		"held":                     {replicas: 1, urgency: plan.Numbers, wait: ShortestHold},
		"urgent":                   {replicas: 1, urgency: plan.Urgent, sent: 1},
		"of an object that went":   {replicas: 1, urgency: plan.Urgent, sent: 1, err: apierrors.NewNotFound(schema.GroupResource{}, "web")},
		"in a namespace that goes": {replicas: 1, urgency: plan.Urgent, sent: 1, err: terminating},
		"too large":                {replicas: 1, urgency: plan.Urgent, sent: 1, err: apierrors.NewInternalError(errors.New("etcdserver: request is too large")), problem: true},
		"while the API is away":    {replicas: 1, urgency: plan.Urgent, sent: 1, err: errors.New("connection refused"), fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			sent := 0
			statuses := &Status[*v1alpha1.PodCliqueSet, v1alpha1.PodCliqueSetStatus]{
				manager: "test-status", cache: cache.NewStore(cache.MetaNamespaceKeyFunc), pace: &Pace{}, recorder: events.NewFakeRecorder(1),
				of:         func(set *v1alpha1.PodCliqueSet) *v1alpha1.PodCliqueSetStatus { return &set.Status },
				conditions: func(status *v1alpha1.PodCliqueSetStatus) []metav1.Condition { return status.Conditions },
				send: func(_ context.Context, set *v1alpha1.PodCliqueSet, _ *v1alpha1.PodCliqueSetStatus, options metav1.ApplyOptions) (*v1alpha1.PodCliqueSet, error) {
					sent++
					if options.FieldManager != "test-status" || !options.Force {
						t.Errorf("options %+v", options)
					}
					return set, test.err
				},
			}
			set := &v1alpha1.PodCliqueSet{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "web"}}
			wait, err := statuses.Write(t.Context(), set, &v1alpha1.PodCliqueSetStatus{Replicas: test.replicas}, test.urgency, now)
			problems, rest := Problems(err)
			if wait != test.wait || sent != test.sent || (len(problems) > 0) != test.problem || (rest != nil) != test.fails {
				t.Errorf("wait %s, %d sent, problems %v, error %v", wait, sent, problems, rest)
			}
			if err := statuses.Gone(t.Context(), cache.MetaObjectToName(set)); err != nil || len(statuses.pace.held) > 0 {
				t.Errorf("%d are held of an object that is gone; error %v", len(statuses.pace.held), err)
			}
		})
	}
}
