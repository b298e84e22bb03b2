package podcliqueset

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	autoscalingv2ac "k8s.io/client-go/applyconfigurations/autoscaling/v2"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"
	"k8s.io/client-go/tools/cache"

	grovev1alpha1 "grove.io/grove/apis/applyconfiguration/grove/v1alpha1"
	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/internal/consistency"
	"grove.io/grove/controllers/internal/events"
	"grove.io/grove/controllers/internal/index"
	"grove.io/grove/controllers/internal/scheduler"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/podcliqueset"
)

const (
	// slowApply is how long an apply keeps others back.
	slowApply = time.Second
	// mostWait bounds how long a sync waits for room for new replicas: what else there is to do for the set, and for those whose syncs come after it,
	// waits no longer than that. Meanwhile it looks every lookAgain whether they are still wanted.
	mostWait  = 10 * time.Second
	lookAgain = time.Second
	// atOnce is when the next sync goes on with those for which there was no room.
	atOnce = time.Millisecond
)

// errNoRoom is the error of new replicas for which there was no room in time: the next sync goes on with them.
var errNoRoom = errors.New("there is no room for another new replica yet")

func isNoRoom(err error) bool { return errors.Is(err, errNoRoom) }

// writer writes what a set's plan says.
type writer struct {
	cluster         *cluster.Cluster
	backend         scheduler.Backend
	gate            *apply.Gate
	begun           *begun
	pace            *apply.Pace
	serviceAccounts *apply.Kind[*corev1.ServiceAccount, *corev1ac.ServiceAccountApplyConfiguration]
	roles           *apply.Kind[*rbacv1.Role, *rbacv1ac.RoleApplyConfiguration]
	roleBindings    *apply.Kind[*rbacv1.RoleBinding, *rbacv1ac.RoleBindingApplyConfiguration]
	services        *apply.Kind[*corev1.Service, *corev1ac.ServiceApplyConfiguration]
	revisions       *apply.Kind[*appsv1.ControllerRevision, *appsv1ac.ControllerRevisionApplyConfiguration]
	budgets         *apply.Kind[*policyv1.PodDisruptionBudget, *policyv1ac.PodDisruptionBudgetApplyConfiguration]
	scalingGroups   *apply.Kind[*v1alpha1.PodCliqueScalingGroup, *grovev1alpha1.PodCliqueScalingGroupApplyConfiguration]
	podGangs        *apply.Kind[*v1alpha1.PodGang, *grovev1alpha1.PodGangApplyConfiguration]
	podCliques      *apply.Kind[*v1alpha1.PodClique, *grovev1alpha1.PodCliqueApplyConfiguration]
	autoscalers     *apply.Kind[*autoscalingv2.HorizontalPodAutoscaler, *autoscalingv2ac.HorizontalPodAutoscalerApplyConfiguration]
	status          *apply.Status[*v1alpha1.PodCliqueSet, v1alpha1.PodCliqueSetStatus]
}

func newWriter(cluster *cluster.Cluster, backend scheduler.Backend, pace *apply.Pace, tracker *consistency.Tracker) *writer {
	grove, kube := cluster.Grove.GroveV1alpha1(), cluster.Kube
	groveCaches := cluster.GroveInformers.Grove().V1alpha1()
	core, rbac := cluster.Children.Core().V1(), cluster.Children.Rbac().V1()
	const manager = plan.SetManager
	w := &writer{
		cluster:         cluster,
		backend:         backend,
		gate:            apply.NewGate(apply.Passing, slowApply),
		begun:           newBegun(),
		pace:            pace,
		serviceAccounts: apply.NewKind("ServiceAccount", manager, tracker, core.ServiceAccounts().Informer().GetIndexer(), kube.CoreV1().ServiceAccounts, corev1ac.ExtractServiceAccount),
		roles:           apply.NewKind("Role", manager, tracker, rbac.Roles().Informer().GetIndexer(), kube.RbacV1().Roles, rbacv1ac.ExtractRole),
		roleBindings:    apply.NewKind("RoleBinding", manager, tracker, rbac.RoleBindings().Informer().GetIndexer(), kube.RbacV1().RoleBindings, rbacv1ac.ExtractRoleBinding),
		services:        apply.NewKind("Service", manager, tracker, core.Services().Informer().GetIndexer(), kube.CoreV1().Services, corev1ac.ExtractService),
		revisions: apply.NewKind("ControllerRevision", manager, tracker, cluster.Children.Apps().V1().ControllerRevisions().Informer().GetIndexer(),
			kube.AppsV1().ControllerRevisions, appsv1ac.ExtractControllerRevision),
		budgets: apply.NewKind("PodDisruptionBudget", manager, tracker, cluster.Children.Policy().V1().PodDisruptionBudgets().Informer().GetIndexer(),
			kube.PolicyV1().PodDisruptionBudgets, policyv1ac.ExtractPodDisruptionBudget),
		scalingGroups: apply.NewKind("PodCliqueScalingGroup", manager, tracker, groveCaches.PodCliqueScalingGroups().Informer().GetIndexer(),
			grove.PodCliqueScalingGroups, grovev1alpha1.ExtractPodCliqueScalingGroup),
		autoscalers: apply.NewKind("HorizontalPodAutoscaler", manager, tracker, cluster.Children.Autoscaling().V2().HorizontalPodAutoscalers().Informer().GetIndexer(),
			kube.AutoscalingV2().HorizontalPodAutoscalers, autoscalingv2ac.ExtractHorizontalPodAutoscaler),
		podGangs:   apply.NewKind("PodGang", manager, tracker, groveCaches.PodGangs().Informer().GetIndexer(), grove.PodGangs, grovev1alpha1.ExtractPodGang),
		podCliques: apply.NewKind("PodClique", manager, tracker, groveCaches.PodCliques().Informer().GetIndexer(), grove.PodCliques, grovev1alpha1.ExtractPodClique),
		status: apply.NewStatus(manager, groveCaches.PodCliqueSets().Informer().GetIndexer(), pace, cluster.Recorder, grove.PodCliqueSets, grovev1alpha1.PodCliqueSet,
			func(set *v1alpha1.PodCliqueSet) *v1alpha1.PodCliqueSetStatus { return &set.Status },
			func(status *v1alpha1.PodCliqueSetStatus) []metav1.Condition { return status.Conditions }),
	}
	w.status.Sums, w.status.Written = true, w.tell
	w.status.Silent = func(status *v1alpha1.PodCliqueSetStatus) bool { return status.ObservedGeneration == 0 }
	w.podCliques.Normal = normalPodSpec
	// What a revision says can't be changed; its place in their order can.
	w.revisions.Immutable = func(owned, wanted *appsv1ac.ControllerRevisionApplyConfiguration) *appsv1ac.ControllerRevisionApplyConfiguration {
		if owned.Data == nil {
			return wanted
		}
		changed := *wanted
		changed.Data = owned.Data
		return &changed
	}
	w.podGangs.Lazy = func(owned, wanted *grovev1alpha1.PodGangApplyConfiguration) *grovev1alpha1.PodGangApplyConfiguration {
		changed := *wanted
		changed.ObjectMetaApplyConfiguration = apply.KeepAnnotations(owned.ObjectMetaApplyConfiguration, wanted.ObjectMetaApplyConfiguration)
		return &changed
	}
	return w
}

// tell tells users of a set what became of its update. The events are related to what it updates to, by which they differ from those of others.
func (w *writer) tell(set *v1alpha1.PodCliqueSet, before, after *v1alpha1.PodCliqueSetStatus) {
	revision := &corev1.ObjectReference{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "ControllerRevision", Namespace: set.Namespace, Name: podcliqueset.RevisionName(set)}
	for _, news := range podcliqueset.News(set, before, after) {
		events.Tell(w.cluster.Recorder, set, revision, news)
	}
}

// normalPodSpec leaves out of an owned podSpec what wanted ones never have: the podSpec is owned as a whole, with the empty structs that the
// API types add to it.
func normalPodSpec(owned *grovev1alpha1.PodCliqueApplyConfiguration) *grovev1alpha1.PodCliqueApplyConfiguration {
	if owned.Spec == nil || owned.Spec.PodSpec == nil {
		return owned
	}
	normal, spec := *owned, *owned.Spec
	spec.PodSpec = plan.PodSpecConfiguration(plan.Configuration[corev1.PodSpec](owned.Spec.PodSpec))
	normal.Spec = &spec
	return &normal
}

func (w *writer) owner(set *v1alpha1.PodCliqueSet) apply.Owner {
	return apply.Owner{Object: set, Kind: podcliqueset.Kind, Set: set.Name, Gate: w.gate, Size: int(set.Spec.Replicas), Live: func(ctx context.Context) (metav1.Object, error) {
		return w.cluster.Grove.GroveV1alpha1().PodCliqueSets(set.Namespace).Get(ctx, set.Name, metav1.GetOptions{})
	}}
}

// write makes the children what the set asks for: what pods use before what they are made from, replica by replica, so that the first ones are up while
// the last ones are still made, and last what scales them. One that fails keeps none of the others back. There may be so many replicas that the set is
// another before they are all written; the error is a conflict then, and what the set asks for now comes next. An aggregate with errNoRoom says that some
// are left to be made. Refused is told of what is refused, as it is.
func (w *writer) write(ctx context.Context, observed podcliqueset.Set, refused func(error)) error {
	owner := w.owner(observed.Object)
	owner.Refused = refused
	children := observed.Children()
	made := w.pace.Expect(observed.Missing(children.Replicas...))
	shared := []func() error{
		func() error { return w.serviceAccounts.Apply(ctx, owner, children.ServiceAccount) },
		func() error { return w.roles.Apply(ctx, owner, children.Role) },
		func() error { return w.bind(ctx, owner, children.RoleBinding) },
		func() error { return w.services.All(ctx, owner, children.Services) },
		func() error { return w.revisions.Apply(ctx, owner, children.Revision) },
		func() error {
			return w.scalingGroups.AllRead(ctx, owner, children.ScalingGroups, observed.ScalingGroups)
		},
		func() error { return w.budgets.All(ctx, owner, children.DisruptionBudgets) },
		func() error { return w.budgets.Delete(ctx, owner, children.SurplusBudgets) },
	}
	var errs [2]error
	sharedMade := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		defer close(sharedMade)
		errs[0] = apply.Each(ctx, len(shared), shared, func(write func() error) error { return write() })
	})
	until := time.Now().Add(mostWait)
	errs[1] = apply.Each(ctx, apply.Passing, children.Replicas, func(replica podcliqueset.ReplicaChildren) error {
		defer made(observed.Missing(replica))
		return w.writeReplica(ctx, owner, replica, observed, sharedMade, until)
	})
	writing.Wait()
	if err := w.superseded(owner); err != nil {
		return utilerrors.NewAggregate(append(errs[:], err))
	}
	return utilerrors.NewAggregate(append(errs[:],
		w.autoscalers.All(ctx, owner, children.Autoscalers),
		w.remove(ctx, owner, observed.Removals()),
		apply.Refuse(children.Problems),
	))
}

// writeReplica makes the children of a replica what the set asks for: the PodGang, of which the scheduler is told before there are pods, and then the
// PodCliques that pods are made from, those that were read to the very version, once what pods use is made. A new one waits until there is room for it,
// or until some time, after which the error is errNoRoom.
func (w *writer) writeReplica(
	ctx context.Context, owner apply.Owner, replica podcliqueset.ReplicaChildren, observed podcliqueset.Set, sharedMade <-chan struct{}, until time.Time,
) (err error) {
	if err := w.superseded(owner); err != nil {
		return err
	}
	if replica.PodGang != nil {
		podGang := cache.NewObjectName(owner.GetNamespace(), *replica.PodGang.Name)
		// One that was another set's, or is on its way out, is in the way of a new one.
		if _, exists, _ := w.podGangs.Cache.GetByKey(podGang.String()); !exists {
			if err := w.begin(ctx, owner, podGang, replica.NumPods, until); err != nil {
				return err
			}
			defer func() {
				if err != nil {
					w.begun.end(podGang)
				}
			}()
		}
		err = w.podGangs.Apply(ctx, owner, replica.PodGang)
	}
	<-sharedMade
	return utilerrors.NewAggregate([]error{err, w.podCliques.AllRead(ctx, owner, replica.PodCliques, observed.PodCliques)})
}

// begin waits until there is room for a new replica of so many pods, and the set still wants it.
func (w *writer) begin(ctx context.Context, owner apply.Owner, podGang cache.ObjectName, pods int, until time.Time) error {
	for {
		wait, stop := context.WithTimeout(ctx, min(lookAgain, time.Until(until)))
		err := w.begun.enter(wait, owner, podGang, pods)
		stop()
		if superseded := w.superseded(owner); superseded != nil {
			if err == nil {
				w.begun.end(podGang)
			}
			return superseded
		}
		switch {
		case err == nil, ctx.Err() != nil:
			return err
		case !time.Now().Before(until):
			return errNoRoom
		}
	}
}

// superseded is a conflict if the set isn't what the owner is any more.
func (w *writer) superseded(owner apply.Owner) error {
	set, err := w.cluster.GroveInformers.Grove().V1alpha1().PodCliqueSets().Lister().PodCliqueSets(owner.GetNamespace()).Get(owner.GetName())
	if err == nil && set.UID == owner.GetUID() && set.Generation == owner.GetGeneration() && set.DeletionTimestamp == nil {
		return nil
	}
	return apierrors.NewConflict(v1alpha1.Resource("podcliquesets"), owner.GetName(), errors.New("it has changed while its replicas were written"))
}

// bind applies the RoleBinding once there is a Role for it.
func (w *writer) bind(ctx context.Context, owner apply.Owner, binding *rbacv1ac.RoleBindingApplyConfiguration) error {
	if binding == nil {
		return nil
	}
	return w.roleBindings.Apply(ctx, owner, binding)
}

// remove deletes what the set no longer asks for: the pods of many replicas with one request, ahead of what they belong to.
func (w *writer) remove(ctx context.Context, owner apply.Owner, removals podcliqueset.Removals) error {
	return utilerrors.NewAggregate([]error{
		w.autoscalers.Delete(ctx, owner, removals.Autoscalers),
		w.deletePods(ctx, cache.MetaObjectToName(owner), removals.WithPods),
		w.podCliques.Delete(ctx, owner, removals.PodCliques),
		w.podGangs.Delete(ctx, owner, removals.PodGangs),
		w.services.Delete(ctx, owner, removals.Services),
		w.revisions.Delete(ctx, owner, removals.Revisions),
	})
}

// tearDown deletes the pods of a set that is being deleted in the foreground. The rest, and the order, is garbage collection's:
// it keeps the set until its pods are gone.
func (w *writer) tearDown(ctx context.Context, observed podcliqueset.Set) error {
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
	podGangs := index.Controlled[*v1alpha1.PodGang](groveCaches.PodGangs().Informer().GetIndexer(), uid)
	services := index.Controlled[*corev1.Service](w.cluster.Children.Core().V1().Services().Informer().GetIndexer(), uid)
	owner := apply.Owner{Object: &metav1.ObjectMeta{Namespace: set.Namespace, Name: set.Name, UID: uid}, Kind: podcliqueset.Kind, Set: set.Name}
	grove := w.cluster.Grove.GroveV1alpha1()
	spare := func(store cache.Indexer) []string {
		return apply.Spared(store, set.Namespace, set.Name, func(child metav1.Object) bool { return isControlledBy(child, uid) })
	}
	return utilerrors.NewAggregate([]error{
		w.services.Delete(ctx, owner, services),
		w.deleteAutoscalers(ctx, set, uid, spare),
		w.deletePods(ctx, set, podCliques),
		apply.DeleteCollection(ctx, grove.PodCliques(set.Namespace), set.Name, spare(w.podCliques.Cache)),
		apply.DeleteCollection(ctx, grove.PodGangs(set.Namespace), set.Name, spare(w.podGangs.Cache)),
		apply.DeleteCollection(ctx, grove.PodCliqueScalingGroups(set.Namespace), set.Name, spare(w.scalingGroups.Cache)),
		w.backend.DeleteAll(ctx, set.Namespace, set.Name, podGangs),
	})
}

// deleteAutoscalers deletes those of a set that is gone, if it had any.
func (w *writer) deleteAutoscalers(ctx context.Context, set cache.ObjectName, uid types.UID, spare func(cache.Indexer) []string) error {
	if len(index.Controlled[*autoscalingv2.HorizontalPodAutoscaler](w.autoscalers.Cache, uid)) == 0 {
		return nil
	}
	return apply.DeleteCollection(ctx, w.cluster.Kube.AutoscalingV2().HorizontalPodAutoscalers(set.Namespace), set.Name, spare(w.autoscalers.Cache))
}

func isControlledBy(child metav1.Object, uid types.UID) bool {
	controller := metav1.GetControllerOfNoCopy(child)
	return controller != nil && controller.UID == uid
}

// deletePods deletes the pods of PodCliques of a set, and spares those that only bear the same labels: those that an earlier set of the name
// left on purpose, or a copy that somebody made of a pod to debug it.
func (w *writer) deletePods(ctx context.Context, set cache.ObjectName, podCliques []*v1alpha1.PodClique) error {
	uids := map[types.UID]bool{}
	for _, podClique := range podCliques {
		uids[podClique.UID] = true
	}
	spare := apply.Spared(w.cluster.Children.Core().V1().Pods().Informer().GetIndexer(), set.Namespace, set.Name, func(pod metav1.Object) bool {
		controller := metav1.GetControllerOfNoCopy(pod)
		return controller != nil && uids[controller.UID]
	})
	return apply.DeleteCollections(ctx, w.cluster.Kube.CoreV1().Pods(set.Namespace), set.Name, podcliqueset.PodSelectors(podCliques), spare)
}
