package apply

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
)

func TestWhatWasRefusedIsNotSentAgain(t *testing.T) {
	a := newAccounts(t)
	a.create(nil)
	if sent, problems := a.apply(); sent == "" || len(problems) != 1 {
		t.Errorf("sent %q, problems %v", sent, problems)
	}
	if sent, problems := a.apply(); sent != "" || len(problems) != 1 {
		t.Errorf("again, sent %q, problems %v", sent, problems)
	}
	changed := a.wanted().WithAnnotations(map[string]string{"new": "1"})
	if _, err := Problems(a.Kind.Apply(t.Context(), a.owner, changed)); err != nil {
		t.Error(err)
	}
	if sent := a.writes.take(); sent == "" {
		t.Error("sent nothing though the child has changed")
	}
}

func TestWhatTheAPIServerRefusesIsAProblem(t *testing.T) {
	a := newAccounts(t)
	invalid := a.wanted().WithLabels(map[string]string{"no good": ""})
	problems, err := Problems(a.Kind.Apply(t.Context(), a.owner, invalid))
	if err != nil || len(problems) != 1 || problems[0].Reason != v1alpha1.ReasonInvalidChild || !strings.Contains(problems[0].Message, `"no good"`) {
		t.Errorf("problems %v, error %v", problems, err)
	}
}

// What the caller repeats of what it has read is remembered to be refused, too.
func TestWhatWasRefusedIsNotSentAgainAsRead(t *testing.T) {
	a := newAccounts(t)
	a.apply()
	read := map[string]*corev1.ServiceAccount{"child": a.get()}
	a.writes.take()
	for _, sent := range []string{"PATCH", ""} {
		invalid := a.wanted().WithLabels(map[string]string{"no good": ""})
		problems, err := Problems(a.AllRead(t.Context(), a.owner, []*corev1ac.ServiceAccountApplyConfiguration{invalid}, read))
		if got := a.writes.take(); got != sent || len(problems) != 1 || err != nil {
			t.Errorf("sent %q, want %q; problems %v, error %v", got, sent, problems, err)
		}
	}
}

func TestTooLargeIsAProblem(t *testing.T) {
	for what, err := range map[string]error{
		"etcd":           apierrors.NewInternalError(errors.New("etcdserver: request is too large")),
		"etcd's client":  apierrors.NewInternalError(errors.New("rpc error: code = ResourceExhausted desc = trying to send message larger than max (2 vs. 1)")),
		"the API server": apierrors.NewRequestEntityTooLargeError("limit is 3145728"),
	} {
		if !isTooLarge(err) {
			t.Errorf("what %s says isn't recognised: %v", what, err)
		}
	}
	if isTooLarge(nil) || isTooLarge(apierrors.NewInternalError(errors.New("etcdserver: leader changed"))) {
		t.Error("any error is taken for one that says that an object is too large")
	}
}
