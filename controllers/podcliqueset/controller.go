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
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/tools/cache"

	grovelisters "grove.io/grove/apis/client/listers/grove/v1alpha1"
	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/internal/dirty"
	"grove.io/grove/controllers/internal/fresh"
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
	// dirty has the sets whose children may have to be written. The statuses of children change much more often, and don't
	// say which children there are.
	dirty dirty.Keys
	// deleted has the sets that were deleted, rather than orphaned, and whose children are to go with them.
	deleted deletedSets
}

// New returns the controller.
func New(cluster *cluster.Cluster) (*runner.Controller, error) {
	grove := cluster.GroveInformers.Grove().V1alpha1()
	core := cluster.Children.Core().V1()
	rbac := cluster.Children.Rbac().V1()
	tracker := &fresh.Tracker{}
	c := &controller{
		cluster: cluster,
		sets:    grove.PodCliqueSets().Lister(),
		writer:  newWriter(cluster, tracker),
		fresh:   tracker,
	}
	r := runner.New("podcliqueset", c.sync)
	_, err := grove.PodCliqueSets().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{DeleteFunc: c.deleted.note})
	return r, utilerrors.NewAggregate([]error{
		err,
		runner.Watch(r, grove.PodCliqueSets().Informer(), itself),
		runner.Watch(r, grove.PodCliques().Informer(), ownerOf[*v1alpha1.PodClique]),
		runner.Watch(r, grove.PodCliqueScalingGroups().Informer(), ownerOf[*v1alpha1.PodCliqueScalingGroup]),
		runner.Watch(r, grove.PodGangs().Informer(), ownerOf[*v1alpha1.PodGang]),

		runner.WatchSpecs(r, grove.PodCliqueSets().Informer(), dirty.Marking(&c.dirty, itself)),
		runner.WatchSpecs(r, grove.PodCliques().Informer(), dirty.Marking(&c.dirty, ownerOf[*v1alpha1.PodClique])),
		runner.WatchSpecs(r, grove.PodCliqueScalingGroups().Informer(), dirty.Marking(&c.dirty, ownerOf[*v1alpha1.PodCliqueScalingGroup])),
		runner.WatchSpecs(r, grove.PodGangs().Informer(), dirty.Marking(&c.dirty, ownerOf[*v1alpha1.PodGang])),
		runner.Watch(r, core.Services().Informer(), dirty.Marking(&c.dirty, ownerOf[*corev1.Service])),
		runner.Watch(r, core.ServiceAccounts().Informer(), dirty.Marking(&c.dirty, ownerOf[*corev1.ServiceAccount])),
		runner.Watch(r, rbac.Roles().Informer(), dirty.Marking(&c.dirty, ownerOf[*rbacv1.Role])),
		runner.Watch(r, rbac.RoleBindings().Informer(), dirty.Marking(&c.dirty, ownerOf[*rbacv1.RoleBinding])),
		runner.Watch(r, cluster.DefaultAccounts.Core().V1().ServiceAccounts().Informer(), dirty.Marking(&c.dirty, c.allInNamespace)),
	})
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

// sync brings the children and the status of one set to what they should be.
func (c *controller) sync(ctx context.Context, key cache.ObjectName) (time.Duration, error) {
	set, err := c.sets.PodCliqueSets(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) {
		c.fresh.Forget(key)
		c.dirty.Forget(key)
		c.writer.status.Forget(key)
		return 0, c.deleted.finish(key, func() error { return c.writer.deleteAll(ctx, key) })
	}
	if err != nil {
		return 0, err
	}
	if !c.fresh.Fresh(key) {
		return fresh.Retry, nil
	}
	observed := c.observe(set)
	if set.DeletionTimestamp != nil {
		return 0, c.writer.tearDown(ctx, observed)
	}
	err = c.dirty.Clean(key, func() error { return c.writer.write(ctx, observed) })
	problems, _ := apply.Problems(err)
	now := c.cluster.Clock.Now()
	status := observed.Status(problems, now)
	again, statusErr := c.writer.status.Describe(ctx, set, &status, now)
	return again, utilerrors.NewAggregate([]error{err, statusErr})
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
