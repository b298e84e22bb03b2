package apply

import (
	"context"
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/component-base/metrics/testutil"

	"grove.io/grove/controllers/internal/metrics"
)

func TestResults(t *testing.T) {
	things := schema.GroupResource{Resource: "things"}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"no error":              {nil, metrics.Success},
		"conflict":              {apierrors.NewConflict(things, "a", errors.New("changed")), metrics.Conflict},
		"not found":             {apierrors.NewNotFound(things, "a"), metrics.Gone},
		"namespace terminating": {terminatingNamespace(), metrics.Gone},
		"forbidden":             {apierrors.NewForbidden(things, "a", errors.New("exceeded quota")), metrics.Refused},
		"invalid":               {apierrors.NewInvalid(schema.GroupKind{Kind: "Thing"}, "a", nil), metrics.Refused},
		"bad request":           {apierrors.NewBadRequest("no"), metrics.Refused},
		"too large":             {tooLargeForEtcd, metrics.Refused},
		"server error":          {apierrors.NewInternalError(errors.New("no luck")), metrics.Failed},
		"no answer":             {context.DeadlineExceeded, metrics.Failed},
	} {
		if got := resultOf(test.err); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// What is sent is counted, and only that: what was refused a moment ago isn't sent again.
func TestApplyRequestsAreCounted(t *testing.T) {
	counted := func(result string) float64 {
		got, err := testutil.GetCounterValuesFromGatherer(legacyregistry.DefaultGatherer, "grove_apply_requests_total",
			map[string]string{"kind": "ServiceAccount", "result": result}, "subresource")
		if err != nil {
			t.Fatal(err)
		}
		return got[""]
	}
	kind, client, owner := recorded(t)
	success, refused := counted(metrics.Success), counted(metrics.Refused)
	if err := kind.Apply(t.Context(), owner, wantedAccount("a")); err != nil {
		t.Fatal(err)
	}
	client.answer = tooLargeForEtcd
	for range 2 {
		if problems, _ := Problems(kind.Apply(t.Context(), owner, wantedAccount("b"))); len(problems) != 1 {
			t.Errorf("problems %v", problems)
		}
	}
	if success, refused = counted(metrics.Success)-success, counted(metrics.Refused)-refused; success != 1 || refused != 1 {
		t.Errorf("counted %v applied and %v refused, want one of each", success, refused)
	}
}
