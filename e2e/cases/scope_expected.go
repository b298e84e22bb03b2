package cases

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
)

// What the conditions of everything say that is as it should be.
const (
	availableSet    = "Available=True Complete=False Degraded=False Progressing=False Ready=True ResourcesApplied=True"
	runningGang     = "GangScheduling=True Ready=True Scheduled=True"
	availableClique = "MinAvailableBreached=False PodCliqueScheduled=True ResourcesApplied=True"
)

// expect adds what has to be there for a set.
func (w world) expect(name string, want facts) {
	set := typed[v1alpha1.PodCliqueSet](w, podCliqueSets, name)
	n := set.Spec.Replicas
	want[key(podCliqueSets, name)] = fmt.Sprintf("phase Available, observed true, %d replicas, %d available, "+availableSet, n, n)
	for kind, child := range map[schema.GroupVersionResource]string{services: name + "-headless", serviceAccounts: "grove-" + name, roles: "grove-" + name, roleBindings: "grove-" + name} {
		want[key(kind, child)] = "exists"
	}
	groupOf := map[string]*v1alpha1.PodCliqueScalingGroup{}
	for _, config := range set.Spec.Template.PodCliqueScalingGroups {
		group := typed[v1alpha1.PodCliqueScalingGroup](w, scalingGroups, name+"-"+config.Name)
		want[key(scalingGroups, name+"-"+config.Name)] = "observed true, MinAvailableBreached=False"
		for _, clique := range config.CliqueNames {
			groupOf[clique] = group
		}
	}
	for i := range n {
		want[key(podGangs, fmt.Sprintf("%s-%d", name, i))] = "phase Running, observed true, " + runningGang
		for _, clique := range set.Spec.Template.Cliques {
			w.expectPodClique(fmt.Sprintf("%s-%s-%d", name, clique.Name, i), groupOf[clique.Name], want)
		}
	}
}

// expectPodClique adds a PodClique and its pods.
func (w world) expectPodClique(name string, group *v1alpha1.PodCliqueScalingGroup, want facts) {
	podClique := typed[v1alpha1.PodClique](w, podCliques, name)
	replicas := raised(podClique.Spec.Replicas, podClique.Spec.MinAvailable)
	gang := podClique.Labels[v1alpha1.LabelPodGang]
	unitOf := map[string]string{name: gang}
	if group != nil {
		delete(unitOf, name)
		for g, slice := range podNames(name, int(raised(group.Spec.Replicas, group.Spec.MinAvailable))) {
			unitOf[slice] = gang
			if g >= int(ptr.Deref(group.Spec.MinAvailable, 1)) {
				unitOf[slice] = fmt.Sprintf("%s-%s-%d", gang, strings.TrimPrefix(group.Name, podClique.Labels[v1alpha1.LabelPodCliqueSet]+"-"), g)
			}
		}
	}
	for slice, unit := range unitOf {
		for p, pod := range podNames(slice, int(replicas)) {
			if p >= int(ptr.Deref(podClique.Spec.MinAvailable, replicas)) {
				unit = "no unit"
			}
			want[key(pods, pod)] = "ready, in " + unit
		}
	}
	all := int(replicas) * len(unitOf)
	want[key(podCliques, name)] = fmt.Sprintf("observed true, %d pods, %d scheduled, %d ready, "+availableClique, all, all, all)
}

// raised is what replicas amount to: 0 is off, and less than minAvailable counts as minAvailable.
func raised(replicas, minAvailable *int32) int32 {
	if n := ptr.Deref(replicas, 1); n > 0 {
		return max(n, ptr.Deref(minAvailable, n))
	}
	return 0
}

// expectPodGroups adds the PodGroups that living pods name.
func (w world) expectPodGroups(want facts) {
	named := map[string]int{}
	for name := range w.objects[pods] {
		pod := typed[corev1.Pod](w, pods, name)
		if group := pod.Spec.SchedulingGroup; pod.DeletionTimestamp == nil && group != nil {
			named[ptr.Deref(group.PodGroupName, "")]++
		}
	}
	for name, count := range named {
		want[key(podGroups, name)] = fmt.Sprintf("minCount %d", count)
		if parent := typed[schedulingv1beta1.PodGroup](w, podGroups, name).Spec.ParentCompositePodGroupName; parent != nil {
			want[key(compositePodGroups, *parent)] = "exists"
		}
	}
}
