package apply

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/controllers/plan"
)

func TestReports(t *testing.T) {
	before := &metav1.ObjectMeta{Namespace: "ns", Name: "web", UID: "1", Generation: 1}
	successor := &metav1.ObjectMeta{Namespace: "ns", Name: "web", UID: "2", Generation: 1}
	refusal := Refuse([]plan.Problem{{Reason: "Refused", Message: "no"}})
	var reports Reports
	if !reports.Set(before, refusal) || reports.Set(before, refusal) {
		t.Error("a report is a change once")
	}
	if got := reports.Get(before); got.Generation != 1 || len(got.Problems) != 1 {
		t.Errorf("reported %+v", got)
	}
	if got := reports.Get(successor); got.Generation != 0 || len(got.Problems) != 0 {
		t.Errorf("the successor takes its predecessor's report: %+v", got)
	}
	if !reports.Set(successor, refusal) {
		t.Error("the same said of a successor is a change")
	}
}

// The first problem is told before all is known, once for each generation, and never says that all is known.
func TestFirstProblems(t *testing.T) {
	refusal := func(message string) error { return Refuse([]plan.Problem{{Reason: "Refused", Message: message}}) }
	owner := &metav1.ObjectMeta{Namespace: "ns", Name: "web", UID: "1", Generation: 1}
	var reports Reports
	if reports.Add(owner, nil) || !reports.Add(owner, refusal("first")) || reports.Add(owner, refusal("second")) {
		t.Error("the first problem is a change, and nothing else")
	}
	if got := reports.Get(owner); got.Of(owner) || len(got.Problems) != 1 || got.Problems[0].Message != "first" {
		t.Errorf("reported %+v", got)
	}
	if !reports.Set(owner, refusal("all")) || reports.Add(owner, refusal("first")) {
		t.Error("all that is known is told, and not its beginning again")
	}
	owner.Generation = 2
	if !reports.Add(owner, refusal("of another spec")) {
		t.Error("what the next generation meets isn't told")
	}
	if got := reports.Get(owner); got.Of(owner) || got.Problems[0].Message != "of another spec" {
		t.Errorf("reported %+v", got)
	}
	if !reports.Set(owner, nil) || len(reports.Get(owner).Problems) > 0 {
		t.Error("what was mended is still told")
	}
}
