package scheduler

import (
	"context"
	"fmt"
	"maps"
	"slices"

	schedulingv1alpha3 "k8s.io/api/scheduling/v1alpha3"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	schedulingv1alpha3ac "k8s.io/client-go/applyconfigurations/scheduling/v1alpha3"
	schedulingv1beta1ac "k8s.io/client-go/applyconfigurations/scheduling/v1beta1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/internal/consistency"
	"grove.io/grove/controllers/internal/index"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/podgang"
)

// Kubernetes is the backend for kube-scheduler: one PodGroup of scheduling.k8s.io/v1beta1 for each unit, or for each part of it
// below a CompositePodGroup of v1alpha3. Only the pods of the unit name the group, so that nothing else can stand for them, and
// the group comes first: kube-scheduler leaves them alone until there are as many as it asks for. As long as the API server doesn't serve
// PodGroups it does nothing.
type Kubernetes struct {
	consistency.Tracker
	discovery  *Discovery
	cluster    *cluster.Cluster
	podGroups  informers.SharedInformerFactory
	composites informers.SharedInformerFactory
	groups     *apply.Kind[*schedulingv1beta1.PodGroup, *schedulingv1beta1ac.PodGroupApplyConfiguration]
	roots      *apply.Kind[*schedulingv1alpha3.CompositePodGroup, *schedulingv1alpha3ac.CompositePodGroupApplyConfiguration]
}

// NewKubernetes returns the backend for a cluster, or for one namespace of it. It needs nothing that isn't served: its caches
// begin when a discovery finds what they are of.
func NewKubernetes(discovery *Discovery, c *cluster.Cluster) (*Kubernetes, error) {
	k := &Kubernetes{discovery: discovery, cluster: c, podGroups: c.All(foreign), composites: c.All(foreign)}
	groups := k.podGroups.Scheduling().V1beta1().PodGroups().Informer()
	roots := k.composites.Scheduling().V1alpha3().CompositePodGroups().Informer()
	for _, informer := range []cache.SharedIndexInformer{groups, roots} {
		if err := informer.AddIndexers(index.ByLabel(v1alpha1.LabelPodGang)); err != nil {
			return nil, err
		}
	}
	k.groups = apply.NewKind("PodGroup", plan.GangManager, &k.Tracker, groups.GetIndexer(), c.Kube.SchedulingV1beta1().PodGroups, schedulingv1beta1ac.ExtractPodGroup)
	k.groups.Inherited = true
	// Where pods are placed can't be changed any more; how many there are can.
	k.groups.Immutable = func(owned, wanted *schedulingv1beta1ac.PodGroupApplyConfiguration) *schedulingv1beta1ac.PodGroupApplyConfiguration {
		if owned.Spec == nil {
			return wanted
		}
		changed := *wanted
		changed.Spec = ptr.To(*owned.Spec)
		changed.Spec.SchedulingPolicy = wanted.Spec.SchedulingPolicy
		return &changed
	}
	k.groups.Lazy = func(owned, wanted *schedulingv1beta1ac.PodGroupApplyConfiguration) *schedulingv1beta1ac.PodGroupApplyConfiguration {
		changed := *wanted
		changed.ObjectMetaApplyConfiguration = apply.KeepAnnotations(owned.ObjectMetaApplyConfiguration, wanted.ObjectMetaApplyConfiguration)
		return &changed
	}
	k.roots = apply.NewKind("CompositePodGroup", plan.GangManager, &k.Tracker, roots.GetIndexer(), c.Kube.SchedulingV1alpha3().CompositePodGroups,
		schedulingv1alpha3ac.ExtractCompositePodGroup)
	k.roots.Inherited = true
	k.roots.Immutable = func(owned, wanted *schedulingv1alpha3ac.CompositePodGroupApplyConfiguration) *schedulingv1alpha3ac.CompositePodGroupApplyConfiguration {
		if owned.Spec == nil {
			return wanted
		}
		changed := *wanted
		changed.Spec = owned.Spec
		return &changed
	}
	k.roots.Lazy = func(owned, wanted *schedulingv1alpha3ac.CompositePodGroupApplyConfiguration) *schedulingv1alpha3ac.CompositePodGroupApplyConfiguration {
		changed := *wanted
		changed.ObjectMetaApplyConfiguration = apply.KeepAnnotations(owned.ObjectMetaApplyConfiguration, wanted.ObjectMetaApplyConfiguration)
		return &changed
	}
	discovery.onServed = append(discovery.onServed, k.serve)
	return k, nil
}

// serve fills the caches of what is served. Roots that are there count, also while no more can be made.
func (k *Kubernetes) serve(ctx context.Context, kinds served) error {
	start := func(served bool, factory informers.SharedInformerFactory) error {
		if !served {
			return nil
		}
		factory.Start(k.cluster.Stopped())
		return factory.WaitForCacheSyncWithContext(ctx).AsError()
	}
	return utilerrors.NewAggregate([]error{start(kinds.podGroups, k.podGroups), start(kinds.composites, k.composites)})
}

// Shutdown returns when the caches, whose channel has been closed, have ended.
func (k *Kubernetes) Shutdown() {
	k.podGroups.Shutdown()
	k.composites.Shutdown()
}

// foreign drops all but the metadata of groups that aren't Grove's: that they have their names is all that matters of them.
func foreign(obj any) (any, error) {
	switch group := obj.(type) {
	case *schedulingv1beta1.PodGroup:
		if group.Labels[v1alpha1.LabelManagedBy] != v1alpha1.ManagedBy {
			group.ManagedFields, group.Annotations = nil, nil
			group.Spec, group.Status = schedulingv1beta1.PodGroupSpec{}, schedulingv1beta1.PodGroupStatus{}
		}
	case *schedulingv1alpha3.CompositePodGroup:
		if group.Labels[v1alpha1.LabelManagedBy] != v1alpha1.ManagedBy {
			group.ManagedFields, group.Annotations = nil, nil
			group.Spec, group.Status = schedulingv1alpha3.CompositePodGroupSpec{}, schedulingv1alpha3.CompositePodGroupStatus{}
		}
	}
	return obj, nil
}

// Scheduling is what was discovered.
func (k *Kubernetes) Scheduling() plan.Scheduling { return k.discovery.Found() }

// Group looks for a group, or a root, of the name.
func (k *Kubernetes) Group(namespace, group string, podGang *v1alpha1.PodGang) plan.SchedulerGroup {
	for _, kind := range []struct {
		name  string
		cache cache.Indexer
	}{{"PodGroup", k.groups.Cache}, {"CompositePodGroup", k.roots.Cache}} {
		obj, exists, err := kind.cache.GetByKey(cache.NewObjectName(namespace, group).String())
		if err != nil || !exists {
			continue
		}
		object := obj.(metav1.Object)
		ours := podGang != nil && metav1.IsControlledBy(object, podGang)
		switch {
		case ours && object.GetDeletionTimestamp() == nil:
			return plan.SchedulerGroup{Exists: true}
		case object.GetDeletionTimestamp() != nil:
			return plan.SchedulerGroup{Taken: fmt.Sprintf("%s %s of an earlier gang is terminating, and ends with the last pod that names it", kind.name, group)}
		case object.GetLabels()[v1alpha1.LabelManagedBy] == v1alpha1.ManagedBy:
			return plan.SchedulerGroup{Taken: fmt.Sprintf("%s %s is still there from an earlier gang", kind.name, group)}
		default:
			return plan.SchedulerGroup{Taken: fmt.Sprintf("%s %s exists and isn't Grove's; delete it, or give the PodCliqueSet another name", kind.name, group)}
		}
	}
	return plan.SchedulerGroup{}
}

// Join sets the pod's schedulingGroup.
func (k *Kubernetes) Join(pod *corev1ac.PodApplyConfiguration, group string) {
	pod.Spec.WithSchedulingGroup(corev1ac.PodSchedulingGroup().WithPodGroupName(group))
}

// Write applies the groups of placements, roots after what is below them, and deletes those of units that are no more. A group that an
// earlier gang has left counts that gang's pods as long as they are there, terminating or not: with it, a new gang wouldn't be placed all or
// nothing.
func (k *Kubernetes) Write(ctx context.Context, owner apply.Owner, placements []podgang.Placement, named podgang.Names) error {
	if !k.discovery.Found().Gangs {
		return nil
	}
	keep := maps.Clone(named.Any)
	var groups []*schedulingv1beta1ac.PodGroupApplyConfiguration
	var roots []*schedulingv1alpha3ac.CompositePodGroupApplyConfiguration
	for _, p := range placements {
		for _, group := range podGroups(owner, p) {
			if !left(k.groups.Cache, owner, *group.Name) || named.Living[*group.Name] {
				keep[*group.Name] = true
				groups = append(groups, group)
			}
		}
		for _, root := range composite(owner, p) {
			if !left(k.roots.Cache, owner, *root.Name) || slices.ContainsFunc(p.Groups, func(g podgang.PlacementGroup) bool { return named.Living[g.Name] }) {
				keep[*root.Name] = !k.outdated(owner, root)
				roots = append(roots, root)
			}
		}
	}
	written := k.groups.All(ctx, owner, groups)
	if written == nil {
		written = k.roots.All(ctx, owner, roots)
	}
	return utilerrors.NewAggregate([]error{
		written,
		k.groups.Delete(ctx, owner, others[*schedulingv1beta1.PodGroup](k.groups.Cache, owner, keep)),
		k.roots.Delete(ctx, owner, others[*schedulingv1alpha3.CompositePodGroup](k.roots.Cache, owner, keep)),
	})
}

// outdated tells whether a root asks for another number of parts than its unit has now, which can't be changed: it is made anew. A scheduler
// that waits for a part whose cliques were turned off would place no pod of the unit that was lost.
func (k *Kubernetes) outdated(owner apply.Owner, wanted *schedulingv1alpha3ac.CompositePodGroupApplyConfiguration) bool {
	obj, exists, err := k.roots.Cache.GetByKey(cache.NewObjectName(owner.GetNamespace(), *wanted.Name).String())
	if err != nil || !exists {
		return false
	}
	root := obj.(*schedulingv1alpha3.CompositePodGroup)
	gang := root.Spec.SchedulingPolicy.Gang
	return metav1.IsControlledBy(root, owner) && gang != nil && gang.MinGroupCount != *wanted.Spec.SchedulingPolicy.Gang.MinGroupCount
}

// left tells whether an object of Grove's has a name that an earlier gang has left, or is leaving.
func left(indexer cache.Indexer, owner apply.Owner, name string) bool {
	obj, exists, err := indexer.GetByKey(cache.NewObjectName(owner.GetNamespace(), name).String())
	if err != nil || !exists {
		return false
	}
	object := obj.(metav1.Object)
	return object.GetLabels()[v1alpha1.LabelManagedBy] == v1alpha1.ManagedBy && (!metav1.IsControlledBy(object, owner) || object.GetDeletionTimestamp() != nil)
}

// others are what an owner has, or an earlier one has left to it, and isn't to be kept.
func others[T metav1.Object](indexer cache.Indexer, owner apply.Owner, keep map[string]bool) []T {
	return slices.DeleteFunc(index.Family[T](indexer, owner), func(object T) bool {
		return keep[object.GetName()] || object.GetLabels()[v1alpha1.LabelManagedBy] != v1alpha1.ManagedBy
	})
}

// DeleteAll deletes groups by their label, but for those that a PodGang of another owner has.
func (k *Kubernetes) DeleteAll(ctx context.Context, namespace, set string, podGangs []*v1alpha1.PodGang) error {
	var errs []error
	if k.discovery.Found().Gangs {
		errs = append(errs, apply.DeleteCollection(ctx, k.cluster.Kube.SchedulingV1beta1().PodGroups(namespace), set,
			spared[*schedulingv1beta1.PodGroup](k.groups.Cache, namespace, set, podGangs)))
	}
	if len(k.roots.Cache.ListKeys()) > 0 {
		errs = append(errs, apply.DeleteCollection(ctx, k.cluster.Kube.SchedulingV1alpha3().CompositePodGroups(namespace), set,
			spared[*schedulingv1alpha3.CompositePodGroup](k.roots.Cache, namespace, set, podGangs)))
	}
	return utilerrors.NewAggregate(errs)
}

// spared are the names of groups that are labelled as a set's, and of none of some PodGangs.
func spared[T metav1.Object](indexer cache.Indexer, namespace, set string, podGangs []*v1alpha1.PodGang) []string {
	return apply.Spared(indexer, namespace, set, func(object metav1.Object) bool {
		return slices.ContainsFunc(podGangs, func(podGang *v1alpha1.PodGang) bool { return metav1.IsControlledBy(object, podGang) })
	})
}

// Verdicts are the messages of PodGroups that couldn't be scheduled; of a unit that is divided, that of the first.
func (k *Kubernetes) Verdicts(podGang *v1alpha1.PodGang) map[string]string {
	verdicts := map[string]string{}
	groups := index.Controlled[*schedulingv1beta1.PodGroup](k.groups.Cache, podGang.UID)
	slices.SortFunc(groups, plan.ByName)
	for _, group := range groups {
		condition := meta.FindStatusCondition(group.Status.Conditions, schedulingv1beta1.PodGroupInitiallyScheduled)
		if condition == nil || condition.Status != metav1.ConditionFalse {
			continue
		}
		unit := group.Name
		if parent := group.Spec.ParentCompositePodGroupName; parent != nil {
			unit = *parent
		}
		if verdicts[unit] == "" {
			verdicts[unit] = condition.Message
		}
	}
	return verdicts
}
