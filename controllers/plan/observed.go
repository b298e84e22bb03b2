package plan

import (
	"iter"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
)

// MostPods is how many pods one replica of a set may have. Admission bounds what a template asks for; what somebody scales to beyond
// it is bounded here, since one object must not exhaust the operator or etcd.
const MostPods = 5000

// Replica is one replica of a set, as the caches have it.
type Replica struct {
	Set  *v1alpha1.PodCliqueSet
	Gang *v1alpha1.PodGang
	// Cliques are the replica's PodCliques that exist, by name.
	Cliques map[string]Clique
	// Siblings are all pods that bear the PodGang's label, also those of PodCliques that it has no pod groups of any more.
	Siblings []*corev1.Pod
	// Revisions record the podSpecs that the set had, where pods are changed in place.
	Revisions []*appsv1.ControllerRevision
	// Scheduling is what the scheduler can do for the replica's pods.
	Scheduling Scheduling
	// SchedulerGroups tells what there is of a group in the scheduler, by its name.
	SchedulerGroups func(name string) SchedulerGroup
	// Verdicts have the scheduler's own words on units that it can't place, by the units' names.
	Verdicts map[string]string
}

// Clique is a PodClique with what decides about its pods, as the caches have it.
type Clique struct {
	Object *v1alpha1.PodClique
	// Set is the PodCliqueSet that controls the PodClique.
	Set *v1alpha1.PodCliqueSet
	// ScalingGroup is the one that the PodClique is a member of; nil if there is none.
	ScalingGroup *v1alpha1.PodCliqueScalingGroup
	// Gang is the PodGang of the PodClique's replica; nil while there is none.
	Gang *v1alpha1.PodGang
	// Pods are those that the PodClique controls, and those that it may adopt.
	Pods []*corev1.Pod
	// Siblings are all pods of the PodClique's replica.
	Siblings []*corev1.Pod
	// Scheduling is what the scheduler can do for the replica's pods.
	Scheduling Scheduling
	// SchedulerGroups tells what there is of a group in the scheduler, by its name.
	SchedulerGroups func(name string) SchedulerGroup
	// Hash is that of what new pods are made from, where it is known already; TemplateHash computes it else.
	Hash string
	// InitImage is the image of the init container of pods that start after others.
	InitImage string
}

// SchedulerGroup is what the caches have of a group of pods in the scheduler.
type SchedulerGroup struct {
	// Exists tells whether pods may name the group: it is there, and either the PodGang's and there to stay, or living pods of the replica name
	// it already, and it lasts as long as they do.
	Exists bool
	// Taken says in whose way it is that something of the name exists all the same; empty where nothing does.
	Taken string
}

// Index is the index of the PodClique's replica.
func (c Clique) Index() int32 {
	i, _ := IndexLabel(c.Object, v1alpha1.LabelReplicaIndex)
	return i
}

// MinAvailable is how many pods each pod group needs.
func (c Clique) MinAvailable() int32 {
	return CliqueMinAvailable((*v1alpha1.PodCliqueSpec)(&c.Object.Spec))
}

// Replicas is how many pods each pod group shall have.
func (c Clique) Replicas() int32 { return CliqueReplicas(c.Object) }

// GroupReplicas is how many pod groups the PodClique has: one, or one for each replica of its scaling group.
func (c Clique) GroupReplicas() int32 {
	if c.ScalingGroup == nil {
		return 1
	}
	return ScalingGroupReplicas(c.ScalingGroup)
}

// NumPods is how many pods the PodClique shall have.
func (c Clique) NumPods() int64 { return int64(c.Replicas()) * int64(c.GroupReplicas()) }

// Off tells whether the PodClique has no pods because it, or its scaling group, is scaled to 0.
func (c Clique) Off() bool { return c.NumPods() == 0 }

// PodGroupNames are those of the PodClique's pod groups, in their order.
func (c Clique) PodGroupNames() iter.Seq2[*int32, string] {
	return func(yield func(*int32, string) bool) {
		if c.ScalingGroup == nil {
			yield(nil, PodGroupName(c.Object.Name, nil))
			return
		}
		for g := range c.GroupReplicas() {
			if !yield(&g, PodGroupName(c.Object.Name, &g)) {
				return
			}
		}
	}
}

// PodIdentity says which pod of a PodClique one is.
type PodIdentity struct {
	// Name is the pod's name, which never changes its meaning.
	Name string
	// PodGroup is the name of the pod's pod group.
	PodGroup string
	// GroupReplica is the index of the group replica; nil in a standalone clique.
	GroupReplica *int32
	// Index is that within the pod group.
	Index int32
}

// Identities are the pods that the spec asks for, pod group by pod group, MostPods at most.
func (c Clique) Identities() iter.Seq[PodIdentity] {
	return func(yield func(PodIdentity) bool) {
		n := 0
		for g, podGroup := range c.PodGroupNames() {
			for p := range c.Replicas() {
				if n++; n > MostPods || !yield(PodIdentity{Name: PodName(podGroup, p), PodGroup: podGroup, GroupReplica: g, Index: p}) {
					return
				}
			}
		}
	}
}

// PodsByName are the PodClique's pods.
func (c Clique) PodsByName() map[string]*corev1.Pod {
	named := make(map[string]*corev1.Pod, len(c.Pods))
	for _, pod := range c.Pods {
		named[pod.Name] = pod
	}
	return named
}

// PodsByName are the replica's pods.
func (r Replica) PodsByName() map[string]*corev1.Pod {
	named := map[string]*corev1.Pod{}
	for _, clique := range r.Cliques {
		for _, pod := range clique.Pods {
			named[pod.Name] = pod
		}
	}
	return named
}

// Lives tells whether a pod is there and not on its way out.
func Lives(pod *corev1.Pod) bool { return pod != nil && pod.DeletionTimestamp == nil }

// HasEnded tells whether a pod has run to its end, well or not.
func HasEnded(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// SchedulerGroupOf is the name of the scheduler's group that a pod is in; empty for none.
func SchedulerGroupOf(pod *corev1.Pod) string {
	if pod.Spec.SchedulingGroup == nil || pod.Spec.SchedulingGroup.PodGroupName == nil {
		return ""
	}
	return *pod.Spec.SchedulingGroup.PodGroupName
}
