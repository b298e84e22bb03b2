// Package podgang is the controller of PodGangs: it tells the scheduler of each gang, and describes how far the gang has come.
package podgang

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	grovev1alpha1 "grove.io/grove/apis/applyconfiguration/grove/v1alpha1"
	grovelisters "grove.io/grove/apis/client/listers/grove/v1alpha1"
	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/internal/fresh"
	"grove.io/grove/controllers/internal/gang"
	"grove.io/grove/controllers/internal/index"
	"grove.io/grove/controllers/internal/observe"
	"grove.io/grove/controllers/internal/runner"
	"grove.io/grove/controllers/plan"
)

const kind = "PodGang"

// manager is the controller's field manager.
const manager = "grove-podgang"

type controller struct {
	cluster    *cluster.Cluster
	backend    gang.Backend
	podGangs   grovelisters.PodGangLister
	podCliques grovelisters.PodCliqueLister
	cache      cache.Indexer
	reports    apply.Reports
	statuses   *runner.Loop
	status     *apply.Status[*v1alpha1.PodGang, v1alpha1.PodGangStatus, *grovev1alpha1.PodGangApplyConfiguration]
}

// New returns the loops of the controller.
func New(cluster *cluster.Cluster, backend gang.Backend) []*runner.Loop {
	grove := cluster.GroveInformers.Grove().V1alpha1()
	c := &controller{
		cluster:    cluster,
		backend:    backend,
		podGangs:   grove.PodGangs().Lister(),
		podCliques: grove.PodCliques().Lister(),
		cache:      grove.PodGangs().Informer().GetIndexer(),
		status: &apply.Status[*v1alpha1.PodGang, v1alpha1.PodGangStatus, *grovev1alpha1.PodGangApplyConfiguration]{
			Manager: manager, Recorder: cluster.Recorder, FirstWithin: apply.FirstWithin,
			Cache:      grove.PodGangs().Informer().GetIndexer(),
			Of:         func(podGang *v1alpha1.PodGang) *v1alpha1.PodGangStatus { return &podGang.Status },
			Conditions: func(status *v1alpha1.PodGangStatus) []metav1.Condition { return status.Conditions },
			Client: func(namespace string) apply.StatusClient[*v1alpha1.PodGang, *grovev1alpha1.PodGangApplyConfiguration] {
				return cluster.Grove.GroveV1alpha1().PodGangs(namespace)
			},
			Configuration: func(podGang *v1alpha1.PodGang, status *v1alpha1.PodGangStatus) *grovev1alpha1.PodGangApplyConfiguration {
				return grovev1alpha1.PodGang(podGang.Name, podGang.Namespace).
					WithStatus(plan.Configuration[grovev1alpha1.PodGangStatusApplyConfiguration](status))
			},
		},
	}
	pods := cluster.Children.Core().V1().Pods().Informer()
	children := runner.Children("podgang", c.sync)
	c.statuses = runner.Statuses("podgang-status", c.describe)
	runner.WatchSpecs(children, grove.PodGangs().Informer(), itself)
	runner.WatchSpecs(children, pods, gangOf[*corev1.Pod])
	runner.WatchSpecs(children, grove.PodCliqueSets().Informer(), c.replicasOf)

	runner.Watch(c.statuses, grove.PodGangs().Informer(), itself)
	runner.Watch(c.statuses, pods, gangOf[*corev1.Pod])
	runner.WatchSpecs(c.statuses, grove.PodCliques().Informer(), gangOf[*v1alpha1.PodClique])
	runner.WatchSpecs(c.statuses, grove.PodCliqueScalingGroups().Informer(), c.gangsOf)
	runner.WatchSpecs(c.statuses, grove.PodCliqueSets().Informer(), c.replicasOf)
	backend.Watch(c.all, children, c.statuses)
	return []*runner.Loop{children, c.statuses}
}

func itself(podGang *v1alpha1.PodGang) []cache.ObjectName {
	return []cache.ObjectName{cache.MetaObjectToName(podGang)}
}

// gangOf is the gang that a pod or PodClique is labelled with.
func gangOf[T metav1.Object](object T) []cache.ObjectName {
	name, ok := object.GetLabels()[v1alpha1.LabelPodGang]
	if !ok {
		return nil
	}
	return []cache.ObjectName{cache.NewObjectName(object.GetNamespace(), name)}
}

// gangsOf are the gangs that a scaling group has replicas in.
func (c *controller) gangsOf(group *v1alpha1.PodCliqueScalingGroup) []cache.ObjectName {
	set := metav1.GetControllerOfNoCopy(group)
	if set == nil {
		return nil
	}
	return index.Keys(index.Controlled[*v1alpha1.PodGang](c.cache, set.UID))
}

// replicasOf are the gangs of a set.
func (c *controller) replicasOf(set *v1alpha1.PodCliqueSet) []cache.ObjectName {
	return index.Keys(index.Controlled[*v1alpha1.PodGang](c.cache, set.UID))
}

// all are the gangs that there are.
func (c *controller) all() []cache.ObjectName {
	var keys []cache.ObjectName
	for _, obj := range c.cache.List() {
		keys = append(keys, cache.MetaObjectToName(obj.(*v1alpha1.PodGang)))
	}
	return keys
}

// sync brings what the scheduler knows of one PodGang to what it should be.
func (c *controller) sync(ctx context.Context, key cache.ObjectName) (time.Duration, error) {
	podGang, err := c.podGangs.PodGangs(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) {
		c.backend.Forget(key)
		c.reports.Forget(key)
		return 0, nil
	}
	if err != nil || podGang.DeletionTimestamp != nil {
		return 0, err
	}
	if !c.backend.Fresh(key) {
		return fresh.Retry, nil
	}
	observed, complete := c.observe(podGang)
	if !complete {
		return 0, nil
	}
	owner := apply.Owner{Object: podGang, Kind: kind, Set: observed.Set.Name, Live: func(ctx context.Context) (metav1.Object, error) {
		return c.cluster.Grove.GroveV1alpha1().PodGangs(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
	}}
	err = c.backend.Write(ctx, owner, observed.Placements())
	problems, _ := apply.Problems(err)
	if c.reports.Set(key, apply.Report{Generation: podGang.Generation, Problems: problems}) {
		c.statuses.Mark(key)
	}
	return 0, err
}

// describe brings the status of one PodGang to what it should be.
func (c *controller) describe(ctx context.Context, key cache.ObjectName) (time.Duration, error) {
	podGang, err := c.podGangs.PodGangs(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) {
		c.status.Forget(key)
		return 0, nil
	}
	if err != nil || podGang.DeletionTimestamp != nil {
		return 0, err
	}
	if !c.status.Fresh.Fresh(key) {
		return fresh.Retry, nil
	}
	observed, complete := c.observe(podGang)
	if !complete {
		return 0, nil
	}
	observed.Verdicts = c.backend.Verdicts(podGang)
	now := c.cluster.Clock.Now()
	status := observed.Status(c.reports.Get(key).Problems, now)
	if wait := c.status.Beginning(podGang, now); wait > 0 && plan.GangBegins(&status) {
		return wait, nil
	}
	return c.status.Write(ctx, podGang, &status, observed.Patience(&status), now)
}

// observe gathers the PodCliques that the gang's pod groups are of, as far as they exist. It is false while the caches don't
// have what one depends on: there is nothing to tell of a gang that is only beginning or ending, and the rest will be seen.
func (c *controller) observe(podGang *v1alpha1.PodGang) (plan.Gang, bool) {
	gang := plan.Gang{Object: podGang, Scheduling: c.backend.Scheduling(podGang.Namespace, podGang.Name)}
	set, there := observe.Set(c.cluster, podGang)
	if !there {
		return gang, false
	}
	gang.Set = set
	for _, name := range plan.PodCliquesOf(podGang) {
		podClique, err := c.podCliques.PodCliques(podGang.Namespace).Get(name)
		if err != nil || !sameController(podClique, podGang) {
			// It has no pods, then.
			continue
		}
		clique, complete := observe.Clique(c.cluster, podClique)
		if !complete {
			return gang, false
		}
		gang.Cliques = append(gang.Cliques, clique)
	}
	return gang, true
}

func sameController(a, b metav1.Object) bool {
	of, other := metav1.GetControllerOfNoCopy(a), metav1.GetControllerOfNoCopy(b)
	return of != nil && other != nil && of.UID == other.UID
}
