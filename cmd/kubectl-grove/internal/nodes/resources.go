package nodes

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"
)

// amounts of resources, in the units in which kube-scheduler counts: thousandths of a CPU, and ones of everything else.
type amounts map[corev1.ResourceName]int64

// add adds so many times what something asks for.
func (a amounts) add(asked amounts, times int64) {
	for name, amount := range asked {
		a[name] += times * amount
	}
}

// amountOf is a quantity of a resource.
func amountOf(name corev1.ResourceName, quantity resource.Quantity) int64 {
	if name == corev1.ResourceCPU {
		return quantity.MilliValue()
	}
	return quantity.Value()
}

// quantityOf is an amount of a resource as users write it.
func quantityOf(name corev1.ResourceName, amount int64, format resource.Format) *resource.Quantity {
	if name == corev1.ResourceCPU {
		return resource.NewMilliQuantity(amount, resource.DecimalSI)
	}
	return resource.NewQuantity(amount, format)
}

// requests are what a pod takes of a node: what its containers ask for together, or one of its init containers beside the sidecars that run
// before it, or the pod as a whole, with the overhead of its runtime class; and itself, of the pods that a node may have.
func requests(pod *corev1.Pod) amounts {
	asked := amounts{corev1.ResourcePods: 1}
	for name, quantity := range resourcehelper.PodRequests(defaulted(pod), resourcehelper.PodResourcesOptions{UseStatusResources: true}) {
		asked[name] = amountOf(name, quantity)
	}
	return asked
}

// defaulted is a pod whose containers ask for what they are limited to where they don't say what they ask for, as the API server makes it.
func defaulted(pod *corev1.Pod) *corev1.Pod {
	after := *pod
	after.Spec.Containers, after.Spec.InitContainers = asking(pod.Spec.Containers), asking(pod.Spec.InitContainers)
	return &after
}

func asking(containers []corev1.Container) []corev1.Container {
	var all []corev1.Container
	for _, container := range containers {
		requests := maps.Clone(container.Resources.Limits)
		if requests == nil {
			requests = corev1.ResourceList{}
		}
		maps.Copy(requests, container.Resources.Requests)
		container.Resources.Requests = requests
		all = append(all, container)
	}
	return all
}

// lacks says of which resources the node has too little left, by name.
func (m *machine) lacks(asked amounts) []Reason {
	var reasons []Reason
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		allocatable, has := m.Status.Allocatable[name]
		free := max(0, amountOf(name, allocatable)-m.requested[name])
		if asked[name] == 0 || asked[name] <= free {
			continue
		}
		format := allocatable.Format
		if !has {
			format = resource.DecimalSI
		}
		reason := Reason{Filter: NodeResourcesFit, Resource: name, Free: quantityOf(name, free, format), Asked: quantityOf(name, asked[name], format)}
		reason.Words = fmt.Sprintf("%s %s free, %s asked", name, reason.Free, reason.Asked)
		if !has && name != corev1.ResourcePods {
			reason.Words = fmt.Sprintf("no %s, %s asked", name, reason.Asked)
		}
		reasons = append(reasons, reason)
	}
	return reasons
}

// use is how much of the node's CPUs and memory would be asked for with a pod on it, from 0 to 1, which is what kube-scheduler's default score
// goes by.
func (m *machine) use(asked amounts) float64 {
	var use float64
	of := []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory}
	for _, name := range of {
		if all := amountOf(name, m.Status.Allocatable[name]); all > 0 {
			use += float64(m.requested[name]+asked[name]) / float64(all)
		}
	}
	return use / float64(len(of))
}
