package plan

import (
	"cmp"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
)

// ControllerReference says that an object controls another.
func ControllerReference(owner metav1.Object, kind string) *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().
		WithAPIVersion(v1alpha1.SchemeGroupVersion.String()).
		WithKind(kind).
		WithName(owner.GetName()).
		WithUID(owner.GetUID()).
		WithController(true).
		WithBlockOwnerDeletion(true)
}

// ServiceAccountOf is the account that a podSpec names, by either of the two fields that mean the same; empty for none.
func ServiceAccountOf(spec *corev1.PodSpec) string {
	return cmp.Or(spec.ServiceAccountName, spec.DeprecatedServiceAccount)
}

// Configuration turns an API type into its apply configuration. The two have the same JSON form.
func Configuration[To, From any](from *From) *To {
	data, err := json.Marshal(from)
	if err != nil {
		panic(fmt.Sprintf("%T can't be encoded: %v", from, err))
	}
	to := new(To)
	if err := json.Unmarshal(data, to); err != nil {
		panic(fmt.Sprintf("%T has not the form of %T: %v", from, to, err))
	}
	return to
}

// PodSpecConfiguration is a podSpec as an apply configuration. Resources that nobody set are left out: an API type
// can't say "unset" of them.
func PodSpecConfiguration(spec *corev1.PodSpec) *corev1ac.PodSpecApplyConfiguration {
	config := Configuration[corev1ac.PodSpecApplyConfiguration](spec)
	for i := range config.Containers {
		dropEmptyResources(&config.Containers[i])
	}
	for i := range config.InitContainers {
		dropEmptyResources(&config.InitContainers[i])
	}
	return config
}

func dropEmptyResources(container *corev1ac.ContainerApplyConfiguration) {
	r := container.Resources
	if r != nil && r.Limits == nil && r.Requests == nil && len(r.Claims) == 0 {
		container.Resources = nil
	}
}
