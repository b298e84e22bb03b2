// Package observe gathers from the caches what more than one planner looks at.
package observe

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/lru"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/internal/index"
	"grove.io/grove/controllers/internal/scheduler"
	"grove.io/grove/controllers/plan"
)

// remembered is how many PodCliques' hashes an Observer remembers.
const remembered = 100_000

const podCliqueKind = "PodClique"

// Observer reads the caches of a cluster, and what a scheduler can do.
type Observer struct {
	cluster *cluster.Cluster
	backend scheduler.Backend
	// hashes has, by UID, the hash of what a PodClique's pods are made from: it is asked for with every change of a pod.
	hashes *lru.Cache
}

// New returns an observer.
func New(cluster *cluster.Cluster, backend scheduler.Backend) Observer {
	return Observer{cluster: cluster, backend: backend, hashes: lru.New(remembered)}
}

// hashed is a hash, and which state of a PodClique it is of.
type hashed struct {
	generation  int64
	restartedAt string
	hash        string
}

// hashOf is the hash of what the pods of a PodClique are made from.
func (o Observer) hashOf(podClique *v1alpha1.PodClique) string {
	generation, restartedAt := podClique.Generation, podClique.Annotations[v1alpha1.AnnotationRestartedAt]
	if known, ok := o.hashes.Get(podClique.UID); ok && known.(hashed).generation == generation && known.(hashed).restartedAt == restartedAt {
		return known.(hashed).hash
	}
	hash := plan.Clique{Object: podClique}.TemplateHash()
	o.hashes.Add(podClique.UID, hashed{generation, restartedAt, hash})
	return hash
}

// Set finds the PodCliqueSet that controls a child. It is false where there is none, or where it isn't there to stay.
func (o Observer) Set(child metav1.Object) (*v1alpha1.PodCliqueSet, bool) {
	owner := metav1.GetControllerOfNoCopy(child)
	if owner == nil {
		return nil, false
	}
	sets := o.cluster.GroveInformers.Grove().V1alpha1().PodCliqueSets().Lister()
	set, err := sets.PodCliqueSets(child.GetNamespace()).Get(owner.Name)
	return set, err == nil && set.UID == owner.UID && set.DeletionTimestamp == nil
}

// Clique gathers what decides about the pods of a PodClique. It is false while the caches don't have the PodCliqueSet, or the
// scaling group, that the PodClique belongs to: their arrival will be seen.
func (o Observer) Clique(podClique *v1alpha1.PodClique) (plan.Clique, bool) {
	set, there := o.Set(podClique)
	if !there {
		return plan.Clique{}, false
	}
	podGang, err := o.cluster.GroveInformers.Grove().V1alpha1().PodGangs().Lister().PodGangs(podClique.Namespace).Get(podClique.Labels[v1alpha1.LabelPodGang])
	if err != nil || !metav1.IsControlledBy(podGang, set) {
		podGang = nil
	}
	siblings := o.podsOf(podClique.Namespace, podClique.Labels[v1alpha1.LabelPodGang])
	return o.clique(plan.Clique{
		Object: podClique, Set: set, Gang: podGang, Siblings: siblings,
		Scheduling: o.scheduling(siblings), SchedulerGroups: o.schedulerGroups(podClique, podGang, siblings),
	})
}

// clique adds to what is known of a PodClique its scaling group and its pods.
func (o Observer) clique(observed plan.Clique) (plan.Clique, bool) {
	podClique, set := observed.Object, observed.Set
	observed.Hash = o.hashOf(podClique)
	if name := plan.ScalingGroupNameOf(set, podClique); name != "" {
		scalingGroups := o.cluster.GroveInformers.Grove().V1alpha1().PodCliqueScalingGroups().Lister()
		scalingGroup, err := scalingGroups.PodCliqueScalingGroups(podClique.Namespace).Get(name)
		if err != nil || !metav1.IsControlledBy(scalingGroup, set) {
			return observed, false
		}
		observed.ScalingGroup = scalingGroup
	}
	observed.Pods = index.Family[*corev1.Pod](o.cluster.Children.Core().V1().Pods().Informer().GetIndexer(), podClique)
	return observed, true
}

// Replica gathers a PodGang and the PodCliques that its pod groups are of, as far as they exist. It is false while the caches don't
// have what one depends on: there is nothing to tell of a gang that is only beginning or ending, and the rest will be seen.
func (o Observer) Replica(podGang *v1alpha1.PodGang, podCliques []string) (plan.Replica, bool) {
	siblings := o.podsOf(podGang.Namespace, podGang.Name)
	replica := plan.Replica{
		Gang:            podGang,
		Cliques:         map[string]plan.Clique{},
		Siblings:        siblings,
		Scheduling:      o.scheduling(siblings),
		SchedulerGroups: o.schedulerGroups(podGang, podGang, siblings),
	}
	var there bool
	if replica.Set, there = o.Set(podGang); !there {
		return replica, false
	}
	if replica.Set.Spec.UpdateStrategy.InPlace == v1alpha1.InPlaceIfPossible {
		replica.Revisions = index.Controlled[*appsv1.ControllerRevision](o.cluster.Children.Apps().V1().ControllerRevisions().Informer().GetIndexer(), replica.Set.UID)
	}
	lister := o.cluster.GroveInformers.Grove().V1alpha1().PodCliques().Lister().PodCliques(podGang.Namespace)
	for _, name := range podCliques {
		podClique, err := lister.Get(name)
		if err != nil || !metav1.IsControlledBy(podClique, replica.Set) {
			// It has no pods, then.
			continue
		}
		clique, complete := o.clique(plan.Clique{
			Object: podClique, Set: replica.Set, Gang: podGang, Siblings: siblings, Scheduling: replica.Scheduling, SchedulerGroups: replica.SchedulerGroups,
		})
		if !complete {
			return replica, false
		}
		replica.Cliques[name] = clique
	}
	return replica, true
}

// podsOf are the pods that are labelled with a PodGang, without those that something other than a PodClique controls: a gang would wait for
// pods that nobody replaces.
func (o Observer) podsOf(namespace, podGang string) []*corev1.Pod {
	labelled := index.Labelled[*corev1.Pod](o.cluster.Children.Core().V1().Pods().Informer().GetIndexer(), namespace, podGang)
	return slices.DeleteFunc(labelled, func(pod *corev1.Pod) bool {
		owner := metav1.GetControllerOfNoCopy(pod)
		return owner != nil && owner.Kind != podCliqueKind
	})
}

func (o Observer) scheduling(siblings []*corev1.Pod) plan.Scheduling {
	return o.backend.Scheduling().For(siblings)
}

// schedulerGroups says whether pods of a gang may name a group.
func (o Observer) schedulerGroups(of metav1.Object, podGang *v1alpha1.PodGang, siblings []*corev1.Pod) func(string) plan.SchedulerGroup {
	return func(name string) plan.SchedulerGroup {
		found := o.backend.Group(of.GetNamespace(), name, podGang)
		if found.Taken == "" {
			return found
		}
		for _, pod := range siblings {
			if plan.Lives(pod) && plan.SchedulerGroupOf(pod) == name && o.ofSameSet(pod, of) {
				found.Exists = true
			}
		}
		return found
	}
}

// ofSameSet tells whether a pod belongs to the set that a child is of, rather than to a predecessor of its name, whose pods may live for
// a moment longer. One without a controller is about to be adopted.
func (o Observer) ofSameSet(pod *corev1.Pod, child metav1.Object) bool {
	owner, set := metav1.GetControllerOfNoCopy(pod), metav1.GetControllerOfNoCopy(child)
	if owner == nil || set == nil {
		return owner == nil
	}
	podClique, err := o.cluster.GroveInformers.Grove().V1alpha1().PodCliques().Lister().PodCliques(pod.Namespace).Get(owner.Name)
	if err != nil || podClique.UID != owner.UID {
		return false
	}
	of := metav1.GetControllerOfNoCopy(podClique)
	return of != nil && of.UID == set.UID
}
