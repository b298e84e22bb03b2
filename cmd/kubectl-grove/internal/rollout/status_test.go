package rollout

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
)

func TestStatusOf(t *testing.T) {
	updating := func(set *v1alpha1.PodCliqueSet) {
		set.Status.RollingUpdateProgress = &v1alpha1.PodCliqueSetRollingUpdateProgress{UpdateStartedAt: &metav1.Time{}}
		set.Status.UpdatedReplicas = 1
	}
	progressing := func(status metav1.ConditionStatus, reason, message string) func(*v1alpha1.PodCliqueSet) {
		return func(set *v1alpha1.PodCliqueSet) {
			set.Status.Conditions = append(set.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionProgressing, Status: status, Reason: reason, Message: message})
		}
	}
	for name, test := range map[string]struct {
		change []func(*v1alpha1.PodCliqueSet)
		words  string
		done   bool
		failed string
	}{
		"done": {words: `podcliqueset "web" successfully rolled out`, done: true},
		"not observed": {change: []func(*v1alpha1.PodCliqueSet){func(s *v1alpha1.PodCliqueSet) { s.Generation++ }},
			words: "Waiting for podcliqueset spec update to be observed..."},
		"updating": {change: []func(*v1alpha1.PodCliqueSet){updating, progressing(metav1.ConditionTrue, v1alpha1.ReasonUpdating, "replica 0 is being updated: its PodCliques take the new podSpecs")},
			words: `Waiting for podcliqueset "web" rollout to finish: 1 of 2 replicas updated; replica 0 is being updated: its PodCliques take the new podSpecs...`},
		"paused": {change: []func(*v1alpha1.PodCliqueSet){updating, progressing(metav1.ConditionFalse, v1alpha1.ReasonPaused, "the update is paused; an update waits for its turn")},
			words: `Waiting for podcliqueset "web" rollout to finish: 1 of 2 replicas updated; the update is paused; an update waits for its turn...`},
		"stopped": {change: []func(*v1alpha1.PodCliqueSet){updating, progressing(metav1.ConditionFalse, v1alpha1.ReasonProgressDeadlineExceeded, "the update got nothing done for 10m0s")},
			failed: `podcliqueset "web" exceeded its progress deadline: the update got nothing done for 10m0s`},
		"OnDelete": {change: []func(*v1alpha1.PodCliqueSet){updating, func(s *v1alpha1.PodCliqueSet) { s.Spec.UpdateStrategy.Type = v1alpha1.OnDelete }},
			failed: `podcliqueset "web" has the update strategy OnDelete: 1 of 2 replicas updated, and pods stay as they are until somebody deletes them`},
		"partition": {change: []func(*v1alpha1.PodCliqueSet){func(s *v1alpha1.PodCliqueSet) { s.Spec.UpdateStrategy.Partition, s.Status.UpdatedReplicas = 1, 1 }},
			words: "partitioned roll out complete: 1 of 2 replicas updated, those from 1 on", done: true},
		"unavailable": {change: []func(*v1alpha1.PodCliqueSet){func(s *v1alpha1.PodCliqueSet) {
			s.Status.AvailableReplicas = 1
			s.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionAvailable, Message: "1 of 2 replicas available; web-1: 0 of 2 pods ready"}}
		}}, words: `Waiting for podcliqueset "web" rollout to finish: 1 of 2 replicas available; web-1: 0 of 2 pods ready...`},
		"completed": {change: []func(*v1alpha1.PodCliqueSet){func(s *v1alpha1.PodCliqueSet) { s.Status.Phase = v1alpha1.PodCliqueSetCompleted }},
			words: `podcliqueset "web" has run to its end`, done: true},
	} {
		t.Run(name, func(t *testing.T) {
			set := &v1alpha1.PodCliqueSet{ObjectMeta: metav1.ObjectMeta{Name: "web", Generation: 1}, Spec: v1alpha1.PodCliqueSetSpec{Replicas: 2}}
			set.Status = v1alpha1.PodCliqueSetStatus{ObservedGeneration: 1, AvailableReplicas: 2, UpdatedReplicas: 2}
			for _, change := range test.change {
				change(set)
			}
			status := StatusOf(set)
			failed := ""
			if status.Failed != nil {
				failed = status.Failed.Error()
			}
			if status.Words != test.words || status.Done != test.done || failed != test.failed {
				t.Errorf("%+v\nwant %q, done %t, failed %q", status, test.words, test.done, test.failed)
			}
		})
	}
}
