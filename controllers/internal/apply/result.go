package apply

import (
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"grove.io/grove/controllers/internal/metrics"
)

// resultOf is as what metrics count a request that the API server answered with an error, or with none.
func resultOf(err error) string {
	switch {
	case err == nil:
		return metrics.Success
	case apierrors.IsConflict(err):
		return metrics.Conflict
	case apierrors.IsNotFound(err), apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return metrics.Gone
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsForbidden(err), isTooLarge(err):
		return metrics.Refused
	default:
		return metrics.Failed
	}
}
