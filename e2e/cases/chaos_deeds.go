package cases

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
)

// choose returns the name of an object of a kind, nothing if there is none.
func (c *chaos) choose(kind schema.GroupVersionResource) string {
	c.Helper()
	list, err := c.dynamic.Resource(kind).Namespace(c.namespace).List(c.ctx, metav1.ListOptions{LabelSelector: ownedOrSet(kind)})
	c.must(err)
	// Chosen before it is known among how many: what follows from a seed shall depend as little as can be on the state.
	n := c.random.IntN(1 << 16)
	if len(list.Items) == 0 {
		return ""
	}
	return list.Items[n%len(list.Items)].GetName()
}

func ownedOrSet(kind schema.GroupVersionResource) string {
	if kind == podCliqueSets {
		return ""
	}
	return v1alpha1.LabelManagedBy + "=" + v1alpha1.ManagedBy + ",!" + labelForeign
}

// must fails the test on an error, but for what was gone, or another one, meanwhile.
func (c *chaos) must(err error) {
	c.Helper()
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		c.Fatalf("seed %d: %v", c.seed, err)
	}
}

func (c *chaos) scale(kind schema.GroupVersionResource, most int) string {
	c.Helper()
	name, replicas := c.choose(kind), c.random.IntN(most+1)
	if name == "" {
		return "nothing to scale"
	}
	patch := fmt.Appendf(nil, `{"spec": {"replicas": %d}}`, replicas)
	_, err := c.dynamic.Resource(kind).Namespace(c.namespace).Patch(c.ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}, "scale")
	c.must(err)
	return fmt.Sprintf("scale %s %s to %d", kind.Resource, name, replicas)
}

func (c *chaos) propagation() metav1.DeletionPropagation {
	ways := []metav1.DeletionPropagation{metav1.DeletePropagationBackground, metav1.DeletePropagationForeground, metav1.DeletePropagationOrphan}
	return ways[c.random.IntN(len(ways))]
}

func (c *chaos) deleteOne(kind schema.GroupVersionResource) string {
	c.Helper()
	name, way := c.choose(kind), c.propagation()
	if name == "" {
		return "nothing to delete"
	}
	c.must(c.dynamic.Resource(kind).Namespace(c.namespace).Delete(c.ctx, name, metav1.DeleteOptions{PropagationPolicy: &way}))
	return fmt.Sprintf("delete %s %s, %s", kind.Resource, name, way)
}

// deleteAll deletes what was orphaned, and is wanted no more.
func (c *chaos) deleteAll(orphans []orphan) {
	c.Helper()
	for _, o := range orphans {
		preconditions := metav1.NewUIDPreconditions(string(o.object.GetUID()))
		c.must(c.dynamic.Resource(o.kind).Namespace(c.namespace).Delete(c.ctx, o.object.GetName(), metav1.DeleteOptions{Preconditions: preconditions}))
	}
}

func (c *chaos) edit() string {
	c.Helper()
	name, n, image := c.choose(podCliqueSets), c.random.IntN(1<<16), c.random.IntN(2) == 0
	value := fmt.Sprint(n % 5)
	c.change(name, func(set *v1alpha1.PodCliqueSet) {
		clique := &set.Spec.Template.Cliques[n%len(set.Spec.Template.Cliques)]
		if image {
			clique.Spec.PodSpec.Containers[0].Image = "registry.k8s.io/pause:3." + value
			return
		}
		clique.Labels = map[string]string{"example.com/edited-" + value: value}
	})
	return fmt.Sprintf("edit set %s: image %t, %s", name, image, value)
}

// recreate deletes a set and applies one of the same name as soon as that is free.
func (c *chaos) recreate() string {
	c.Helper()
	sets := c.sets()
	set, way := sets[c.random.IntN(len(sets))], c.propagation()
	c.must(c.grove.GroveV1alpha1().PodCliqueSets(c.namespace).Delete(c.ctx, set.Name, metav1.DeleteOptions{PropagationPolicy: &way}))
	c.waitUntilGone(set.Name)
	c.apply(set)
	return fmt.Sprintf("recreate set %s, %s", set.Name, way)
}

// choosePod chooses among the pods that are ready; nil if there is none.
func (c *chaos) choosePod() *corev1.Pod {
	c.Helper()
	n := c.random.IntN(1 << 16)
	ready := c.podsThat(isReady)
	if len(ready) == 0 {
		return nil
	}
	return &ready[n%len(ready)]
}

func (c *chaos) podsThat(are func(pod *corev1.Pod) bool) []corev1.Pod {
	c.Helper()
	list, err := c.core.CoreV1().Pods(c.namespace).List(c.ctx, metav1.ListOptions{LabelSelector: ownedOrSet(pods)})
	c.must(err)
	return slices.DeleteFunc(list.Items, func(pod corev1.Pod) bool { return !are(&pod) })
}

// report reports a pod's status as a kubelet would, unless another pod has its name by now.
func (c *chaos) report(pod *corev1.Pod, status string) {
	c.Helper()
	patch := fmt.Appendf(nil, `{"metadata": {"uid": %q}, "status": %s}`, pod.UID, status)
	_, err := c.core.CoreV1().Pods(c.namespace).Patch(c.ctx, pod.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	c.must(err)
}

func (c *chaos) breakOne() string {
	c.Helper()
	pod := c.choosePod()
	if pod == nil {
		return "nothing to break"
	}
	c.report(pod, readiness(false))
	return "break pod " + pod.Name
}

func (c *chaos) failOne() string {
	c.Helper()
	pod := c.choosePod()
	if pod == nil {
		return "nothing to fail"
	}
	c.report(pod, `{"phase": "Failed"}`)
	return "fail pod " + pod.Name
}

// mendAll makes the containers ready again that broke, of pods that weren't replaced meanwhile.
func (c *chaos) mendAll() {
	c.Helper()
	broken := func(pod *corev1.Pod) bool {
		return pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil && !isReady(pod)
	}
	for _, pod := range c.podsThat(broken) {
		c.report(&pod, readiness(true))
	}
}

func (c *chaos) killControlPlane() string {
	c.Helper()
	c.must(c.KillControlPlane(c.ctx))
	c.pause()
	c.must(c.StartControlPlane(c.ctx))
	return "kill the control plane and start it again"
}
