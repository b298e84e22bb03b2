package events

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/events"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

func TestTransitions(t *testing.T) {
	born := metav1.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	soon, later := metav1.NewTime(born.Add(young/2)), metav1.NewTime(born.Add(2*young))
	condition := func(kind string, status metav1.ConditionStatus, generation int64, message string) []metav1.Condition {
		return []metav1.Condition{{Type: kind, Status: status, ObservedGeneration: generation, Reason: "Reason", Message: message, LastTransitionTime: later}}
	}
	atOnce := condition(v1alpha1.ConditionAvailable, "True", 1, "1 of 1")
	atOnce[0].LastTransitionTime = soon
	noField := condition(v1alpha1.ConditionGangScheduling, "False", 1, "no field")
	noField[0].Reason = v1alpha1.ReasonSchedulingGroupMissing
	updating := func(conditions []metav1.Condition) []metav1.Condition {
		return append(conditions, metav1.Condition{Type: v1alpha1.ConditionProgressing, Status: "True", Reason: v1alpha1.ReasonUpdating})
	}
	const available, applied, gangs = v1alpha1.ConditionAvailable, v1alpha1.ConditionResourcesApplied, v1alpha1.ConditionGangScheduling
	for name, test := range map[string]struct {
		before, after []metav1.Condition
		want          string
	}{
		"not available yet":      {nil, condition(available, "False", 1, "0 of 1"), ""},
		"available":              {condition(available, "False", 1, "0 of 1"), condition(available, "True", 1, "1 of 1"), "Normal Reason 1 of 1"},
		"available at once":      {condition(available, "False", 1, "0 of 1"), atOnce, ""},
		"still available":        {condition(available, "True", 1, "1 of 1"), condition(available, "True", 2, "2 of 2"), ""},
		"lost by accident":       {condition(available, "True", 1, "1 of 1"), condition(available, "False", 1, "0 of 1"), "Normal Reason 0 of 1"},
		"lost by scaling out":    {condition(available, "True", 1, "1 of 1"), condition(available, "False", 2, "1 of 2"), "Normal Reason 1 of 2"},
		"taken by an update":     {condition(available, "True", 1, "1 of 1"), updating(condition(available, "False", 1, "0 of 1")), ""},
		"back at its end":        {updating(condition(available, "False", 1, "0 of 1")), condition(available, "True", 1, "1 of 1"), ""},
		"refused in an update":   {updating(condition(applied, "True", 1, "")), updating(condition(applied, "False", 1, "x is taken")), "Warning Reason x is taken"},
		"applied at once":        {nil, condition(applied, "True", 1, ""), ""},
		"refused at once":        {nil, condition(applied, "False", 1, "x is taken"), "Warning Reason x is taken"},
		"refused in other words": {condition(applied, "False", 1, "used: 5"), condition(applied, "False", 1, "used: 6"), ""},
		"refused as before":      {condition(applied, "False", 1, "x is taken"), condition(applied, "False", 2, "x is taken"), ""},
		"applied in the end":     {condition(applied, "False", 1, "x is taken"), condition(applied, "True", 1, ""), "Normal Reason "},
		"being applied":          {nil, condition(applied, "Unknown", 1, "children are being applied"), ""},
		"known to be applied":    {condition(applied, "Unknown", 1, "children are being applied"), condition(applied, "True", 1, ""), ""},
		"refused after a while":  {condition(applied, "Unknown", 1, "children are being applied"), condition(applied, "False", 1, "x is taken"), "Warning Reason x is taken"},
		"not known any more":     {condition(applied, "True", 1, ""), condition(applied, "Unknown", 1, "children are being applied"), ""},
		"gangs at once":          {nil, condition(gangs, "True", 1, ""), ""},
		"no gangs":               {condition(gangs, "True", 1, ""), noField, "Warning SchedulingGroupMissing no field"},
		"still no gangs":         {noField, noField, ""},
		"of no interest":         {condition("Progressing", "False", 1, ""), condition("Progressing", "True", 1, ""), ""},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := events.NewFakeRecorder(1)
			set := &v1alpha1.PodCliqueSet{ObjectMeta: metav1.ObjectMeta{Generation: test.after[0].ObservedGeneration, CreationTimestamp: born}}
			Transitions(recorder, set, test.before, test.after)
			close(recorder.Events)
			if diff := cmp.Diff(test.want, <-recorder.Events); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// That the cluster or the operator hasn't gangs is said by the condition, and is no news of any gang.
func TestNoGangsAnywhereIsNoEvent(t *testing.T) {
	for _, reason := range []string{v1alpha1.ReasonNotServed, v1alpha1.ReasonDisabled} {
		recorder := events.NewFakeRecorder(1)
		Transitions(recorder, &v1alpha1.PodGang{}, nil, []metav1.Condition{{Type: v1alpha1.ConditionGangScheduling, Status: metav1.ConditionFalse, Reason: reason}})
		if len(recorder.Events) > 0 {
			t.Errorf("%s: %s", reason, <-recorder.Events)
		}
	}
}

// What is told of two units at the same time are two events: a recorder that takes them for one keeps the words of the first.
func TestNewsOfTwoUnitsAreTwoEvents(t *testing.T) {
	set := &v1alpha1.PodCliqueSet{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "ns", UID: "1"}, TypeMeta: metav1.TypeMeta{APIVersion: "grove.io/v1alpha1", Kind: "PodCliqueSet"}}
	gang := &v1alpha1.PodGang{ObjectMeta: metav1.ObjectMeta{Name: "web-0", Namespace: "ns", UID: "2"}}
	kube := fake.NewClientset()
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: kube.EventsV1()})
	defer broadcaster.Shutdown()
	if err := broadcaster.StartRecordingToSinkWithContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	recorder := broadcaster.NewRecorder(runtime.NewScheme(), "grove")
	for _, unit := range []string{"web-0", "web-0-g-1"} {
		Tell(recorder, set, PartOf(gang, "status.units["+unit+"]"), plan.News{Reason: "Broken", Message: unit, Bad: true})
	}
	var notes []string
	err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, 10*time.Second, true, func(ctx context.Context) (bool, error) {
		list, err := kube.EventsV1().Events("ns").List(ctx, metav1.ListOptions{})
		notes = nil
		for _, event := range list.Items {
			notes = append(notes, event.Type+" "+event.Note)
		}
		return len(notes) == 2, err
	})
	slices.Sort(notes)
	if diff := cmp.Diff([]string{"Warning web-0", "Warning web-0-g-1"}, notes); diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
