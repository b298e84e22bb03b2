package podcliqueset

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// News are what became of a set's update from one status to the next: that it began, ended, or got nothing done for too long.
func News(set *v1alpha1.PodCliqueSet, before, after *v1alpha1.PodCliqueSetStatus) []plan.News {
	progress := after.RollingUpdateProgress
	if progress == nil {
		return nil
	}
	var news []plan.News
	was := before.RollingUpdateProgress
	began := was == nil || !was.UpdateStartedAt.Equal(progress.UpdateStartedAt)
	if began {
		news = append(news, plan.News{Reason: v1alpha1.ReasonUpdateStarted, Message: fmt.Sprintf(
			"an update to the podSpecs of ControllerRevision %s begins: %d of %d replicas are of them%s",
			RevisionName(set), after.UpdatedReplicas, set.Spec.Replicas, heldBack(set))})
	}
	if progress.UpdateEndedAt != nil && (began || was.UpdateEndedAt == nil) {
		took := progress.UpdateEndedAt.Sub(progress.UpdateStartedAt.Time)
		news = append(news, plan.News{Reason: v1alpha1.ReasonUpdateEnded, Message: fmt.Sprintf(
			"the update to the podSpecs of ControllerRevision %s has ended after %s: %d of %d replicas are of them%s",
			RevisionName(set), took.Round(time.Second), after.UpdatedReplicas, set.Spec.Replicas, heldBack(set))})
	}
	if condition := exceeded(after); condition != "" && exceeded(before) == "" {
		news = append(news, plan.News{Reason: v1alpha1.ReasonProgressDeadlineExceeded, Message: condition, Bad: true})
	}
	return news
}

// heldBack says what keeps replicas from being updated, if anything does.
func heldBack(set *v1alpha1.PodCliqueSet) string {
	strategy := set.Spec.UpdateStrategy
	switch {
	case strategy.Paused:
		return "; it is paused"
	case strategy.Type == v1alpha1.OnDelete:
		return "; pods stay until somebody deletes them"
	case strategy.Partition > 0:
		return fmt.Sprintf("; those below the partition %d stay as they are", strategy.Partition)
	default:
		return ""
	}
}

// exceeded is what a status says of an update that got nothing done for the progressDeadline; nothing of others.
func exceeded(status *v1alpha1.PodCliqueSetStatus) string {
	if progressing := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionProgressing); progressing != nil &&
		progressing.Reason == v1alpha1.ReasonProgressDeadlineExceeded {
		return progressing.Message
	}
	return ""
}
