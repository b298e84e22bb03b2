// Package podclique is the controller of PodCliques: it decides which pods a PodClique has, and describes the PodClique.
package podclique

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

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

const kind = "PodClique"

type controller struct {
	cluster    *cluster.Cluster
	backend    gang.Backend
	initImage  string
	podCliques grovelisters.PodCliqueLister
	cache      cache.Indexer
	writer     *writer
	fresh      *fresh.Tracker
	reports    apply.Reports
	statuses   *runner.Loop
}

// New returns the loops of the controller. Pods that start after others get an init container of an image.
func New(cluster *cluster.Cluster, backend gang.Backend, initImage string) []*runner.Loop {
	grove := cluster.GroveInformers.Grove().V1alpha1()
	pods := cluster.Children.Core().V1().Pods().Informer()
	tracker := &fresh.Tracker{}
	c := &controller{
		cluster:    cluster,
		backend:    backend,
		initImage:  initImage,
		podCliques: grove.PodCliques().Lister(),
		cache:      grove.PodCliques().Informer().GetIndexer(),
		writer:     newWriter(cluster, backend, tracker),
		fresh:      tracker,
	}
	children := runner.Children("podclique", c.sync)
	c.statuses = runner.Statuses("podclique-status", c.describe)
	runner.WatchSpecs(children, grove.PodCliques().Informer(), itself)
	runner.Watch(children, pods, ownerOf)
	runner.WatchSpecs(children, grove.PodCliqueScalingGroups().Informer(), c.membersOf)
	runner.WatchSpecs(children, grove.PodCliqueSets().Informer(), c.partsOf)
	runner.WatchWhere(children, grove.PodGangs().Informer(), inGang, releases)

	runner.Watch(c.statuses, grove.PodCliques().Informer(), itself)
	runner.Watch(c.statuses, pods, ownerOf)
	runner.WatchSpecs(c.statuses, grove.PodCliqueScalingGroups().Informer(), c.membersOf)
	runner.WatchSpecs(c.statuses, grove.PodCliqueSets().Informer(), c.partsOf)
	return []*runner.Loop{children, c.statuses}
}

func itself(podClique *v1alpha1.PodClique) []cache.ObjectName {
	return []cache.ObjectName{cache.MetaObjectToName(podClique)}
}

func ownerOf(pod *corev1.Pod) []cache.ObjectName { return index.ControllerKey(kind, pod) }

// inGang are the PodCliques of a gang.
func inGang(podGang *v1alpha1.PodGang) []cache.ObjectName {
	var keys []cache.ObjectName
	for _, name := range plan.PodCliquesOf(podGang) {
		keys = append(keys, cache.NewObjectName(podGang.Namespace, name))
	}
	return keys
}

// releases tells whether pods may be created that had to wait.
func releases(before, after *v1alpha1.PodGang) bool {
	return plan.ReleaseOf(before) != plan.ReleaseOf(after) || before.UID != after.UID
}

// membersOf are the PodCliques that scale with a group.
func (c *controller) membersOf(group *v1alpha1.PodCliqueScalingGroup) []cache.ObjectName {
	set := metav1.GetControllerOfNoCopy(group)
	if set == nil {
		return nil
	}
	var keys []cache.ObjectName
	for _, podClique := range index.Controlled[*v1alpha1.PodClique](c.cache, set.UID) {
		if podClique.Labels[v1alpha1.LabelPodCliqueScalingGroup] == group.Name {
			keys = append(keys, cache.MetaObjectToName(podClique))
		}
	}
	return keys
}

// partsOf are the PodCliques of a set.
func (c *controller) partsOf(set *v1alpha1.PodCliqueSet) []cache.ObjectName {
	return index.Keys(index.Controlled[*v1alpha1.PodClique](c.cache, set.UID))
}

// sync brings the pods of one PodClique to what they should be.
func (c *controller) sync(ctx context.Context, key cache.ObjectName) (time.Duration, error) {
	podClique, err := c.podCliques.PodCliques(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) {
		c.fresh.Forget(key)
		c.reports.Forget(key)
		return 0, nil
	}
	if err != nil || podClique.DeletionTimestamp != nil {
		return 0, err
	}
	if !c.fresh.Fresh(key) {
		return fresh.Retry, nil
	}
	observed, complete := observe.Clique(c.cluster, podClique)
	if !complete {
		return 0, nil
	}
	observed.Scheduling = c.backend.Scheduling(key.Namespace, plan.PodGangOf(podClique))
	observed.InitImage = c.initImage
	actions := observed.PodActions()
	klog.FromContext(ctx).V(4).Info("Planned", "create", len(actions.Create), "delete", len(actions.Delete),
		"replace", len(actions.Replace), "relabel", len(actions.Relabel))
	again, err := c.writer.write(ctx, observed, actions, c.cluster.Clock.Now())
	problems, _ := apply.Problems(err)
	if c.reports.Set(key, apply.Report{Generation: podClique.Generation, Problems: problems}) {
		c.statuses.Mark(key)
	}
	return again, err
}

// describe brings the status of one PodClique to what it should be.
func (c *controller) describe(ctx context.Context, key cache.ObjectName) (time.Duration, error) {
	podClique, err := c.podCliques.PodCliques(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) {
		c.writer.status.Forget(key)
		return 0, nil
	}
	if err != nil || podClique.DeletionTimestamp != nil {
		return 0, err
	}
	if !c.writer.status.Fresh.Fresh(key) {
		return fresh.Retry, nil
	}
	observed, complete := observe.Clique(c.cluster, podClique)
	if !complete {
		return 0, nil
	}
	now := c.cluster.Clock.Now()
	status := observed.Status(c.reports.Get(key).Problems, now)
	if wait := c.writer.status.Beginning(podClique, now); wait > 0 && len(c.reports.Get(key).Problems) == 0 && observed.Begins() {
		return wait, nil
	}
	return c.writer.status.Write(ctx, podClique, &status, observed.Patience(&status), now)
}
