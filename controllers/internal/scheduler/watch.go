package scheduler

import (
	schedulingv1alpha3 "k8s.io/api/scheduling/v1alpha3"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/index"
	"grove.io/grove/controllers/internal/runner"
	"grove.io/grove/controllers/plan/podgang"
)

// Watch marks the PodGang that a group is of, or bears the label of.
func (k *Kubernetes) Watch(all func() []cache.ObjectName, loops ...*runner.Loop) {
	for _, loop := range loops {
		runner.WatchLate(loop, k.podGroups.Scheduling().V1beta1().PodGroups().Informer(), podGangsOf[*schedulingv1beta1.PodGroup])
		runner.WatchLate(loop, k.composites.Scheduling().V1alpha3().CompositePodGroups().Informer(), podGangsOf[*schedulingv1alpha3.CompositePodGroup])
		k.markOnChange(loop, all)
	}
}

// markOnChange marks all when the scheduler can do more or less than before.
func (k *Kubernetes) markOnChange(loop *runner.Loop, all func() []cache.ObjectName) {
	k.discovery.onChange = append(k.discovery.onChange, func() {
		for _, key := range all() {
			loop.Mark(key)
		}
	})
}

// WatchGroups marks those that wait for a group when one comes or goes, and all when groups aren't to be waited for any more.
func (k *Kubernetes) WatchGroups(all func() []cache.ObjectName, waiting func(podGang cache.ObjectName) []cache.ObjectName, loops ...*runner.Loop) {
	for _, loop := range loops {
		runner.WatchLatePresence(loop, k.podGroups.Scheduling().V1beta1().PodGroups().Informer(), func(group *schedulingv1beta1.PodGroup) []cache.ObjectName {
			return waitingFor(group, waiting)
		})
		runner.WatchLatePresence(loop, k.composites.Scheduling().V1alpha3().CompositePodGroups().Informer(), func(group *schedulingv1alpha3.CompositePodGroup) []cache.ObjectName {
			return waitingFor(group, waiting)
		})
		k.markOnChange(loop, all)
	}
}

func waitingFor(group metav1.Object, waiting func(podGang cache.ObjectName) []cache.ObjectName) []cache.ObjectName {
	var all []cache.ObjectName
	for _, podGang := range podGangsOf(group) {
		all = append(all, waiting(podGang)...)
	}
	return all
}

// podGangsOf are the PodGangs that a group may stand in the way of: that which it is of or bears the label of and, for one that isn't
// Grove's, that whose base unit has the name.
func podGangsOf[T metav1.Object](group T) []cache.ObjectName {
	if keys := index.ControllerKey(podgang.Kind, group); len(keys) > 0 {
		return keys
	}
	name := group.GetName()
	if label := group.GetLabels()[v1alpha1.LabelPodGang]; label != "" {
		name = label
	}
	return []cache.ObjectName{cache.NewObjectName(group.GetNamespace(), name)}
}
