package plan

import (
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"grove.io/grove/apis/grove/v1alpha1"
)

// scalable is a child whose spec.replicas others may set: an autoscaler, or a user with kubectl scale.
type scalable struct {
	// live is the child as it is; nil if it doesn't exist yet.
	live metav1.Object
	// replicas is what the live child says.
	replicas int32
	// template is what the set's template says.
	template int32
	// autoscaled tells whether an autoscaler is configured.
	autoscaled bool
}

// scale is what a configuration says about the replicas of a scalable child.
type scale struct {
	// replicas is nil where the configuration leaves them to somebody else.
	replicas *int32
	// applied is the template's value that was applied last.
	applied string
	// effective is what the child will have once the configuration is applied.
	effective int32
}

// scale decides about replicas. The template's value is applied when the child is created, and again when the
// template's value changes and nothing autoscales. In between the configuration repeats the live value for as long as
// it is Grove's, since a field that a configuration leaves out falls back to its default; once somebody else has set
// it, the configuration leaves it out.
func (s scalable) scale() scale {
	template := strconv.Itoa(int(s.template))
	if s.live == nil {
		return scale{replicas: &s.template, applied: template, effective: s.template}
	}
	applied := s.live.GetAnnotations()[v1alpha1.AnnotationTemplateReplicas]
	if applied != template && !s.autoscaled {
		return scale{replicas: &s.template, applied: template, effective: s.template}
	}
	if ownsReplicas(s.live.GetManagedFields()) {
		return scale{replicas: &s.replicas, applied: applied, effective: s.replicas}
	}
	return scale{applied: applied, effective: s.replicas}
}

// ownsReplicas tells whether spec.replicas is as the set's controller applied it.
func ownsReplicas(managedFields []metav1.ManagedFieldsEntry) bool {
	path := fieldpath.MakePathOrDie("spec", "replicas")
	for _, entry := range managedFields {
		if entry.Manager != SetManager || entry.Operation != metav1.ManagedFieldsOperationApply || entry.Subresource != "" || entry.FieldsV1 == nil {
			continue
		}
		var fields fieldpath.Set
		if err := fields.FromJSON(entry.FieldsV1.GetRawReader()); err == nil && fields.Has(path) {
			return true
		}
	}
	return false
}
