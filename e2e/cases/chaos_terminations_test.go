package cases

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
)

func TestUnjustified(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(after time.Duration) *metav1.MicroTime { return &metav1.MicroTime{Time: began.Add(after)} }
	available := v1alpha1.UnitStatus{Name: "web-0", AvailableSince: at(-time.Hour)}
	breached := v1alpha1.UnitStatus{Name: "web-0", AvailableSince: at(-time.Hour), BreachedSince: at(0)}
	ended := func(after time.Duration) v1alpha1.UnitStatus {
		return v1alpha1.UnitStatus{Name: "web-0", TerminatedAt: at(after), Restarts: 1}
	}
	for name, test := range map[string]struct {
		before []v1alpha1.UnitStatus
		after  v1alpha1.UnitStatus
		want   string
	}{
		"nothing happens":         {[]v1alpha1.UnitStatus{available}, breached, ""},
		"at the deadline":         {[]v1alpha1.UnitStatus{breached}, ended(time.Minute), ""},
		"before":                  {[]v1alpha1.UnitStatus{breached}, ended(time.Minute - time.Microsecond), "was in breach since"},
		"without a breach":        {[]v1alpha1.UnitStatus{available}, ended(time.Minute), "wasn't in breach"},
		"without a termination":   {[]v1alpha1.UnitStatus{breached}, v1alpha1.UnitStatus{Name: "web-0", Restarts: 1}, "wasn't terminated"},
		"of a gang not seen yet":  {nil, ended(0), ""},
		"that was ended long ago": {[]v1alpha1.UnitStatus{ended(0)}, ended(0), ""},
	} {
		if got := unjustified(test.before, []v1alpha1.UnitStatus{test.after}, time.Minute); !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
