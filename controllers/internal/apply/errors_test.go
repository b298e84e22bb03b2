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
