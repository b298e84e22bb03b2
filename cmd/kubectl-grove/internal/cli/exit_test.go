package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestExit(t *testing.T) {
	missing := apierrors.NewNotFound(schema.GroupResource{Group: "grove.io", Resource: "podcliquesets"}, "web")
	for _, test := range []struct {
		err  error
		code int
		says string
	}{
		{nil, 0, ""},
		{Code(2), 2, ""},
		{fmt.Errorf("wrapped: %w", Code(3)), 3, ""},
		{errors.New("no such clique"), 1, "error: no such clique\n"},
		{missing, 1, "Error from server (NotFound): podcliquesets.grove.io \"web\" not found\n"},
		{fmt.Errorf("looking: %w", context.Canceled), 130, ""},
	} {
		var w bytes.Buffer
		if code := Exit(&w, test.err); code != test.code || w.String() != test.says {
			t.Errorf("Exit(%v) = %d and says %q; want %d and %q", test.err, code, w.String(), test.code, test.says)
		}
	}
}
