package plan

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

// Difference is what has to be changed of pods of one podSpec to make them pods of another, where that can be done to running pods.
type Difference struct {
	// Images are the names of the containers, sidecars among them, that have another image.
	Images []string
	// Resized tells whether containers have other resources, and Restarted are the names of those that their resizePolicy restarts for it.
	Resized   bool
	Restarted []string
}

// DifferenceOf is what has to be changed of running pods. It is false where that can't be done: where anything else differs; where the API server
// would have made something else of a new pod than it made of the old one; and where a container that is ended for another image wouldn't be
// started again.
func DifferenceOf(before, after *corev1.PodSpec) (Difference, bool) {
	var d Difference
	like := before.DeepCopy()
	for i := range min(len(like.Containers), len(after.Containers)) {
		d.take(like, &like.Containers[i], &after.Containers[i])
	}
	for i := range min(len(like.InitContainers), len(after.InitContainers)) {
		if isSidecar(&like.InitContainers[i]) {
			d.take(like, &like.InitContainers[i], &after.InitContainers[i])
		}
	}
	if PodTemplateHash(like, "") != PodTemplateHash(after, "") {
		return d, false
	}
	// A container that restarts for two reasons may do so once or twice, and nobody could tell that from a fault.
	twice := slices.ContainsFunc(d.Restarted, func(name string) bool { return slices.Contains(d.Images, name) })
	return d, !twice && (!d.Resized || canResize(before) && guaranteed(before) == guaranteed(after))
}

// take makes a container of a podSpec what another version of it says, as far as a running one can be changed.
func (d *Difference) take(spec *corev1.PodSpec, was, is *corev1.Container) {
	if was.Name != is.Name {
		return
	}
	if was.Image != is.Image && restarts(spec, was) && pullPolicy(was) == pullPolicy(is) {
		d.Images = append(d.Images, is.Name)
		was.Image = is.Image
	}
	if !equality.Semantic.DeepEqual(was.Resources, is.Resources) && resizable(was, is) {
		d.Resized = true
		if restartedToResize(was, is) {
			d.Restarted = append(d.Restarted, is.Name)
		}
		was.Resources = *is.Resources.DeepCopy()
	}
}

// restarts tells whether a container comes back however it ends. Rules that look at the exit code may say otherwise.
func restarts(spec *corev1.PodSpec, container *corev1.Container) bool {
	if container.RestartPolicy != nil {
		return *container.RestartPolicy == corev1.ContainerRestartPolicyAlways && len(container.RestartPolicyRules) == 0
	}
	return spec.RestartPolicy == "" || spec.RestartPolicy == corev1.RestartPolicyAlways
}

// pullPolicy is the container's, or what the API server makes of its image, and then never changes.
func pullPolicy(container *corev1.Container) corev1.PullPolicy {
	if container.ImagePullPolicy != "" {
		return container.ImagePullPolicy
	}
	name, _, digested := strings.Cut(container.Image, "@")
	_, tag, tagged := strings.Cut(name[strings.LastIndex(name, "/")+1:], ":")
	if tag == "latest" || !tagged && !digested {
		return corev1.PullAlways
	}
	return corev1.PullIfNotPresent
}

// canResize tells whether pods of a podSpec can be given other resources at all.
func canResize(spec *corev1.PodSpec) bool {
	return spec.Resources == nil && (spec.OS == nil || spec.OS.Name != corev1.Windows)
}

var resized = []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory}

// resizable tells whether two versions of a container differ, of their resources, in nothing but how much CPU and memory they have. What one
// has and the other hasn't can't be taken away.
func resizable(was, is *corev1.Container) bool {
	before, after := Resources(was), Resources(is)
	same := func(before, after corev1.ResourceList) bool {
		for name := range before {
			if _, ok := after[name]; !ok {
				return false
			}
		}
		for name, quantity := range after {
			earlier, ok := before[name]
			if !slices.Contains(resized, name) && (!ok || earlier.Cmp(quantity) != 0) {
				return false
			}
		}
		return true
	}
	return same(before.Requests, after.Requests) && same(before.Limits, after.Limits) && equality.Semantic.DeepEqual(before.Claims, after.Claims)
}

// restartedToResize tells whether a container's resizePolicy has it restarted for what differs between two versions of it.
func restartedToResize(was, is *corev1.Container) bool {
	before, after := Resources(was), Resources(is)
	return slices.ContainsFunc(is.ResizePolicy, func(policy corev1.ContainerResizePolicy) bool {
		name := policy.ResourceName
		return policy.RestartPolicy == corev1.RestartContainer &&
			(!sameQuantity(before.Requests, after.Requests, name) || !sameQuantity(before.Limits, after.Limits, name))
	})
}

func sameQuantity(a, b corev1.ResourceList, name corev1.ResourceName) bool {
	quantity := a[name]
	return quantity.Cmp(b[name]) == 0
}

// Resources are a container's as the API server completes them: what has a limit and no request requests as much.
func Resources(container *corev1.Container) corev1.ResourceRequirements {
	complete := *container.Resources.DeepCopy()
	for name, limit := range complete.Limits {
		if _, ok := complete.Requests[name]; !ok {
			if complete.Requests == nil {
				complete.Requests = corev1.ResourceList{}
			}
			complete.Requests[name] = limit
		}
	}
	return complete
}

// HasResources tells whether a container has as much CPU and memory as another version of it says.
func HasResources(container, version *corev1.Container) bool {
	have, want := container.Resources, Resources(version)
	for _, name := range resized {
		for _, lists := range [][2]corev1.ResourceList{{have.Requests, want.Requests}, {have.Limits, want.Limits}} {
			if _, wanted := lists[1][name]; wanted && !sameQuantity(lists[0], lists[1], name) {
				return false
			}
		}
	}
	return true
}

// guaranteed tells whether pods of a podSpec are in the class Guaranteed: a pod never changes its class.
func guaranteed(spec *corev1.PodSpec) bool {
	for _, container := range slices.Concat(spec.InitContainers, spec.Containers) {
		for _, name := range resized {
			r := Resources(&container)
			if limit := r.Limits[name]; limit.IsZero() || !sameQuantity(r.Requests, r.Limits, name) {
				return false
			}
		}
	}
	return true
}
