// Package podclique is the controller of PodCliques: it decides which pods a PodClique has, and describes the PodClique.
package podclique

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	grovelisters "grove.io/grove/apis/client/listers/grove/v1alpha1"
	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/internal/fresh"
	"grove.io/grove/controllers/internal/index"
	"grove.io/grove/controllers/internal/observe"
	"grove.io/grove/controllers/internal/runner"
)

const kind = "PodClique"

type controller struct {
	cluster    *cluster.Cluster
	podCliques grovelisters.PodCliqueLister
	cache      cache.Indexer
	writer     *writer
	fresh      *fresh.Tracker
}

// New returns the controller.
func New(cluster *cluster.Cluster) (*runner.Controller, error) {
	grove := cluster.GroveInformers.Grove().V1alpha1()
	tracker := &fresh.Tracker{}
	c := &controller{
		cluster:    cluster,
		podCliques: grove.PodCliques().Lister(),
		cache:      grove.PodCliques().Informer().GetIndexer(),
		writer:     newWriter(cluster, tracker),
		fresh:      tracker,
	}
	r := runner.New("podclique", c.sync)
	return r, utilerrors.NewAggregate([]error{
		runner.Watch(r, grove.PodCliques().Informer(), itself),
		runner.Watch(r, cluster.Children.Core().V1().Pods().Informer(), ownerOf),
		runner.WatchSpecs(r, grove.PodCliqueScalingGroups().Informer(), c.membersOf),
		runner.WatchSpecs(r, grove.PodCliqueSets().Informer(), c.partsOf),
	})
}

func itself(podClique *v1alpha1.PodClique) []cache.ObjectName {
	return []cache.ObjectName{cache.MetaObjectToName(podClique)}
}

func ownerOf(pod *corev1.Pod) []cache.ObjectName { return index.ControllerKey(kind, pod) }

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

// sync brings the pods and the status of one PodClique to what they should be.
func (c *controller) sync(ctx context.Context, key cache.ObjectName) (time.Duration, error) {
	podClique, err := c.podCliques.PodCliques(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) {
		c.fresh.Forget(key)
		c.writer.forget(key)
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
	now := c.cluster.Clock.Now()
	actions := observed.PodActions()
	klog.FromContext(ctx).V(4).Info("Planned", "create", len(actions.Create), "delete", len(actions.Delete),
		"replace", len(actions.Replace), "relabel", len(actions.Relabel))
	replaceAgain, err := c.writer.write(ctx, observed, actions, now)
	problems, _ := apply.Problems(err)
	status := observed.Status(problems, now)
	describeAgain, statusErr := c.writer.status.Describe(ctx, podClique, &status, now)
	return runner.Sooner(replaceAgain, describeAgain), utilerrors.NewAggregate([]error{err, statusErr})
}
