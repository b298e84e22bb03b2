package podcliqueset_test

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/plan/podcliqueset"
)

// Users are told once that an update began, ended, or got stuck.
func TestNews(t *testing.T) {
	set := plantest.Workers()
	revision := podcliqueset.RevisionName(set)
	status := func(started, ended int, reason string) *v1alpha1.PodCliqueSetStatus {
		at := func(seconds int) *metav1.Time {
			if seconds == 0 {
				return nil
			}
			time := metav1.NewTime(plantest.Now.Add(time.Duration(seconds) * time.Second))
			return &time
		}
		status := &v1alpha1.PodCliqueSetStatus{UpdatedReplicas: 1}
		if started > 0 {
			status.RollingUpdateProgress = &v1alpha1.PodCliqueSetRollingUpdateProgress{UpdateStartedAt: at(started), UpdateEndedAt: at(ended)}
		}
		status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionProgressing, Reason: reason, Message: "stuck"}}
		return status
	}
	const updating, deadline = v1alpha1.ReasonUpdating, v1alpha1.ReasonProgressDeadlineExceeded
	started := "an update to the podSpecs of ControllerRevision " + revision + " begins: 1 of 2 replicas are of them"
	ended := "the update to the podSpecs of ControllerRevision " + revision + " has ended after 1m5s: 1 of 2 replicas are of them"
	for name, test := range map[string]struct {
		strategy      v1alpha1.UpdateStrategy
		before, after *v1alpha1.PodCliqueSetStatus
		want          []string
	}{
		"none":              {v1alpha1.UpdateStrategy{}, status(0, 0, ""), status(0, 0, ""), nil},
		"the first":         {v1alpha1.UpdateStrategy{}, status(0, 0, ""), status(1, 0, updating), []string{"UpdateStarted " + started}},
		"goes on":           {v1alpha1.UpdateStrategy{}, status(1, 0, updating), status(1, 0, updating), nil},
		"ends":              {v1alpha1.UpdateStrategy{}, status(1, 0, updating), status(1, 66, ""), []string{"UpdateEnded " + ended}},
		"has ended":         {v1alpha1.UpdateStrategy{}, status(1, 66, ""), status(1, 66, ""), nil},
		"is over at once":   {v1alpha1.UpdateStrategy{}, status(1, 66, ""), status(100, 165, ""), []string{"UpdateStarted " + started, "UpdateEnded " + ended}},
		"another overtakes": {v1alpha1.UpdateStrategy{}, status(1, 0, updating), status(2, 0, updating), []string{"UpdateStarted " + started}},
		"gets stuck":        {v1alpha1.UpdateStrategy{}, status(1, 0, updating), status(1, 0, deadline), []string{"bad ProgressDeadlineExceeded stuck"}},
		"is stuck":          {v1alpha1.UpdateStrategy{}, status(1, 0, deadline), status(1, 0, deadline), nil},
		"is paused": {v1alpha1.UpdateStrategy{Paused: true}, status(0, 0, ""), status(1, 0, updating),
			[]string{"UpdateStarted " + started + "; it is paused"}},
		"is people's": {v1alpha1.UpdateStrategy{Type: v1alpha1.OnDelete}, status(0, 0, ""), status(1, 0, updating),
			[]string{"UpdateStarted " + started + "; pods stay until somebody deletes them"}},
		"ends at a partition": {v1alpha1.UpdateStrategy{Partition: 1}, status(1, 0, updating), status(1, 66, ""),
			[]string{"UpdateEnded " + ended + "; those below the partition 1 stay as they are"}},
	} {
		t.Run(name, func(t *testing.T) {
			set.Spec.UpdateStrategy = test.strategy
			var told []string
			for _, news := range podcliqueset.News(set, test.before, test.after) {
				line := news.Reason + " " + news.Message
				if news.Bad {
					line = "bad " + line
				}
				told = append(told, line)
			}
			if !slices.Equal(told, test.want) {
				t.Errorf("told %q, want %q", told, test.want)
			}
		})
	}
}
