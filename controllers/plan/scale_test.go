package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
)

func someTime() metav1.Time { return metav1.NewTime(time.Unix(1_800_000_000, 0)) }

func TestScale(t *testing.T) {
	const ours, others = SetManager, "kubectl"
	for name, test := range map[string]struct {
		live       bool
		replicas   int32
		owner      string
		applied    string
		template   int32
		autoscaled bool
		want       scale
	}{
		"created":                              {template: 3, want: scale{replicas: ptr.To[int32](3), applied: "3", effective: 3}},
		"created with an autoscaler":           {template: 3, autoscaled: true, want: scale{replicas: ptr.To[int32](3), applied: "3", effective: 3}},
		"unchanged":                            {live: true, replicas: 3, owner: ours, applied: "3", template: 3, want: scale{replicas: ptr.To[int32](3), applied: "3", effective: 3}},
		"template changed":                     {live: true, replicas: 3, owner: ours, applied: "3", template: 5, want: scale{replicas: ptr.To[int32](5), applied: "5", effective: 5}},
		"scaled by others":                     {live: true, replicas: 7, owner: others, applied: "3", template: 3, want: scale{applied: "3", effective: 7}},
		"template changed after others scaled": {live: true, replicas: 7, owner: others, applied: "3", template: 5, want: scale{replicas: ptr.To[int32](5), applied: "5", effective: 5}},
		"template changed with an autoscaler":  {live: true, replicas: 7, owner: others, applied: "3", template: 5, autoscaled: true, want: scale{applied: "3", effective: 7}},
		"autoscaler that hasn't scaled yet":    {live: true, replicas: 3, owner: ours, applied: "3", template: 5, autoscaled: true, want: scale{replicas: ptr.To[int32](3), applied: "3", effective: 3}},
		"scaled to 0 by others":                {live: true, replicas: 0, owner: others, applied: "3", template: 3, want: scale{applied: "3", effective: 0}},
	} {
		t.Run(name, func(t *testing.T) {
			s := scalable{replicas: test.replicas, template: test.template, autoscaled: test.autoscaled}
			if test.live {
				s.live = &v1alpha1.PodClique{ObjectMeta: metav1.ObjectMeta{
					Annotations: map[string]string{v1alpha1.AnnotationTemplateReplicas: test.applied},
					ManagedFields: []metav1.ManagedFieldsEntry{{
						Manager:   test.owner,
						Operation: metav1.ManagedFieldsOperationApply,
						FieldsV1:  metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`),
					}},
				}}
			}
			if diff := cmp.Diff(test.want, s.scale(), cmp.AllowUnexported(scale{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOwnsReplicas(t *testing.T) {
	const replicas = `{"f:spec":{"f:replicas":{}}}`
	for name, test := range map[string]struct {
		entry metav1.ManagedFieldsEntry
		want  bool
	}{
		"applied":             {metav1.ManagedFieldsEntry{Manager: SetManager, Operation: "Apply", FieldsV1: metav1.NewFieldsV1(replicas)}, true},
		"another field":       {metav1.ManagedFieldsEntry{Manager: SetManager, Operation: "Apply", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:podSpec":{}}}`)}, false},
		"updated":             {metav1.ManagedFieldsEntry{Manager: SetManager, Operation: "Update", FieldsV1: metav1.NewFieldsV1(replicas)}, false},
		"through the scale":   {metav1.ManagedFieldsEntry{Manager: SetManager, Operation: "Apply", Subresource: "scale", FieldsV1: metav1.NewFieldsV1(replicas)}, false},
		"by somebody else":    {metav1.ManagedFieldsEntry{Manager: "kubectl", Operation: "Apply", FieldsV1: metav1.NewFieldsV1(replicas)}, false},
		"fields that are odd": {metav1.ManagedFieldsEntry{Manager: SetManager, Operation: "Apply", FieldsV1: metav1.NewFieldsV1(`{`)}, false},
		"no fields":           {metav1.ManagedFieldsEntry{Manager: SetManager, Operation: "Apply"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ownsReplicas([]metav1.ManagedFieldsEntry{test.entry}); got != test.want {
				t.Errorf("ownsReplicas is %v, want %v", got, test.want)
			}
		})
	}
}
