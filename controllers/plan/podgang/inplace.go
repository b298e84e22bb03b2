package podgang

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// Patch is the next change of a pod that takes another podSpec where it is: one request. Where only images differ, there is but one, and image
// and hash change together. Resources are a matter of a request of their own, which takes no hash: the pod says ahead of it what it is about to
// become, and bears the hash once it has the resources. Whoever looks in between knows how to go on, to that podSpec or to a later one.
type Patch struct {
	Pod *corev1.Pod
	// Config is complete: all that the PodGang's controller owns of the pod.
	Config *corev1ac.PodApplyConfiguration
	// Resize tells whether it is of the subresource resize.
	Resize bool
}

// stale is a pod of an older podSpec, or on its way to the one that its PodClique has.
type stale struct {
	pod *corev1.Pod
	// patch changes it where it is; nil if it is replaced.
	patch *Patch
}

// changes are those that pods need, by PodClique and the hash of the podSpec that they have.
type changes map[[2]string]change

// change leads from one podSpec to another.
type change struct {
	before *plan.PodTemplate
	plan.Difference
	possible bool
}

// change leads pods of a podSpec with a hash to the one that their PodClique has. It isn't possible where nobody knows any more what the hash
// stands for, or where somebody asked for new pods.
func (l look) change(clique plan.Clique, hash string) change {
	key := [2]string{clique.Object.Name, hash}
	if known, ok := l.changes[key]; ok {
		return known
	}
	var found change
	for _, template := range l.templates() {
		if plan.PodCliqueName(clique.Set.Name, template.Name, clique.Index()) == clique.Object.Name && template.Hash() == hash {
			found.before = &template
		}
	}
	if found.before != nil {
		found.Difference, found.possible = plan.DifferenceOf(&found.before.PodSpec, &clique.Object.Spec.PodSpec)
		found.possible = found.possible && found.before.RestartedAt == clique.Object.Annotations[v1alpha1.AnnotationRestartedAt]
	}
	l.changes[key] = found
	return found
}

// patch changes a pod to its PodClique's podSpec where it is; nil if it has to be replaced.
func (l look) patch(clique plan.Clique, pod *corev1.Pod, hash string) *Patch {
	record := plan.InPlaceOf(pod)
	change := l.change(clique, pod.Labels[v1alpha1.LabelPodTemplateHash])
	if !change.possible || plan.Infeasible(pod, hash) || !takes(clique, pod, hash, change.before) {
		return nil
	}
	p := patching{pod: pod, record: record, target: hash, Difference: change.Difference, spec: &clique.Object.Spec.PodSpec}
	// What an earlier change has made of the pod's resources isn't known, if it didn't come to its end.
	p.Resized = p.Resized || record.Resizing
	return p.next()
}

// takes tells whether a pod can be changed where it is. One that doesn't run is as well replaced. One that doesn't have the images that it was
// made with was changed by somebody else: a webhook perhaps, which would see to another image only at a pod's birth. And where a restart of a
// container has other pods recreated, it must be beyond doubt why each container has restarted.
func takes(clique plan.Clique, pod *corev1.Pod, hash string, before *plan.PodTemplate) bool {
	if pod.Status.Phase != corev1.PodRunning || !plan.IsScheduled(pod) {
		return false
	}
	for _, container := range slices.Concat(before.PodSpec.InitContainers, before.PodSpec.Containers) {
		if plan.ContainerOf(&pod.Spec, container.Name).Image != container.Image {
			return false
		}
	}
	if clique.Together() == plan.Alone {
		return true
	}
	record := plan.InPlaceOf(pod)
	begun := record.Resizing && record.Hash == hash
	return !plan.Restarted(pod) && (begun || !record.Resizing && plan.Settled(pod))
}

// patching is a change of a pod.
type patching struct {
	plan.Difference
	pod    *corev1.Pod
	record plan.InPlace
	// target is the hash of the podSpec that it leads to.
	target string
	spec   *corev1.PodSpec
}

// next is the next request.
func (p patching) next() *Patch {
	before := p.pod.Labels[v1alpha1.LabelPodTemplateHash]
	switch {
	case p.Resized && !(p.record.Resizing && p.record.Hash == p.target):
		record := plan.InPlace{Hash: p.target, Resizing: true, Resized: true, Containers: p.restarting(p.Restarted)}
		return &Patch{Pod: p.pod, Config: p.config(before, record, &p.pod.Spec)}
	case p.Resized && !p.hasResources():
		return &Patch{Pod: p.pod, Config: p.resources(), Resize: true}
	}
	record := plan.InPlace{Hash: p.target, Resized: p.Resized || p.record.Resized, Generation: p.pod.Generation, Containers: p.restarting(p.Images)}
	if len(p.Images) > 0 && p.pod.Generation > 0 {
		record.Generation++
	}
	return &Patch{Pod: p.pod, Config: p.config(p.target, record, p.spec)}
}

// containers are those of the podSpec that can be changed, sidecars first.
func (p patching) containers() (sidecars, regular []corev1.Container) {
	for _, container := range p.spec.InitContainers {
		if container.RestartPolicy != nil && *container.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			sidecars = append(sidecars, container)
		}
	}
	return sidecars, p.spec.Containers
}

// config gives a pod a hash, a record, and the images that some podSpec has.
func (p patching) config(hash string, record plan.InPlace, images *corev1.PodSpec) *corev1ac.PodApplyConfiguration {
	spec := corev1ac.PodSpec()
	configure := func(container corev1.Container) *corev1ac.ContainerApplyConfiguration {
		return corev1ac.Container().WithName(container.Name).WithImage(plan.ContainerOf(images, container.Name).Image)
	}
	sidecars, regular := p.containers()
	for _, container := range sidecars {
		spec.WithInitContainers(configure(container))
	}
	for _, container := range regular {
		spec.WithContainers(configure(container))
	}
	return corev1ac.Pod(p.pod.Name, p.pod.Namespace).
		WithLabels(map[string]string{v1alpha1.LabelPodTemplateHash: hash}).
		WithAnnotations(map[string]string{v1alpha1.AnnotationInPlace: record.String()}).
		WithSpec(spec)
}

// resources give a pod those of the podSpec.
func (p patching) resources() *corev1ac.PodApplyConfiguration {
	spec := corev1ac.PodSpec()
	sidecars, regular := p.containers()
	for _, container := range sidecars {
		if configured := withResources(&container); configured != nil {
			spec.WithInitContainers(configured)
		}
	}
	for _, container := range regular {
		if configured := withResources(&container); configured != nil {
			spec.WithContainers(configured)
		}
	}
	return corev1ac.Pod(p.pod.Name, p.pod.Namespace).WithSpec(spec)
}

// withResources is a container with its resources; nil if it has none.
func withResources(container *corev1.Container) *corev1ac.ContainerApplyConfiguration {
	complete := plan.Resources(container)
	if len(complete.Requests)+len(complete.Limits) == 0 {
		return nil
	}
	return corev1ac.Container().WithName(container.Name).
		WithResources(corev1ac.ResourceRequirements().WithRequests(complete.Requests).WithLimits(complete.Limits))
}

// hasResources tells whether the pod has the resources of the podSpec.
func (p patching) hasResources() bool {
	sidecars, regular := p.containers()
	return !slices.ContainsFunc(slices.Concat(sidecars, regular), func(container corev1.Container) bool {
		return !plan.HasResources(plan.ContainerOf(&p.pod.Spec, container.Name), &container)
	})
}

// restarting adds to the record of the pod's containers those that the kubelet is about to restart. Of one that it hasn't got to since the last
// change, what it was before that one still says whether it has restarted.
func (p patching) restarting(names []string) map[string]plan.Before {
	containers := maps.Clone(p.record.Containers)
	for _, name := range names {
		status, before := plan.StatusOf(p.pod, name), plan.Before{Image: plan.ContainerOf(&p.pod.Spec, name).Image}
		if earlier, ok := containers[name]; ok && earlier.ID == status.ContainerID {
			before = earlier
		} else {
			before.ID, before.Restarts = status.ContainerID, status.RestartCount
		}
		if before.ID != "" {
			before.Restarts++
		}
		if containers == nil {
			containers = map[string]plan.Before{}
		}
		containers[name] = before
	}
	return containers
}
