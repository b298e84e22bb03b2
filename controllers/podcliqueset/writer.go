package podcliqueset

import (
	"context"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	grovev1alpha1 "grove.io/grove/apis/applyconfiguration/grove/v1alpha1"
	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/internal/fresh"
	"grove.io/grove/controllers/internal/gang"
	"grove.io/grove/controllers/internal/index"
	"grove.io/grove/controllers/plan"
)

// statusSpacing is, for each replica of a set, the time between two writes of the set's status.
const statusSpacing = 4 * time.Millisecond

// writer writes what a set's plan says.
type writer struct {
	cluster         *cluster.Cluster
	backend         gang.Backend
	podLister       corelisters.PodLister
	serviceAccounts *apply.Kind[*corev1.ServiceAccount, *corev1ac.ServiceAccountApplyConfiguration]
	roles           *apply.Kind[*rbacv1.Role, *rbacv1ac.RoleApplyConfiguration]
	roleBindings    *apply.Kind[*rbacv1.RoleBinding, *rbacv1ac.RoleBindingApplyConfiguration]
	services        *apply.Kind[*corev1.Service, *corev1ac.ServiceApplyConfiguration]
	scalingGroups   *apply.Kind[*v1alpha1.PodCliqueScalingGroup, *grovev1alpha1.PodCliqueScalingGroupApplyConfiguration]
	podGangs        *apply.Kind[*v1alpha1.PodGang, *grovev1alpha1.PodGangApplyConfiguration]
	podCliques      *apply.Kind[*v1alpha1.PodClique, *grovev1alpha1.PodCliqueApplyConfiguration]
	status          *apply.Status[*v1alpha1.PodCliqueSet, v1alpha1.PodCliqueSetStatus, *grovev1alpha1.PodCliqueSetApplyConfiguration]
}

func newWriter(cluster *cluster.Cluster, backend gang.Backend, tracker *fresh.Tracker) *writer {
	grove, kube := cluster.Grove.GroveV1alpha1(), cluster.Kube
	groveCaches := cluster.GroveInformers.Grove().V1alpha1()
	core, rbac := cluster.Children.Core().V1(), cluster.Children.Rbac().V1()
	return &writer{
		cluster:   cluster,
		backend:   backend,
		podLister: core.Pods().Lister(),
		serviceAccounts: apply.NewKind(apply.Kind[*corev1.ServiceAccount, *corev1ac.ServiceAccountApplyConfiguration]{
			Name: "ServiceAccount", Manager: plan.SetManager, Fresh: tracker,
			Cache:   core.ServiceAccounts().Informer().GetIndexer(),
			Extract: corev1ac.ExtractServiceAccount,
			Client: func(namespace string) apply.Client[*corev1.ServiceAccount, *corev1ac.ServiceAccountApplyConfiguration] {
				return kube.CoreV1().ServiceAccounts(namespace)
			},
		}),
		roles: apply.NewKind(apply.Kind[*rbacv1.Role, *rbacv1ac.RoleApplyConfiguration]{
			Name: "Role", Manager: plan.SetManager, Fresh: tracker,
			Cache:   rbac.Roles().Informer().GetIndexer(),
			Extract: rbacv1ac.ExtractRole,
			Client: func(namespace string) apply.Client[*rbacv1.Role, *rbacv1ac.RoleApplyConfiguration] {
				return kube.RbacV1().Roles(namespace)
			},
		}),
		roleBindings: apply.NewKind(apply.Kind[*rbacv1.RoleBinding, *rbacv1ac.RoleBindingApplyConfiguration]{
			Name: "RoleBinding", Manager: plan.SetManager, Fresh: tracker,
			Cache:   rbac.RoleBindings().Informer().GetIndexer(),
			Extract: rbacv1ac.ExtractRoleBinding,
			Client: func(namespace string) apply.Client[*rbacv1.RoleBinding, *rbacv1ac.RoleBindingApplyConfiguration] {
				return kube.RbacV1().RoleBindings(namespace)
			},
		}),
		services: apply.NewKind(apply.Kind[*corev1.Service, *corev1ac.ServiceApplyConfiguration]{
			Name: "Service", Manager: plan.SetManager, Fresh: tracker,
			Cache:   core.Services().Informer().GetIndexer(),
			Extract: corev1ac.ExtractService,
			Client: func(namespace string) apply.Client[*corev1.Service, *corev1ac.ServiceApplyConfiguration] {
				return kube.CoreV1().Services(namespace)
			},
		}),
		scalingGroups: apply.NewKind(apply.Kind[*v1alpha1.PodCliqueScalingGroup, *grovev1alpha1.PodCliqueScalingGroupApplyConfiguration]{
			Name: "PodCliqueScalingGroup", Manager: plan.SetManager, Fresh: tracker,
			Cache:   groveCaches.PodCliqueScalingGroups().Informer().GetIndexer(),
			Extract: grovev1alpha1.ExtractPodCliqueScalingGroup,
			Client: func(namespace string) apply.Client[*v1alpha1.PodCliqueScalingGroup, *grovev1alpha1.PodCliqueScalingGroupApplyConfiguration] {
				return grove.PodCliqueScalingGroups(namespace)
			},
		}),
		podGangs: apply.NewKind(apply.Kind[*v1alpha1.PodGang, *grovev1alpha1.PodGangApplyConfiguration]{
			Name: "PodGang", Manager: plan.SetManager, Fresh: tracker,
			Cache:   groveCaches.PodGangs().Informer().GetIndexer(),
			Extract: grovev1alpha1.ExtractPodGang,
			Lazy: func(owned, wanted *grovev1alpha1.PodGangApplyConfiguration) *grovev1alpha1.PodGangApplyConfiguration {
				changed := *wanted
				changed.ObjectMetaApplyConfiguration = apply.KeepAnnotations(owned.ObjectMetaApplyConfiguration, wanted.ObjectMetaApplyConfiguration)
				return &changed
			},
			Client: func(namespace string) apply.Client[*v1alpha1.PodGang, *grovev1alpha1.PodGangApplyConfiguration] {
				return grove.PodGangs(namespace)
			},
		}),
		podCliques: apply.NewKind(apply.Kind[*v1alpha1.PodClique, *grovev1alpha1.PodCliqueApplyConfiguration]{
			Name: "PodClique", Manager: plan.SetManager, Fresh: tracker,
			Cache:   groveCaches.PodCliques().Informer().GetIndexer(),
			Extract: grovev1alpha1.ExtractPodClique,
			Client: func(namespace string) apply.Client[*v1alpha1.PodClique, *grovev1alpha1.PodCliqueApplyConfiguration] {
				return grove.PodCliques(namespace)
			},
		}),
		status: &apply.Status[*v1alpha1.PodCliqueSet, v1alpha1.PodCliqueSetStatus, *grovev1alpha1.PodCliqueSetApplyConfiguration]{
			Manager: plan.SetManager, Recorder: cluster.Recorder, FirstWithin: apply.FirstWithin,
			Cache:      groveCaches.PodCliqueSets().Informer().GetIndexer(),
			Of:         func(set *v1alpha1.PodCliqueSet) *v1alpha1.PodCliqueSetStatus { return &set.Status },
			Conditions: func(status *v1alpha1.PodCliqueSetStatus) []metav1.Condition { return status.Conditions },
			Client: func(namespace string) apply.StatusClient[*v1alpha1.PodCliqueSet, *grovev1alpha1.PodCliqueSetApplyConfiguration] {
				return grove.PodCliqueSets(namespace)
			},
			// A status has an entry for each replica, and a change of one writes them all.
			Spacing: func(set *v1alpha1.PodCliqueSet) time.Duration {
				return time.Duration(set.Spec.Replicas) * statusSpacing
			},
			Configuration: func(set *v1alpha1.PodCliqueSet, status *v1alpha1.PodCliqueSetStatus) *grovev1alpha1.PodCliqueSetApplyConfiguration {
				return grovev1alpha1.PodCliqueSet(set.Name, set.Namespace).
					WithStatus(plan.Configuration[grovev1alpha1.PodCliqueSetStatusApplyConfiguration](status))
			},
		},
	}
}

func (w *writer) owner(set *v1alpha1.PodCliqueSet) apply.Owner {
	return apply.Owner{Object: set, Kind: kind, Set: set.Name, Live: func(ctx context.Context) (metav1.Object, error) {
		return w.cluster.Grove.GroveV1alpha1().PodCliqueSets(set.Namespace).Get(ctx, set.Name, metav1.GetOptions{})
	}}
}

// write makes the children what the set asks for: first what pods use, then the PodCliques that pods are made from, and last
// what describes them. One that fails keeps none of the others back.
func (w *writer) write(ctx context.Context, observed plan.Set) error {
	owner := w.owner(observed.Object)
	children := observed.Children()
	errs := []error{
		w.serviceAccounts.Apply(ctx, owner, children.ServiceAccount),
		w.roles.Apply(ctx, owner, children.Role),
		w.roleBindings.Apply(ctx, owner, children.RoleBinding),
		w.services.All(ctx, owner, children.Services),
		w.scalingGroups.AllRead(ctx, owner, children.ScalingGroups, observed.ScalingGroups),
		w.podCliques.AllRead(ctx, owner, children.PodCliques, observed.PodCliques),
		w.podGangs.All(ctx, owner, children.PodGangs),
		w.remove(ctx, owner, observed.Removals()),
	}
	return utilerrors.NewAggregate(errs)
}

// remove deletes what the set no longer asks for: the pods of many replicas with one request, ahead of what they belong to.
func (w *writer) remove(ctx context.Context, owner apply.Owner, removals plan.Removals) error {
	return utilerrors.NewAggregate([]error{
		w.deletePods(ctx, cache.MetaObjectToName(owner), removals.WithPods),
		w.podCliques.Delete(ctx, owner, removals.PodCliques),
		w.podGangs.Delete(ctx, owner, removals.PodGangs),
		w.services.Delete(ctx, owner, removals.Services),
	})
}

// tearDown deletes the pods of a set that is being deleted in the foreground. The rest, and the order, is garbage collection's:
// it keeps the set until its pods are gone.
func (w *writer) tearDown(ctx context.Context, observed plan.Set) error {
	if !observed.TearDown() {
		return nil
	}
	return w.deletePods(ctx, cache.MetaObjectToName(observed.Object), slices.Collect(maps.Values(observed.PodCliques)))
}

// deleteAll deletes the children of a set that is gone, in a few dozen requests however many there are: the pods, which hold
// what others wait for, ahead of what describes them, and before them the Service, whose endpoints would follow every pod.
// What garbage collection was faster with needs nothing.
func (w *writer) deleteAll(ctx context.Context, set cache.ObjectName, uid types.UID) error {
	groveCaches := w.cluster.GroveInformers.Grove().V1alpha1()
	podCliques := index.Controlled[*v1alpha1.PodClique](groveCaches.PodCliques().Informer().GetIndexer(), uid)
	if len(podCliques) == 0 {
		return nil
	}
	services := index.Controlled[*corev1.Service](w.cluster.Children.Core().V1().Services().Informer().GetIndexer(), uid)
	owner := apply.Owner{Object: &metav1.ObjectMeta{Namespace: set.Namespace, Name: set.Name, UID: uid}, Kind: kind, Set: set.Name}
	grove := w.cluster.Grove.GroveV1alpha1()
	all := []labels.Selector{labels.Everything()}
	return utilerrors.NewAggregate([]error{
		w.services.Delete(ctx, owner, services),
		w.deletePods(ctx, set, podCliques),
		apply.DeleteCollections(ctx, grove.PodCliques(set.Namespace), set.Name, all, nil),
		apply.DeleteCollections(ctx, grove.PodGangs(set.Namespace), set.Name, all, nil),
		apply.DeleteCollections(ctx, grove.PodCliqueScalingGroups(set.Namespace), set.Name, all, nil),
		w.backend.DeleteAll(ctx, set.Namespace, set.Name),
	})
}

// deletePods deletes the pods of PodCliques of a set, and spares those that only bear the same labels, as a copy that somebody
// made of a pod to debug it does.
func (w *writer) deletePods(ctx context.Context, set cache.ObjectName, podCliques []*v1alpha1.PodClique) error {
	labelled, err := w.podLister.Pods(set.Namespace).List(labels.SelectorFromSet(labels.Set{v1alpha1.LabelPodCliqueSet: set.Name}))
	if err != nil {
		return err
	}
	var spare []string
	for _, pod := range labelled {
		if len(index.ControllerKey("PodClique", pod)) == 0 {
			spare = append(spare, pod.Name)
		}
	}
	return apply.DeleteCollections(ctx, w.cluster.Kube.CoreV1().Pods(set.Namespace), set.Name, plan.PodSelectors(podCliques), spare)
}
