package apply

import (
	"context"
	"errors"
	"net/http"
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

// tooLargeForEtcd is what the API server says when etcd refuses: an internal error.
var tooLargeForEtcd = apierrors.NewInternalError(errors.New("etcdserver: request is too large"))

func terminatingNamespace() error {
	err := apierrors.NewForbidden(schema.GroupResource{Resource: "things"}, "s", errors.New("the namespace is being terminated"))
	err.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	return err
}

func TestStatusWrite(t *testing.T) {
	changed := v1alpha1.PodCliqueSetStatus{Replicas: 1}
	for name, test := range map[string]struct {
		status  v1alpha1.PodCliqueSetStatus
		urgency plan.Urgency
		answer  error
		// silent is set where people wait for the first words, and made is how many objects are about to be made.
		silent bool
		made   int

		sent    int
		wait    time.Duration
		problem string
		fails   bool
		held    bool
	}{
		"unchanged":                {urgency: plan.Urgent},
		"of no hurry":              {status: changed, urgency: plan.Numbers, wait: ShortestHold, held: true},
		"beside many":              {status: changed, urgency: plan.Numbers, made: 1000, wait: LongestHold, held: true},
		"first words beside many":  {status: changed, urgency: plan.Numbers, made: 1000, silent: true, wait: ShortestHold, held: true},
		"urgent":                   {status: changed, urgency: plan.Urgent, sent: 1},
		"of what is gone":          {status: changed, urgency: plan.Urgent, sent: 1, answer: apierrors.NewNotFound(schema.GroupResource{}, "s")},
		"in a namespace that goes": {status: changed, urgency: plan.Urgent, sent: 1, answer: terminatingNamespace()},
		"too large for etcd":       {status: changed, urgency: plan.Urgent, sent: 1, answer: tooLargeForEtcd, problem: v1alpha1.ReasonTooLarge},
		"too large for a request": {status: changed, urgency: plan.Urgent, sent: 1, problem: v1alpha1.ReasonTooLarge,
			answer: apierrors.NewRequestEntityTooLargeError("limit is 3145728")},
		"of no luck": {status: changed, urgency: plan.Urgent, sent: 1, answer: apierrors.NewInternalError(http.ErrHandlerTimeout), fails: true, held: true},
	} {
		t.Run(name, func(t *testing.T) {
			var pace Pace
			pace.Expect(test.made)
			sent := 0
			recorder := events.NewFakeRecorder(1)
			statuses := &Status[*v1alpha1.PodCliqueSet, v1alpha1.PodCliqueSetStatus]{
				manager: "grove-test" + statusSuffix, cache: cache.NewStore(cache.MetaNamespaceKeyFunc), pace: &pace, recorder: recorder,
				of:         func(set *v1alpha1.PodCliqueSet) *v1alpha1.PodCliqueSetStatus { return &set.Status },
				conditions: func(status *v1alpha1.PodCliqueSetStatus) []metav1.Condition { return status.Conditions },
				send: func(_ context.Context, set *v1alpha1.PodCliqueSet, _ *v1alpha1.PodCliqueSetStatus, _ bool, options metav1.ApplyOptions) (*v1alpha1.PodCliqueSet, error) {
					if sent++; options.FieldManager != "grove-test-status" || !options.Force {
						t.Errorf("applied with %+v", options)
					}
					written := set.DeepCopy()
					written.ResourceVersion = "7"
					return written, test.answer
				},
			}
			statuses.Silent = func(*v1alpha1.PodCliqueSetStatus) bool { return test.silent }
			set := &v1alpha1.PodCliqueSet{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "s", UID: "1"}}
			wait, err := statuses.Write(t.Context(), set, &test.status, test.urgency, start)
			problems, rest := Problems(err)
			reason := ""
			if len(problems) > 0 {
				reason = problems[0].Reason
			}
			if wait != test.wait || sent != test.sent || reason != test.problem || (rest != nil) != test.fails {
				t.Errorf("waits %s, sent %d, problems %v, error %v", wait, sent, problems, rest)
			}
			if held := len(pace.held) > 0; held != test.held {
				t.Errorf("held: %v", held)
			}
			// A status that can't be written can't say so.
			if warned := len(recorder.Events) > 0; warned != (test.problem != "") {
				t.Errorf("warned: %v", warned)
			}
		})
	}
}

// Until the cache has the status that was written, another computed from it would be the same once more.
func TestStatusIsFreshOnceTheCacheHasIt(t *testing.T) {
	store := cache.NewStore(cache.MetaNamespaceKeyFunc)
	store.Bookmark("6")
	statuses := &Status[*v1alpha1.PodCliqueSet, v1alpha1.PodCliqueSetStatus]{
		cache: store, pace: &Pace{}, recorder: events.NewFakeRecorder(1),
		of:         func(set *v1alpha1.PodCliqueSet) *v1alpha1.PodCliqueSetStatus { return &set.Status },
		conditions: func(status *v1alpha1.PodCliqueSetStatus) []metav1.Condition { return status.Conditions },
		send: func(_ context.Context, set *v1alpha1.PodCliqueSet, _ *v1alpha1.PodCliqueSetStatus, _ bool, _ metav1.ApplyOptions) (*v1alpha1.PodCliqueSet, error) {
			written := set.DeepCopy()
			written.ResourceVersion = "7"
			return written, nil
		},
	}
	set := &v1alpha1.PodCliqueSet{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "s", UID: "1"}}
	key := cache.MetaObjectToName(set)
	for _, again := range []func(){
		func() { store.Bookmark("7") },
		func() { _ = statuses.Gone(t.Context(), key) },
	} {
		if _, err := statuses.Write(t.Context(), set, &v1alpha1.PodCliqueSetStatus{Replicas: 1}, plan.Urgent, start); err != nil {
			t.Fatal(err)
		}
		if store.LastStoreSyncResourceVersion() == "6" && statuses.Fresh(key) {
			t.Error("fresh before the cache has the status")
		}
		again()
		if !statuses.Fresh(key) {
			t.Error("not fresh though the cache has the status, or the object is gone")
		}
	}
}
