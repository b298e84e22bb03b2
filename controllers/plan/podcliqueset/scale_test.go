package podcliqueset

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/applyconfiguration"
	grovev1alpha1 "grove.io/grove/apis/applyconfiguration/grove/v1alpha1"
	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

func TestScale(t *testing.T) {
	const ours, others = plan.SetManager, "kubectl"
	for name, test := range map[string]struct {
		live       bool
		replicas   int32
		owner      string
		applied    string
		template   int32
		autoscaled bool
		unsaid     bool
		want       scale
	}{
		"created":                              {template: 3, want: scale{replicas: ptr.To[int32](3), applied: "3", effective: 3}},
		"created with an autoscaler":           {template: 3, autoscaled: true, want: scale{replicas: ptr.To[int32](3), applied: "3", effective: 3}},
		"unchanged":                            {live: true, replicas: 3, owner: ours, applied: "3", template: 3, want: scale{replicas: ptr.To[int32](3), applied: "3", effective: 3}},
		"template changed":                     {live: true, replicas: 3, owner: ours, applied: "3", template: 5, want: scale{replicas: ptr.To[int32](5), applied: "5", effective: 5}},
		"scaled by others":                     {live: true, replicas: 7, owner: others, applied: "3", template: 3, want: scale{applied: "3", effective: 7}},
		"template changed after others scaled": {live: true, replicas: 7, owner: others, applied: "3", template: 5, want: scale{replicas: ptr.To[int32](5), applied: "5", effective: 5}},
		"template changed with an autoscaler":  {live: true, replicas: 7, owner: others, applied: "3", template: 5, autoscaled: true, want: scale{applied: "5", effective: 7}},
		"autoscaler that hasn't scaled yet":    {live: true, replicas: 3, owner: ours, applied: "3", template: 5, autoscaled: true, want: scale{replicas: ptr.To[int32](3), applied: "5", effective: 3}},
		"autoscaler taken out":                 {live: true, replicas: 7, owner: others, applied: "5", template: 5, want: scale{applied: "5", effective: 7}},
		"taken out before it has scaled":       {live: true, replicas: 3, owner: ours, applied: "5", template: 5, want: scale{replicas: ptr.To[int32](3), applied: "5", effective: 3}},
		"taken out, and the template changed":  {live: true, replicas: 7, owner: others, applied: "5", template: 4, want: scale{replicas: ptr.To[int32](4), applied: "4", effective: 4}},
		"template lost its number under one":   {live: true, replicas: 7, owner: others, applied: "3", template: 1, unsaid: true, autoscaled: true, want: scale{applied: "3", effective: 7}},
		"template lost its number":             {live: true, replicas: 3, owner: ours, applied: "3", template: 1, unsaid: true, want: scale{replicas: ptr.To[int32](3), applied: "3", effective: 3}},
		"template lost its number, scaled":     {live: true, replicas: 7, owner: others, applied: "3", template: 1, unsaid: true, want: scale{applied: "3", effective: 7}},
		"created without a number":             {template: 1, unsaid: true, want: scale{replicas: ptr.To[int32](1), applied: "1", effective: 1}},
		"scaled to 0 by others":                {live: true, replicas: 0, owner: others, applied: "3", template: 3, want: scale{applied: "3", effective: 0}},
	} {
		t.Run(name, func(t *testing.T) {
			s := scalable{replicas: test.replicas, template: test.template, autoscaled: test.autoscaled, said: func() bool { return !test.unsaid }}
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
		"applied":             {metav1.ManagedFieldsEntry{Manager: plan.SetManager, Operation: "Apply", FieldsV1: metav1.NewFieldsV1(replicas)}, true},
		"another field":       {metav1.ManagedFieldsEntry{Manager: plan.SetManager, Operation: "Apply", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:podSpec":{}}}`)}, false},
		"updated":             {metav1.ManagedFieldsEntry{Manager: plan.SetManager, Operation: "Update", FieldsV1: metav1.NewFieldsV1(replicas)}, false},
		"through the scale":   {metav1.ManagedFieldsEntry{Manager: plan.SetManager, Operation: "Apply", Subresource: "scale", FieldsV1: metav1.NewFieldsV1(replicas)}, false},
		"by somebody else":    {metav1.ManagedFieldsEntry{Manager: "kubectl", Operation: "Apply", FieldsV1: metav1.NewFieldsV1(replicas)}, false},
		"fields that are odd": {metav1.ManagedFieldsEntry{Manager: plan.SetManager, Operation: "Apply", FieldsV1: metav1.NewFieldsV1(`{`)}, false},
		"no fields":           {metav1.ManagedFieldsEntry{Manager: plan.SetManager, Operation: "Apply"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ownsReplicas([]metav1.ManagedFieldsEntry{test.entry}); got != test.want {
				t.Errorf("ownsReplicas is %v, want %v", got, test.want)
			}
		})
	}
}

// What server-side apply records of a template, as the API server's own code puts it.
func TestSaysReplicas(t *testing.T) {
	clique := func(name string) *grovev1alpha1.PodCliqueTemplateSpecApplyConfiguration {
		return grovev1alpha1.PodCliqueTemplateSpec().WithName(name)
	}
	scalingGroup := func(name string) *grovev1alpha1.PodCliqueScalingGroupConfigApplyConfiguration {
		return grovev1alpha1.PodCliqueScalingGroupConfig().WithName(name).WithCliqueNames("w")
	}
	applied := func(template *grovev1alpha1.PodCliqueSetTemplateSpecApplyConfiguration) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: "kubectl", Operation: metav1.ManagedFieldsOperationApply, FieldsType: "FieldsV1",
			FieldsV1: fieldsOf(t, grovev1alpha1.PodCliqueSet("s", "ns").WithSpec(grovev1alpha1.PodCliqueSetSpec().WithReplicas(1).WithTemplate(template)))}
	}
	template := grovev1alpha1.PodCliqueSetTemplateSpec
	none := template().WithCliques(clique("w"), clique("other").WithSpec(grovev1alpha1.PodCliqueSpec().WithReplicas(2))).
		WithPodCliqueScalingGroups(scalingGroup("g"), scalingGroup("other").WithReplicas(2))
	both := template().WithCliques(clique("w").WithSpec(grovev1alpha1.PodCliqueSpec().WithReplicas(3))).
		WithPodCliqueScalingGroups(scalingGroup("g").WithReplicas(3))
	for name, test := range map[string]struct {
		entries []metav1.ManagedFieldsEntry
		want    bool
	}{
		"said":                           {[]metav1.ManagedFieldsEntry{applied(both)}, true},
		"left out":                       {[]metav1.ManagedFieldsEntry{applied(none)}, false},
		"said by another manager":        {[]metav1.ManagedFieldsEntry{applied(none), applied(both)}, true},
		"nobody manages anything":        {nil, true},
		"fields that nobody can read":    {[]metav1.ManagedFieldsEntry{{Manager: "x", FieldsV1: metav1.NewFieldsV1("{")}}, false},
		"an entry that has lost its own": {[]metav1.ManagedFieldsEntry{{Manager: "x"}}, false},
		"as an API server wrote it": {[]metav1.ManagedFieldsEntry{{Manager: "kubectl", Operation: "Apply", FieldsV1: metav1.NewFieldsV1(
			`{"f:spec":{"f:template":{"f:cliques":{"k:{\"name\":\"w\"}":{".":{},"f:name":{},"f:spec":{"f:replicas":{}}}},` +
				`"f:podCliqueScalingGroups":{"k:{\"name\":\"g\"}":{".":{},"f:name":{},"f:replicas":{}}}}}}`)}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			set := &v1alpha1.PodCliqueSet{ObjectMeta: metav1.ObjectMeta{ManagedFields: test.entries}}
			if got := saysReplicas(set, "cliques", "w", "spec", "replicas"); got != test.want {
				t.Errorf("of a clique: %v, want %v", got, test.want)
			}
			if got := saysReplicas(set, "podCliqueScalingGroups", "g", "replicas"); got != test.want {
				t.Errorf("of a scaling group: %v, want %v", got, test.want)
			}
		})
	}
}

// fieldsOf are the fields that an apply of a configuration owns.
func fieldsOf(t *testing.T, config *grovev1alpha1.PodCliqueSetApplyConfiguration) *metav1.FieldsV1 {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(config)
	if err != nil {
		t.Fatal(err)
	}
	typed, err := applyconfiguration.NewTypeConverter(scheme).ObjectToTyped(&unstructured.Unstructured{Object: object})
	if err != nil {
		t.Fatal(err)
	}
	fields, err := typed.ToFieldSet()
	if err != nil {
		t.Fatal(err)
	}
	data, err := fields.ToJSON()
	if err != nil {
		t.Fatal(err)
	}
	return metav1.NewFieldsV1(string(data))
}
