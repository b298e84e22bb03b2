package plan_test

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"grove.io/grove/controllers/plan"
)

// The podSpec has a sidecar and an init container, of a Burstable pod.
func sidecarSpec() *corev1.PodSpec {
	return &corev1.PodSpec{
		InitContainers: []corev1.Container{
			{Name: "init", Image: "init:1"},
			{Name: "side", Image: "side:1", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)},
		},
		Containers: []corev1.Container{
			{Name: "main", Image: "main:1", Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m")},
				Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi"), "nvidia.com/gpu": resource.MustParse("1")},
			}},
			{Name: "other", Image: "other:1"},
		},
	}
}

func TestDifferences(t *testing.T) {
	const impossible = "impossible"
	for name, test := range map[string]struct {
		before, after func(spec *corev1.PodSpec)
		want          string
	}{
		"nothing": {nil, nil, "images [] resized false restarted []"},
		"another spelling": {nil, func(s *corev1.PodSpec) {
			s.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse("0.5")
		}, "images [] resized false restarted []"},
		"images":                     {nil, func(s *corev1.PodSpec) { s.Containers[0].Image, s.InitContainers[1].Image = "main:2", "side:2" }, "images [main side] resized false restarted []"},
		"of an init container":       {nil, func(s *corev1.PodSpec) { s.InitContainers[0].Image = "init:2" }, impossible},
		"an image and more":          {nil, func(s *corev1.PodSpec) { s.Containers[0].Image, s.Containers[0].Args = "main:2", []string{"-v"} }, impossible},
		"another order":              {nil, func(s *corev1.PodSpec) { s.Containers[0], s.Containers[1] = s.Containers[1], s.Containers[0] }, impossible},
		"one container more":         {nil, func(s *corev1.PodSpec) { s.Containers = append(s.Containers, corev1.Container{Name: "new"}) }, impossible},
		"a container less":           {nil, func(s *corev1.PodSpec) { s.Containers = s.Containers[:1] }, impossible},
		"from a fixed tag to latest": {nil, func(s *corev1.PodSpec) { s.Containers[0].Image = "registry:5000/main" }, impossible},
		"to latest, with a policy": {func(s *corev1.PodSpec) { s.Containers[0].ImagePullPolicy = corev1.PullIfNotPresent }, func(s *corev1.PodSpec) {
			s.Containers[0].Image = "main:latest"
		}, "images [main] resized false restarted []"},
		"to a digest": {nil, func(s *corev1.PodSpec) { s.Containers[0].Image = "registry:5000/main@sha256:00" }, "images [main] resized false restarted []"},
		"of a pod that ends": {func(s *corev1.PodSpec) { s.RestartPolicy = corev1.RestartPolicyOnFailure }, func(s *corev1.PodSpec) {
			s.Containers[0].Image = "main:2"
		}, impossible},
		"of a container that goes on in a pod that ends": {func(s *corev1.PodSpec) {
			s.RestartPolicy, s.Containers[0].RestartPolicy = corev1.RestartPolicyNever, ptr.To(corev1.ContainerRestartPolicyAlways)
		}, func(s *corev1.PodSpec) { s.Containers[0].Image = "main:2" }, "images [main] resized false restarted []"},
		"of a container with rules": {func(s *corev1.PodSpec) {
			s.Containers[0].RestartPolicy, s.Containers[0].RestartPolicyRules = ptr.To(corev1.ContainerRestartPolicyAlways), []corev1.ContainerRestartRule{{Action: "RestartAllContainers"}}
		}, func(s *corev1.PodSpec) { s.Containers[0].Image = "main:2" }, impossible},
		"CPU and memory": {nil, func(s *corev1.PodSpec) {
			s.Containers[0].Resources.Requests[corev1.ResourceCPU], s.Containers[0].Resources.Limits[corev1.ResourceMemory] = resource.MustParse("1"), resource.MustParse("2Gi")
		}, "images [] resized true restarted []"},
		"CPU and an image": {nil, func(s *corev1.PodSpec) {
			s.Containers[0].Resources.Requests[corev1.ResourceCPU], s.Containers[0].Image = resource.MustParse("1"), "main:2"
		}, "images [main] resized true restarted []"},
		"a limit more": {nil, func(s *corev1.PodSpec) {
			s.Containers[0].Resources.Limits[corev1.ResourceCPU] = resource.MustParse("1")
		}, "images [] resized true restarted []"},
		"a limit less": {nil, func(s *corev1.PodSpec) { delete(s.Containers[0].Resources.Limits, corev1.ResourceMemory) }, impossible},
		"GPUs":         {nil, func(s *corev1.PodSpec) { s.Containers[0].Resources.Limits["nvidia.com/gpu"] = resource.MustParse("2") }, impossible},
		"of an init container's resources": {nil, func(s *corev1.PodSpec) {
			s.InitContainers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}
		}, impossible},
		"of the pod's resources": {func(s *corev1.PodSpec) { s.Resources = &corev1.ResourceRequirements{} }, func(s *corev1.PodSpec) {
			s.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse("1")
		}, impossible},
		"with a restart": {restartToResize, func(s *corev1.PodSpec) {
			restartToResize(s)
			s.Containers[0].Resources.Limits[corev1.ResourceMemory] = resource.MustParse("2Gi")
		}, "images [] resized true restarted [main]"},
		"of what needs none": {restartToResize, func(s *corev1.PodSpec) {
			s.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse("1")
		}, "images [] resized true restarted []"},
		"with a restart, and an image": {restartToResize, func(s *corev1.PodSpec) {
			s.Containers[0].Resources.Limits[corev1.ResourceMemory], s.Containers[0].Image = resource.MustParse("2Gi"), "main:2"
		}, impossible},
		"of the class of the pod": {guarantee, func(s *corev1.PodSpec) {
			s.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse("500m")
		}, impossible},
		"within the class of the pod": {guarantee, func(s *corev1.PodSpec) {
			s.Containers[0].Resources.Limits[corev1.ResourceCPU] = resource.MustParse("2")
		}, "images [] resized true restarted []"},
	} {
		t.Run(name, func(t *testing.T) {
			before := sidecarSpec()
			if test.before != nil {
				test.before(before)
			}
			after := before.DeepCopy()
			if test.after != nil {
				test.after(after)
			}
			got := impossible
			if d, ok := plan.DifferenceOf(before, after); ok {
				got = fmt.Sprintf("images %v resized %t restarted %v", d.Images, d.Resized, d.Restarted)
			}
			if got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

func restartToResize(spec *corev1.PodSpec) {
	spec.Containers[0].ResizePolicy = []corev1.ContainerResizePolicy{{ResourceName: corev1.ResourceMemory, RestartPolicy: corev1.RestartContainer}}
}

// guarantee makes the pod one of the class Guaranteed, by limits alone.
func guarantee(spec *corev1.PodSpec) {
	spec.InitContainers, spec.Containers = nil, spec.Containers[:1]
	spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: corev1.ResourceList{}, Limits: corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("1Gi"),
	}}
}
