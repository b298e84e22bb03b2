package podcliqueset

import (
	"cmp"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// look adds what a gang has lost, or has come to, to the summary.
func (sums *summary) look(set *v1alpha1.PodCliqueSet, gang *v1alpha1.PodGang) {
	if gang.Status.Phase == v1alpha1.PodGangSucceeded {
		sums.succeeded++
		return
	}
	sums.failed += plan.One(gang.Status.Phase == v1alpha1.PodGangFailed)
	for _, record := range gang.Status.Units {
		if record.BreachedSince == nil && record.TerminatedAt == nil {
			continue
		}
		breach, terminated := plan.BreachOf(set, gang, record.Name), plan.TerminationOf(gang, record.Name)
		lost := cmp.Or(breach, terminated)
		switch {
		case lost == "":
		case record.Name == gang.Name:
			sums.degraded++
			if sums.breach == "" {
				sums.breach, sums.terminated = lost, breach == ""
			}
		default:
			sums.scaledLost++
			sums.scaledBreach = cmp.Or(sums.scaledBreach, lost)
		}
	}
}

// setDegraded says which replica has lost its minimum. What scaled units have lost leaves the set available, and is told all the same.
func (sums *summary) setDegraded(conditions *plan.Conditions) {
	switch {
	case sums.degraded == 0 && sums.scaledBreach == "":
		conditions.SetBool(v1alpha1.ConditionDegraded, false, v1alpha1.ReasonSufficientReplicas, "no replica has lost its minimum of pods")
	case sums.degraded == 0:
		conditions.SetBool(v1alpha1.ConditionDegraded, false, v1alpha1.ReasonSufficientReplicas, "every replica has its minimum; "+sums.scaledBreach+more(sums.scaledLost, "unit"))
	case sums.terminated:
		conditions.SetBool(v1alpha1.ConditionDegraded, true, v1alpha1.ReasonGangTerminated, sums.breach+more(sums.degraded, "replica"))
	default:
		conditions.SetBool(v1alpha1.ConditionDegraded, true, v1alpha1.ReasonMinAvailableBreached, sums.breach+more(sums.degraded, "replica"))
	}
}

// more says of how many others what was said of the first is true, too; each has times of its own, which its PodGang tells.
func more(all int32, what string) string {
	switch all {
	case 0, 1:
		return ""
	case 2:
		return " (and 1 more " + what + ")"
	default:
		return fmt.Sprintf(" (and %d more %ss)", all-1, what)
	}
}

// waitingSince is since when a replica waits that isn't available.
func waitingSince(gang *v1alpha1.PodGang, why string) *metav1.Time {
	if why == "" {
		return nil
	}
	record, since := plan.UnitRecord(gang, gang.Name), gang.CreationTimestamp
	switch {
	case record.BreachedSince != nil:
		since = metav1.NewTime(record.BreachedSince.Time)
	case record.AvailableSince != nil:
		// Its pods start anew, and are no fewer than its minimum.
		return nil
	case record.TerminatedAt != nil:
		since = metav1.NewTime(record.TerminatedAt.Time)
	}
	since = since.Rfc3339Copy()
	return &since
}
