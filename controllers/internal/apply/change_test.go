package apply

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
)

func TestChangeIsOfWhatWasRead(t *testing.T) {
	applied := "apply a uid a-uid version 5"
	for name, test := range map[string]struct {
		answer error
		calls  []string
		want   func(err error) bool
	}{
		"taken":                 {nil, []string{applied}, func(err error) bool { return err == nil }},
		"gone":                  {apierrors.NewNotFound(schema.GroupResource{}, "a"), []string{applied}, func(err error) bool { return err == nil }},
		"changed":               {apierrors.NewConflict(schema.GroupResource{}, "a", nil), []string{applied}, apierrors.IsConflict},
		"forbidden for now":     {apierrors.NewForbidden(schema.GroupResource{}, "a", nil), []string{applied}, isRefused},
		"invalid, so made anew": {apierrors.NewInvalid(schema.GroupKind{}, "a", nil), []string{applied, "delete a uid a-uid"}, func(err error) bool { return err == nil }},
	} {
		t.Run(name, func(t *testing.T) {
			read := account("a", "somebody else")
			kind, client, owner := recorded(t, read)
			client.answer = test.answer
			err := kind.Change(t.Context(), owner, []*corev1.ServiceAccount{read}, []*corev1ac.ServiceAccountApplyConfiguration{wantedAccount("a")})
			if one, ok := err.(utilerrors.Aggregate); ok {
				err = one.Errors()[0]
			}
			if !test.want(err) {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(test.calls, client.take()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}
