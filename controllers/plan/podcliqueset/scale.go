package podcliqueset

import (
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// scalable is a child whose spec.replicas others may set: an autoscaler, or a user with kubectl scale.
type scalable struct {
	// live is the child as it is; nil if it doesn't exist yet.
	live metav1.Object
	// replicas is what the live child says.
	replicas int32
	// template is what the set's template says, or the default.
	template int32
	// said tells whether somebody put a number into the template, or left it to the default.
	said func() bool
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
// template's value changes and nothing autoscales; a template that loses its value changes nothing. A value that changes under an
// autoscaler is noted as if it had been applied, so that it changes nothing once the autoscaler is gone, either. In between the configuration
// repeats the live value for as long as it is Grove's, since a field that a configuration leaves out falls back to its default;
// once somebody else has set it, the configuration leaves it out.
func (s scalable) scale() scale {
	template := strconv.Itoa(int(s.template))
	if s.live == nil {
		return scale{replicas: &s.template, applied: template, effective: s.template}
	}
	applied := s.live.GetAnnotations()[v1alpha1.AnnotationTemplateReplicas]
	if applied != template && s.said() {
		if !s.autoscaled {
			return scale{replicas: &s.template, applied: template, effective: s.template}
		}
		applied = template
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
		if entry.Manager == plan.SetManager && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == "" && owns(entry, path) {
			return true
		}
	}
	return false
}

// saysReplicas tells whether anybody owns the number of replicas of an item of a list in a set's template. What the API server put there
// as a default, nobody applied.
func saysReplicas(set *v1alpha1.PodCliqueSet, list, name string, field ...any) bool {
	path := fieldpath.MakePathOrDie(append([]any{"spec", "template", list, fieldpath.KeyByFields("name", name)}, field...)...)
	for _, entry := range set.ManagedFields {
		if owns(entry, path) {
			return true
		}
	}
	// An object whose fields nobody manages, as one restored from a dump may be, says what it has.
	return len(set.ManagedFields) == 0
}

func owns(entry metav1.ManagedFieldsEntry, path fieldpath.Path) bool {
	if entry.FieldsV1 == nil {
		return false
	}
	var fields fieldpath.Set
	return fields.FromJSON(entry.FieldsV1.GetRawReader()) == nil && fields.Has(path)
}
