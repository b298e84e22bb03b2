package cases

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"grove.io/grove/apis/grove/v1alpha1"
)

// labelForeign is on objects that aren't Grove's, whatever else they bear.
const labelForeign = "e2e.grove.io/foreign"

var configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}

// foreigner is an object of somebody else's, as it was made.
type foreigner struct {
	*scope
	kind   schema.GroupVersionResource
	object *unstructured.Unstructured
}

// newForeigners creates objects that aren't Grove's beside the set web: some that look like its children by their labels, and belong to
// somebody else, and one that doesn't.
func (s *scope) newForeigners() []foreigner {
	s.Helper()
	disguise := map[string]string{
		labelForeign:               "true",
		v1alpha1.LabelManagedBy:    v1alpha1.ManagedBy,
		v1alpha1.LabelPodCliqueSet: "web",
		v1alpha1.LabelPodGang:      "web-0",
		v1alpha1.LabelPodClique:    "web-front-0",
	}
	owned := metav1.ObjectMeta{Name: "foreign", Labels: disguise, OwnerReferences: []metav1.OwnerReference{*s.newOwner()}}
	pod := &corev1.Pod{ObjectMeta: owned, Spec: corev1.PodSpec{
		Containers: []corev1.Container{{Name: "main", Image: image}},
		// So nobody else changes it, either.
		SchedulingGates: []corev1.PodSchedulingGate{{Name: labelForeign}},
	}}
	service := &corev1.Service{ObjectMeta: owned, Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone}}
	plain := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "foreign", Labels: map[string]string{labelForeign: "true"}}}
	var all []foreigner
	for _, one := range []struct {
		kind   schema.GroupVersionResource
		object runtime.Object
	}{{pods, pod}, {services, service}, {configMaps, plain}} {
		all = append(all, foreigner{scope: s, kind: one.kind, object: s.createObject(one.kind, one.object)})
	}
	return all
}

// check fails the test if the object isn't as it was made.
func (f foreigner) check() {
	f.Helper()
	now, err := f.dynamic.Resource(f.kind).Namespace(f.namespace).Get(f.ctx, f.object.GetName(), metav1.GetOptions{})
	if err != nil {
		f.Errorf("somebody else's %s: %v", f.kind.Resource, err)
		return
	}
	if now.GetUID() != f.object.GetUID() || now.GetResourceVersion() != f.object.GetResourceVersion() {
		f.Errorf("somebody else's %s was touched: it was\n%v\nand is\n%v", f.kind.Resource, f.object.Object, now.Object)
	}
}
