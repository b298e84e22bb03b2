// Package podcliqueset is the controller of PodCliqueSets: it decides which children a set has, and describes the set.
package podcliqueset

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	grovelisters "grove.io/grove/apis/client/listers/grove/v1alpha1"
	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/internal/fresh"
	"grove.io/grove/controllers/internal/gang"
	"grove.io/grove/controllers/internal/index"
	"grove.io/grove/controllers/internal/runner"
	"grove.io/grove/controllers/plan"
)

const kind = "PodCliqueSet"

type controller struct {
	cluster *cluster.Cluster
	sets    grovelisters.PodCliqueSetLister
	writer  *writer
	fresh   *fresh.Tracker
	// deleted has the sets that were deleted, rather than orphaned, and whose children are to go with them.
	deleted  deletedSets
	reports  apply.Reports
	statuses *runner.Loop
}

// New returns the loops of the controller.
func New(cluster *cluster.Cluster, backend gang.Backend) []*runner.Loop {
	grove := cluster.GroveInformers.Grove().V1alpha1()
	core := cluster.Children.Core().V1()
	rbac := cluster.Children.Rbac().V1()
	tracker := &fresh.Tracker{}
	c := &controller{
		cluster: cluster,
		sets:    grove.PodCliqueSets().Lister(),
		writer:  newWriter(cluster, backend, tracker),
		fresh:   tracker,
	}
	children := runner.Children("podcliqueset", c.sync)
	c.statuses = runner.Statuses("podcliqueset-status", c.describe)
	runner.WatchSpecs(children, grove.PodCliqueSets().Informer(), itself)
	runner.WatchEnds(children, grove.PodCliqueSets().Informer(), c.deleted.note)
	runner.WatchSpecs(children, grove.PodCliques().Informer(), ownerOf[*v1alpha1.PodClique])
	runner.WatchSpecs(children, grove.PodCliqueScalingGroups().Informer(), ownerOf[*v1alpha1.PodCliqueScalingGroup])
	runner.WatchSpecs(children, grove.PodGangs().Informer(), ownerOf[*v1alpha1.PodGang])
	runner.Watch(children, core.Services().Informer(), ownerOf[*corev1.Service])
	runner.Watch(children, core.ServiceAccounts().Informer(), ownerOf[*corev1.ServiceAccount])
	runner.Watch(children, rbac.Roles().Informer(), ownerOf[*rbacv1.Role])
	runner.Watch(children, rbac.RoleBindings().Informer(), ownerOf[*rbacv1.RoleBinding])
	runner.Watch(children, cluster.DefaultAccounts.Core().V1().ServiceAccounts().Informer(), c.allInNamespace)

	runner.Watch(c.statuses, grove.PodCliqueSets().Informer(), itself)
	runner.Watch(c.statuses, grove.PodCliques().Informer(), ownerOf[*v1alpha1.PodClique])
	runner.Watch(c.statuses, grove.PodCliqueScalingGroups().Informer(), ownerOf[*v1alpha1.PodCliqueScalingGroup])
	runner.Watch(c.statuses, grove.PodGangs().Informer(), ownerOf[*v1alpha1.PodGang])
	return []*runner.Loop{children, c.statuses}
}

func itself(set *v1alpha1.PodCliqueSet) []cache.ObjectName {
	return []cache.ObjectName{cache.MetaObjectToName(set)}
}

func ownerOf[T metav1.Object](child T) []cache.ObjectName { return index.ControllerKey(kind, child) }

// allInNamespace are the sets whose ServiceAccounts mirror a namespace's default one.
func (c *controller) allInNamespace(account *corev1.ServiceAccount) []cache.ObjectName {
	sets, err := c.sets.PodCliqueSets(account.Namespace).List(labels.Everything())
	if err != nil {
		return nil
	}
	return index.Keys(sets)
}

// sync brings the children of one set to what they should be.
func (c *controller) sync(ctx context.Context, key cache.ObjectName) (time.Duration, error) {
	set, err := c.sets.PodCliqueSets(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) {
		c.fresh.Forget(key)
		c.reports.Forget(key)
		return 0, c.deleted.finish(key, func(uid types.UID) error { return c.writer.deleteAll(ctx, key, uid) })
	}
	if err != nil {
		return 0, err
	}
	c.deleted.replaced(key, set.UID)
	if !c.fresh.Fresh(key) {
		return fresh.Retry, nil
	}
	observed := c.observe(set)
	if set.DeletionTimestamp != nil {
		return 0, c.writer.tearDown(ctx, observed)
	}
	err = c.writer.write(ctx, observed)
	problems, _ := apply.Problems(err)
	if c.reports.Set(key, apply.Report{Generation: set.Generation, Problems: problems}) {
		c.statuses.Mark(key)
	}
	return 0, err
}

// describe brings the status of one set to what it should be.
func (c *controller) describe(ctx context.Context, key cache.ObjectName) (time.Duration, error) {
	set, err := c.sets.PodCliqueSets(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) {
		c.writer.status.Forget(key)
		return 0, nil
	}
	if err != nil || set.DeletionTimestamp != nil {
		return 0, err
	}
	if !c.writer.status.Fresh.Fresh(key) {
		return fresh.Retry, nil
	}
	now, report := c.cluster.Clock.Now(), c.reports.Get(key)
	if wait := c.writer.status.TooSoon(set, now); wait > 0 {
		return wait, nil
	}
	observed := c.observe(set)
	status := observed.Status(report.Generation, report.Problems, now)
	if wait := c.writer.status.Beginning(set, now); wait > 0 && observed.Begins(&status) {
		return wait, nil
	}
	return c.writer.status.Write(ctx, set, &status, observed.Patience(&status), now)
}

// observe reads the caches, children by their controller.
func (c *controller) observe(set *v1alpha1.PodCliqueSet) plan.Set {
	grove := c.cluster.GroveInformers.Grove().V1alpha1()
	observed := plan.Set{
		Object:        set,
		ScalingGroups: index.Named[*v1alpha1.PodCliqueScalingGroup](grove.PodCliqueScalingGroups().Informer().GetIndexer(), set.UID),
		PodGangs:      index.Named[*v1alpha1.PodGang](grove.PodGangs().Informer().GetIndexer(), set.UID),
		PodCliques:    index.Named[*v1alpha1.PodClique](grove.PodCliques().Informer().GetIndexer(), set.UID),
		Services:      index.Controlled[*corev1.Service](c.cluster.Children.Core().V1().Services().Informer().GetIndexer(), set.UID),
	}
	if account := c.cluster.DefaultAccount(set.Namespace); account != nil {
		observed.ImagePullSecrets = account.ImagePullSecrets
	}
	return observed
}
