// Package rollout reads how far an update of a PodCliqueSet is and what earlier templates were, and says what brings one back.
package rollout

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Status is how far an update is.
type Status struct {
	// Words tell users.
	Words string
	// Done tells whether there is nothing more to wait for.
	Done bool
	// Failed says why there is nothing more to hope for; nil unless that is so.
	Failed error
}

// StatusOf reads how far the update of a set is, as `kubectl rollout status` does for a Deployment: it is done once all replicas that the
// partition lets are of today's template, and all are available.
func StatusOf(set *v1alpha1.PodCliqueSet) Status {
	name, status, strategy := set.Name, set.Status, set.Spec.UpdateStrategy
	progressing := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionProgressing)
	progress := status.RollingUpdateProgress
	updating := progress != nil && progress.UpdateEndedAt == nil
	switch {
	case status.ObservedGeneration < set.Generation:
		return Status{Words: "Waiting for podcliqueset spec update to be observed..."}
	case updating && isExceeded(progressing):
		return Status{Failed: fmt.Errorf("podcliqueset %q exceeded its progress deadline: %s", name, progressing.Message)}
	case updating && strategy.Type == v1alpha1.OnDelete:
		return Status{Failed: fmt.Errorf("podcliqueset %q has the update strategy OnDelete: %d of %d replicas updated, and pods stay as they are until somebody deletes them",
			name, status.UpdatedReplicas, set.Spec.Replicas)}
	case updating:
		return Status{Words: fmt.Sprintf("Waiting for podcliqueset %q rollout to finish: %d of %d replicas updated; %s...",
			name, status.UpdatedReplicas, set.Spec.Replicas, messageOf(progressing))}
	case status.Phase == v1alpha1.PodCliqueSetCompleted:
		return Status{Words: fmt.Sprintf("podcliqueset %q has run to its end", name), Done: true}
	case status.AvailableReplicas < set.Spec.Replicas:
		available := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionAvailable)
		return Status{Words: fmt.Sprintf("Waiting for podcliqueset %q rollout to finish: %s...", name, messageOf(available))}
	case strategy.Partition > 0 && status.UpdatedReplicas < set.Spec.Replicas:
		return Status{Words: fmt.Sprintf("partitioned roll out complete: %d of %d replicas updated, those from %d on", status.UpdatedReplicas, set.Spec.Replicas, strategy.Partition), Done: true}
	default:
		return Status{Words: fmt.Sprintf("podcliqueset %q successfully rolled out", name), Done: true}
	}
}

func isExceeded(progressing *metav1.Condition) bool {
	return progressing != nil && progressing.Status == metav1.ConditionFalse && progressing.Reason == v1alpha1.ReasonProgressDeadlineExceeded
}

func messageOf(condition *metav1.Condition) string {
	if condition == nil || condition.Message == "" {
		return "nothing is known yet"
	}
	return condition.Message
}
