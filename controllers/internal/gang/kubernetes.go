package gang

import (
	"context"
	"slices"

	schedulingv1alpha3 "k8s.io/api/scheduling/v1alpha3"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
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
	"grove.io/grove/controllers/internal/fresh"
	"grove.io/grove/controllers/internal/index"
	"grove.io/grove/controllers/internal/runner"
	"grove.io/grove/controllers/plan"
)

// manager is the field manager of what is written here: the podgang controller's.
const manager = "grove-podgang"

// Groups below a CompositePodGroup, and it, have to name templates in a Workload, which nobody reads and doesn't exist.
const (
	templateUnit = "unit"
	templatePart = "part"
)

// Kubernetes is the backend for kube-scheduler: one PodGroup of scheduling.k8s.io/v1beta1 for each unit, or for each part of it
// below a CompositePodGroup of v1alpha3. Only the pods of the unit name the group, so that nothing else can stand for them, and
// the group comes last: kube-scheduler leaves pods alone whose group doesn't exist yet. As long as the API server doesn't serve
// PodGroups it does nothing.
type Kubernetes struct {
	fresh.Tracker
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
	k := &Kubernetes{discovery: discovery, cluster: c, podGroups: c.Managed(), composites: c.Managed()}
	groups := k.podGroups.Scheduling().V1beta1().PodGroups().Informer()
	roots := k.composites.Scheduling().V1alpha3().CompositePodGroups().Informer()
	for _, informer := range []cache.SharedIndexInformer{groups, roots} {
		if err := informer.AddIndexers(index.ByController); err != nil {
			return nil, err
		}
	}
	k.groups = apply.NewKind(apply.Kind[*schedulingv1beta1.PodGroup, *schedulingv1beta1ac.PodGroupApplyConfiguration]{
		Name: "PodGroup", Manager: manager, Fresh: &k.Tracker,
		Cache:   groups.GetIndexer(),
		Extract: schedulingv1beta1ac.ExtractPodGroup,
		// Where pods are placed can't be changed any more; how many there are can.
		Immutable: func(owned, wanted *schedulingv1beta1ac.PodGroupApplyConfiguration) *schedulingv1beta1ac.PodGroupApplyConfiguration {
			if owned.Spec == nil {
				return wanted
			}
			changed := *wanted
			changed.Spec = ptr.To(*owned.Spec)
			changed.Spec.SchedulingPolicy = wanted.Spec.SchedulingPolicy
			return &changed
		},
		Lazy: func(owned, wanted *schedulingv1beta1ac.PodGroupApplyConfiguration) *schedulingv1beta1ac.PodGroupApplyConfiguration {
			changed := *wanted
			changed.ObjectMetaApplyConfiguration = apply.KeepAnnotations(owned.ObjectMetaApplyConfiguration, wanted.ObjectMetaApplyConfiguration)
			return &changed
		},
		Client: func(namespace string) apply.Client[*schedulingv1beta1.PodGroup, *schedulingv1beta1ac.PodGroupApplyConfiguration] {
			return c.Kube.SchedulingV1beta1().PodGroups(namespace)
		},
	})
	k.roots = apply.NewKind(apply.Kind[*schedulingv1alpha3.CompositePodGroup, *schedulingv1alpha3ac.CompositePodGroupApplyConfiguration]{
		Name: "CompositePodGroup", Manager: manager, Fresh: &k.Tracker,
		Cache:   roots.GetIndexer(),
		Extract: schedulingv1alpha3ac.ExtractCompositePodGroup,
		Immutable: func(owned, wanted *schedulingv1alpha3ac.CompositePodGroupApplyConfiguration) *schedulingv1alpha3ac.CompositePodGroupApplyConfiguration {
			if owned.Spec == nil {
				return wanted
			}
			changed := *wanted
			changed.Spec = owned.Spec
			return &changed
		},
		Lazy: func(owned, wanted *schedulingv1alpha3ac.CompositePodGroupApplyConfiguration) *schedulingv1alpha3ac.CompositePodGroupApplyConfiguration {
			changed := *wanted
			changed.ObjectMetaApplyConfiguration = apply.KeepAnnotations(owned.ObjectMetaApplyConfiguration, wanted.ObjectMetaApplyConfiguration)
			return &changed
		},
		Client: func(namespace string) apply.Client[*schedulingv1alpha3.CompositePodGroup, *schedulingv1alpha3ac.CompositePodGroupApplyConfiguration] {
			return c.Kube.SchedulingV1alpha3().CompositePodGroups(namespace)
		},
	})
	discovery.onServed = append(discovery.onServed, k.serve)
	return k, nil
}

// serve fills the caches of what is served.
func (k *Kubernetes) serve(ctx context.Context, found plan.Scheduling) error {
	start := func(served bool, factory informers.SharedInformerFactory) error {
		if !served {
			return nil
		}
		factory.Start(k.cluster.Stopped())
		return factory.WaitForCacheSyncWithContext(ctx).AsError()
	}
	return utilerrors.NewAggregate([]error{start(found.Gangs, k.podGroups), start(found.Composite, k.composites)})
}

// Shutdown returns when the caches, whose channel has been closed, have ended.
func (k *Kubernetes) Shutdown() {
	k.podGroups.Shutdown()
	k.composites.Shutdown()
}

// Scheduling is what was discovered. A gang whose base unit exists undivided stays so: its pods can't change their group.
func (k *Kubernetes) Scheduling(namespace, podGang string) plan.Scheduling {
	found := k.discovery.Found()
	if found.Composite {
		_, undivided, err := k.groups.Cache.GetByKey(cache.NewObjectName(namespace, podGang).String())
		found.Composite = err == nil && !undivided
	}
	return found
}

// Join sets the pod's schedulingGroup.
func (k *Kubernetes) Join(pod *corev1ac.PodApplyConfiguration, group string) {
	pod.Spec.WithSchedulingGroup(corev1ac.PodSchedulingGroup().WithPodGroupName(group))
}

// Write applies the groups of complete placements, roots after what is below them, and deletes those of units that are no more.
func (k *Kubernetes) Write(ctx context.Context, owner apply.Owner, placements []plan.Placement) error {
	if !k.discovery.Found().Gangs {
		return nil
	}
	wanted := map[string]bool{}
	var groups []*schedulingv1beta1ac.PodGroupApplyConfiguration
	var roots []*schedulingv1alpha3ac.CompositePodGroupApplyConfiguration
	for _, p := range placements {
		for _, name := range p.Names() {
			wanted[name] = true
		}
		if p.Complete && len(p.Groups) > 0 {
			groups = append(groups, podGroups(owner, p)...)
			roots = append(roots, composite(owner, p)...)
		}
	}
	written := k.groups.All(ctx, owner, groups)
	if written == nil {
		written = k.roots.All(ctx, owner, roots)
	}
	return utilerrors.NewAggregate([]error{
		written,
		k.groups.Delete(ctx, owner, others[*schedulingv1beta1.PodGroup](k.groups.Cache, owner, wanted)),
		k.roots.Delete(ctx, owner, others[*schedulingv1alpha3.CompositePodGroup](k.roots.Cache, owner, wanted)),
	})
}

// others are what an owner has, and isn't wanted.
func others[T metav1.Object](indexer cache.Indexer, owner apply.Owner, wanted map[string]bool) []T {
	return slices.DeleteFunc(index.Controlled[T](indexer, owner.GetUID()), func(object T) bool { return wanted[object.GetName()] })
}

// divided tells whether a unit is more than one group.
func divided(p plan.Placement) bool { return p.Groups[0].Name != p.Name }

func podGroups(owner apply.Owner, p plan.Placement) []*schedulingv1beta1ac.PodGroupApplyConfiguration {
	var groups []*schedulingv1beta1ac.PodGroupApplyConfiguration
	for _, group := range p.Groups {
		key := group.TopologyKey
		if !divided(p) {
			key = p.TopologyKey
		}
		spec := podGroupSpec(group.Pods, key)
		if divided(p) {
			spec.WithParentCompositePodGroupName(p.Name).
				WithWorkloadRef(schedulingv1beta1ac.WorkloadReference().WithWorkloadName(owner.GetName()).WithTemplateName(templatePart))
		}
		if p.PriorityClassName != "" {
			spec.WithPriorityClassName(p.PriorityClassName)
		}
		groups = append(groups, schedulingv1beta1ac.PodGroup(group.Name, owner.GetNamespace()).
			WithLabels(p.Labels).
			WithAnnotations(p.Annotations).
			WithOwnerReferences(plan.ControllerReference(owner, owner.Kind)).
			WithSpec(spec))
	}
	return groups
}

// podGroupSpec is of a gang whose pods go together: into one domain, if a key is given, and when they are preempted.
func podGroupSpec(pods int32, key string) *schedulingv1beta1ac.PodGroupSpecApplyConfiguration {
	spec := schedulingv1beta1ac.PodGroupSpec().
		WithSchedulingPolicy(schedulingv1beta1ac.PodGroupSchedulingPolicy().
			WithGang(schedulingv1beta1ac.GangSchedulingPolicy().WithMinCount(pods))).
		WithDisruptionMode(schedulingv1beta1ac.DisruptionMode().WithAll(schedulingv1beta1.AllDisruptionMode{}))
	if key != "" {
		spec.WithSchedulingConstraints(schedulingv1beta1ac.PodGroupSchedulingConstraints().
			WithTopology(schedulingv1beta1ac.TopologyConstraint().WithKey(key)))
	}
	return spec
}

// composite is the root of a unit that is divided; none for others.
func composite(owner apply.Owner, p plan.Placement) []*schedulingv1alpha3ac.CompositePodGroupApplyConfiguration {
	if !divided(p) {
		return nil
	}
	spec := schedulingv1alpha3ac.CompositePodGroupSpec().
		WithWorkloadRef(schedulingv1alpha3ac.WorkloadReference().WithWorkloadName(owner.GetName()).WithTemplateName(templateUnit)).
		WithSchedulingPolicy(schedulingv1alpha3ac.CompositePodGroupSchedulingPolicy().
			WithGang(schedulingv1alpha3ac.CompositeGangSchedulingPolicy().WithMinGroupCount(int32(len(p.Groups))))).
		WithDisruptionMode(schedulingv1alpha3ac.CompositeDisruptionMode().WithAll(schedulingv1alpha3.AllCompositeDisruptionMode{}))
	if p.TopologyKey != "" {
		spec.WithSchedulingConstraints(schedulingv1alpha3ac.CompositePodGroupSchedulingConstraints().
			WithTopology(schedulingv1alpha3ac.TopologyConstraint().WithKey(p.TopologyKey)))
	}
	if p.PriorityClassName != "" {
		spec.WithPriorityClassName(p.PriorityClassName)
	}
	root := schedulingv1alpha3ac.CompositePodGroup(p.Name, owner.GetNamespace()).
		WithLabels(p.Labels).
		WithAnnotations(p.Annotations).
		WithOwnerReferences(plan.ControllerReference(owner, owner.Kind)).
		WithSpec(spec)
	return []*schedulingv1alpha3ac.CompositePodGroupApplyConfiguration{root}
}

// DeleteAll deletes groups by their label.
func (k *Kubernetes) DeleteAll(ctx context.Context, namespace, set string) error {
	found := k.discovery.Found()
	all := []labels.Selector{labels.Everything()}
	var errs []error
	if found.Gangs {
		errs = append(errs, apply.DeleteCollections(ctx, k.cluster.Kube.SchedulingV1beta1().PodGroups(namespace), set, all, nil))
	}
	if found.Composite && len(k.roots.Cache.ListKeys()) > 0 {
		errs = append(errs, apply.DeleteCollections(ctx, k.cluster.Kube.SchedulingV1alpha3().CompositePodGroups(namespace), set, all, nil))
	}
	return utilerrors.NewAggregate(errs)
}

// Verdicts are the messages of PodGroups that couldn't be scheduled.
func (k *Kubernetes) Verdicts(podGang *v1alpha1.PodGang) map[string]string {
	verdicts := map[string]string{}
	for _, group := range index.Controlled[*schedulingv1beta1.PodGroup](k.groups.Cache, podGang.UID) {
		condition := meta.FindStatusCondition(group.Status.Conditions, schedulingv1beta1.PodGroupInitiallyScheduled)
		if condition == nil || condition.Status != metav1.ConditionFalse {
			continue
		}
		unit := group.Name
		if parent := group.Spec.ParentCompositePodGroupName; parent != nil {
			unit = *parent
		}
		verdicts[unit] = condition.Message
	}
	return verdicts
}

// Watch marks the PodGang that a group is of.
func (k *Kubernetes) Watch(all func() []cache.ObjectName, loops ...*runner.Loop) {
	for _, loop := range loops {
		runner.WatchLate(loop, k.podGroups.Scheduling().V1beta1().PodGroups().Informer(), podGangOf[*schedulingv1beta1.PodGroup])
		runner.WatchLate(loop, k.composites.Scheduling().V1alpha3().CompositePodGroups().Informer(), podGangOf[*schedulingv1alpha3.CompositePodGroup])
		k.discovery.onChange = append(k.discovery.onChange, func() {
			for _, key := range all() {
				loop.Mark(key)
			}
		})
	}
}

func podGangOf[T metav1.Object](group T) []cache.ObjectName {
	return index.ControllerKey(kindPodGang, group)
}
