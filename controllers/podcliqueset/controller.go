// Package podcliqueset is the controller of PodCliqueSets: it decides which children a set has, and describes the set.
package podcliqueset

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/tools/cache"

	grovelisters "grove.io/grove/apis/client/listers/grove/v1alpha1"
	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/internal/consistency"
	"grove.io/grove/controllers/internal/index"
	"grove.io/grove/controllers/internal/runner"
	"grove.io/grove/controllers/internal/scheduler"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/podcliqueset"
)

type controller struct {
	cluster *cluster.Cluster
	sets    grovelisters.PodCliqueSetLister
	writer  *writer
	tracker *consistency.Tracker
	// deleted has the sets that were deleted, rather than orphaned, and whose children are to go with them.
	deleted  deletedSets
	reports  apply.Reports
	children *runner.Loop
	statuses *runner.Loop
}

// New returns the loops of the controller.
func New(cluster *cluster.Cluster, backend scheduler.Backend, pace *apply.Pace) []*runner.Loop {
	grove := cluster.GroveInformers.Grove().V1alpha1()
	core := cluster.Children.Core().V1()
	rbac := cluster.Children.Rbac().V1()
	tracker := &consistency.Tracker{}
	c := &controller{
		cluster: cluster,
		sets:    grove.PodCliqueSets().Lister(),
		writer:  newWriter(cluster, backend, pace, tracker),
		tracker: tracker,
	}
	get := func(key cache.ObjectName) (*v1alpha1.PodCliqueSet, error) {
		return c.sets.PodCliqueSets(key.Namespace).Get(key.Name)
	}
	c.children = runner.Children("podcliqueset", runner.Head[*v1alpha1.PodCliqueSet]{Get: get, Fresh: tracker.Fresh, Gone: c.gone, Ending: c.end}.Sync(c.sync))
	c.statuses = runner.Statuses("podcliqueset-status", runner.Head[*v1alpha1.PodCliqueSet]{Get: get, Fresh: c.writer.status.Fresh, Gone: c.writer.status.Gone}.Sync(c.describe))
	runner.WatchSpecs(c.children, grove.PodCliqueSets().Informer(), itself)
	runner.WatchEnds(c.children, grove.PodCliqueSets().Informer(), c.deleted.note)
	runner.WatchSpecs(c.children, grove.PodCliques().Informer(), ownerOf[*v1alpha1.PodClique])
	runner.WatchSpecs(c.children, grove.PodCliqueScalingGroups().Informer(), ownerOf[*v1alpha1.PodCliqueScalingGroup])
	runner.WatchSpecs(c.children, grove.PodGangs().Informer(), ownerOf[*v1alpha1.PodGang])
	runner.Watch(c.children, cluster.Children.Apps().V1().ControllerRevisions().Informer(), ownerOf[*appsv1.ControllerRevision])
	runner.Watch(c.children, core.Services().Informer(), ownerOf[*corev1.Service])
	runner.Watch(c.children, core.ServiceAccounts().Informer(), ownerOf[*corev1.ServiceAccount])
	runner.Watch(c.children, rbac.Roles().Informer(), ownerOf[*rbacv1.Role])
	runner.Watch(c.children, rbac.RoleBindings().Informer(), ownerOf[*rbacv1.RoleBinding])
	runner.Watch(c.children, cluster.DefaultAccounts.Core().V1().ServiceAccounts().Informer(), c.allInNamespace)
	runner.WatchSpecs(c.children, cluster.Children.Policy().V1().PodDisruptionBudgets().Informer(), ownerOf[*policyv1.PodDisruptionBudget])
	runner.WatchWhere(c.children, grove.PodCliques().Informer(), ownerOf[*v1alpha1.PodClique], scalable(func(c *v1alpha1.PodClique) (bool, string) {
		return c.Spec.AutoScalingConfig != nil, c.Status.Selector
	}))
	runner.WatchWhere(c.children, grove.PodCliqueScalingGroups().Informer(), ownerOf[*v1alpha1.PodCliqueScalingGroup], scalable(func(g *v1alpha1.PodCliqueScalingGroup) (bool, string) {
		return g.Spec.ScaleConfig != nil, g.Status.Selector
	}))
	runner.WatchWhere(c.children, cluster.Children.Autoscaling().V2().HorizontalPodAutoscalers().Informer(), ownerOf[*autoscalingv2.HorizontalPodAutoscaler], edited)

	runner.See(c.children, core.Pods().Informer(), c.writer.begun.see)

	runner.Watch(c.statuses, grove.PodCliqueSets().Informer(), itself)
	// What these say of their pods, the set is told by its PodGangs.
	runner.WatchSpecs(c.statuses, grove.PodCliques().Informer(), ownerOf[*v1alpha1.PodClique])
	runner.WatchWhere(c.statuses, grove.PodCliques().Informer(), ownerOf[*v1alpha1.PodClique], podcliqueset.PodCliqueConcerns)
	runner.WatchSpecs(c.statuses, grove.PodCliqueScalingGroups().Informer(), ownerOf[*v1alpha1.PodCliqueScalingGroup])
	runner.WatchWhere(c.statuses, grove.PodCliqueScalingGroups().Informer(), ownerOf[*v1alpha1.PodCliqueScalingGroup], podcliqueset.ScalingGroupConcerns)
	runner.Watch(c.statuses, grove.PodGangs().Informer(), ownerOf[*v1alpha1.PodGang])
	return []*runner.Loop{c.children, c.statuses}
}

// scalable tells of children that are to be autoscaled when their first status has told how: their autoscalers wait for that.
func scalable[T metav1.Object](read func(T) (autoscaled bool, selector string)) func(before, after T) bool {
	return func(before, after T) bool {
		_, was := read(before)
		autoscaled, is := read(after)
		return autoscaled && was == "" && is != ""
	}
}

// edited tells whether more than the status of an autoscaler has changed, whose generation not every API server counts.
func edited(before, after *autoscalingv2.HorizontalPodAutoscaler) bool {
	content := func(a *autoscalingv2.HorizontalPodAutoscaler) []any {
		return []any{a.UID, a.DeletionTimestamp, a.Labels, a.OwnerReferences, a.Spec}
	}
	return !equality.Semantic.DeepEqual(content(before), content(after))
}

func itself(set *v1alpha1.PodCliqueSet) []cache.ObjectName {
	return []cache.ObjectName{cache.MetaObjectToName(set)}
}

func ownerOf[T metav1.Object](child T) []cache.ObjectName {
	return index.ControllerKey(podcliqueset.Kind, child)
}

// allInNamespace are the sets whose ServiceAccounts mirror a namespace's default one.
func (c *controller) allInNamespace(account *corev1.ServiceAccount) []cache.ObjectName {
	sets, err := c.sets.PodCliqueSets(account.Namespace).List(labels.Everything())
	if err != nil {
		return nil
	}
	return index.Keys(sets)
}

// gone deletes the children of a set that was deleted.
func (c *controller) gone(ctx context.Context, key cache.ObjectName) error {
	c.tracker.Forget(key)
	c.reports.Forget(key)
	return c.deleted.finish(key, func(uid types.UID) error { return c.writer.deleteAll(ctx, key, uid) })
}

// end speeds up the end of a set that is being deleted.
func (c *controller) end(ctx context.Context, set *v1alpha1.PodCliqueSet) error {
	c.deleted.replaced(cache.MetaObjectToName(set), set.UID)
	return c.writer.tearDown(ctx, c.observe(set))
}

// sync brings the children of one set to what they should be.
func (c *controller) sync(ctx context.Context, set *v1alpha1.PodCliqueSet) (time.Duration, error) {
	key := cache.MetaObjectToName(set)
	c.deleted.replaced(key, set.UID)
	err := c.writer.write(ctx, c.observe(set), func(err error) {
		if c.reports.Add(set, err) {
			c.statuses.Mark(key)
		}
	})
	if c.reports.Set(set, err) {
		c.statuses.Mark(key)
	}
	if isNoRoom(err) {
		return atOnce, utilerrors.FilterOut(err, isNoRoom)
	}
	return 0, err
}

// describe brings the status of one set to what it should be.
func (c *controller) describe(ctx context.Context, set *v1alpha1.PodCliqueSet) (time.Duration, error) {
	key, now := cache.MetaObjectToName(set), c.cluster.Clock.Now()
	// Each before what it is of is read, which is at least as new: what was written, and that the caches have it.
	report := c.reports.Get(set)
	fresh := c.tracker.Fresh(key)
	observed := c.observe(set)
	status := observed.Status(report, fresh, now)
	if fresh && observed.RolloutMoves(&status) {
		c.children.Mark(key)
	}
	again, err := c.writer.status.Write(ctx, set, &status, observed.Urgency(&status), now)
	if deadline := observed.Deadline(&status); deadline.After(now) {
		again = runner.Sooner(again, deadline.Sub(now))
	}
	if !fresh {
		// Usually the event that the caches wait for comes sooner.
		again = runner.Sooner(again, consistency.Retry)
	}
	return again, err
}

// observe reads the caches.
func (c *controller) observe(set *v1alpha1.PodCliqueSet) podcliqueset.Set {
	grove := c.cluster.GroveInformers.Grove().V1alpha1()
	observed := podcliqueset.Set{
		Object:        set,
		ScalingGroups: index.Named(index.Family[*v1alpha1.PodCliqueScalingGroup](grove.PodCliqueScalingGroups().Informer().GetIndexer(), set)),
		PodGangs:      index.Named(index.Family[*v1alpha1.PodGang](grove.PodGangs().Informer().GetIndexer(), set)),
		PodCliques:    index.Named(index.Family[*v1alpha1.PodClique](grove.PodCliques().Informer().GetIndexer(), set)),
		Revisions:     index.Controlled[*appsv1.ControllerRevision](c.cluster.Children.Apps().V1().ControllerRevisions().Informer().GetIndexer(), set.UID),
		Services:      index.Controlled[*corev1.Service](c.cluster.Children.Core().V1().Services().Informer().GetIndexer(), set.UID),
		DisruptionBudgets: index.Controlled[*policyv1.PodDisruptionBudget](
			c.cluster.Children.Policy().V1().PodDisruptionBudgets().Informer().GetIndexer(), set.UID),
		Autoscalers: index.Named(index.Controlled[*autoscalingv2.HorizontalPodAutoscaler](
			c.cluster.Children.Autoscaling().V2().HorizontalPodAutoscalers().Informer().GetIndexer(), set.UID)),
	}
	name := plan.AccountName(set.Name)
	if account, err := c.cluster.Children.Core().V1().ServiceAccounts().Lister().ServiceAccounts(set.Namespace).Get(name); err == nil {
		observed.Account = account
	}
	if role, err := c.cluster.Children.Rbac().V1().Roles().Lister().Roles(set.Namespace).Get(name); err == nil {
		observed.Role = role
	}
	if account := c.cluster.DefaultAccount(set.Namespace); account != nil {
		observed.ImagePullSecrets = account.ImagePullSecrets
	}
	return observed
}
