// Package podclique is the controller of PodCliques: it decides which pods a PodClique has, and describes the PodClique.
package podclique

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/internal/consistency"
	"grove.io/grove/controllers/internal/index"
	"grove.io/grove/controllers/internal/observe"
	"grove.io/grove/controllers/internal/runner"
	"grove.io/grove/controllers/internal/scheduler"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/podclique"
	"grove.io/grove/controllers/plan/podgang"
)

type controller struct {
	cluster   *cluster.Cluster
	observer  observe.Observer
	initImage string
	// nodes tell which pods are lost with their nodes; nil where nobody looks.
	nodes    *podclique.Nodes
	cache    cache.Indexer
	writer   *writer
	tracker  *consistency.Tracker
	reports  apply.Reports
	statuses *runner.Loop
}

// New returns the loops of the controller. Pods that start after others get an init container of an image. Those on a node that is silent
// for the grace are lost; 0 lets them wait for ever, and nodes aren't watched.
func New(cluster *cluster.Cluster, backend scheduler.Backend, pace *apply.Pace, initImage string, lostNodeGrace time.Duration) []*runner.Loop {
	grove := cluster.GroveInformers.Grove().V1alpha1()
	pods := cluster.Children.Core().V1().Pods().Informer()
	tracker := &consistency.Tracker{}
	c := &controller{
		cluster:   cluster,
		observer:  observe.New(cluster, backend),
		initImage: initImage,
		cache:     grove.PodCliques().Informer().GetIndexer(),
		writer:    newWriter(cluster, backend, pace, tracker),
		tracker:   tracker,
	}
	get := func(key cache.ObjectName) (*v1alpha1.PodClique, error) {
		return grove.PodCliques().Lister().PodCliques(key.Namespace).Get(key.Name)
	}
	children := runner.Children("podclique", runner.Head[*v1alpha1.PodClique]{Get: get, Fresh: tracker.Fresh, Gone: c.gone}.Sync(c.sync))
	c.statuses = runner.Statuses("podclique-status", runner.Head[*v1alpha1.PodClique]{Get: get, Fresh: c.writer.status.Fresh, Gone: c.writer.status.Gone}.Sync(c.describe))
	runner.WatchSpecs(children, grove.PodCliques().Informer(), itself)
	runner.Watch(children, pods, ownerOf)
	runner.WatchSpecs(children, grove.PodCliqueScalingGroups().Informer(), c.membersOf)
	runner.WatchSpecs(children, grove.PodCliqueSets().Informer(), c.partsOf)
	runner.WatchWhere(children, grove.PodGangs().Informer(), inGang, releases)
	runner.WatchWhere(children, pods, c.successorsOf, func(*corev1.Pod, *corev1.Pod) bool { return false })

	if lostNodeGrace > 0 {
		c.watchNodes(children, lostNodeGrace)
	}

	runner.Watch(c.statuses, grove.PodCliques().Informer(), itself)
	runner.Watch(c.statuses, pods, ownerOf)
	runner.WatchSpecs(c.statuses, grove.PodCliqueScalingGroups().Informer(), c.membersOf)
	runner.WatchSpecs(c.statuses, grove.PodCliqueSets().Informer(), c.partsOf)
	runner.WatchWhere(c.statuses, grove.PodGangs().Informer(), inGang, releases)
	backend.WatchGroups(c.all, c.labelledWith, children, c.statuses)
	return []*runner.Loop{children, c.statuses}
}

func itself(podClique *v1alpha1.PodClique) []cache.ObjectName {
	return []cache.ObjectName{cache.MetaObjectToName(podClique)}
}

// ownerOf is the PodClique that controls a pod or, where nothing does, may adopt it.
func ownerOf(pod *corev1.Pod) []cache.ObjectName {
	if name := pod.Labels[v1alpha1.LabelPodClique]; name != "" && metav1.GetControllerOfNoCopy(pod) == nil {
		return []cache.ObjectName{cache.NewObjectName(pod.Namespace, name)}
	}
	return index.ControllerKey(podclique.Kind, pod)
}

// successorsOf are the PodCliques whose pods may wait for the end of one that was born before the last restart.
func (c *controller) successorsOf(pod *corev1.Pod) []cache.ObjectName {
	key := cache.NewObjectName(pod.Namespace, pod.Labels[v1alpha1.LabelPodGang])
	podGang, err := c.cluster.GroveInformers.Grove().V1alpha1().PodGangs().Lister().PodGangs(key.Namespace).Get(key.Name)
	if err != nil || !plan.RestartsOf(podGang).Outlived(pod, plan.PodGroupOf(pod)) {
		return nil
	}
	return c.labelledWith(key)
}

// inGang are the PodCliques of a gang.
func inGang(podGang *v1alpha1.PodGang) []cache.ObjectName {
	var keys []cache.ObjectName
	for _, name := range podgang.PodCliquesOf(podGang) {
		keys = append(keys, cache.NewObjectName(podGang.Namespace, name))
	}
	return keys
}

// releases tells whether pods may be created that had to wait, or mayn't be any more. A gang that is adopted wasn't the set's before.
func releases(before, after *v1alpha1.PodGang) bool {
	return before.UID != after.UID || !equality.Semantic.DeepEqual(before.OwnerReferences, after.OwnerReferences) || before.Status.Phase != after.Status.Phase || plan.ReleasedBy(after).Changed(plan.ReleasedBy(before))
}

// labelledWith are the PodCliques that bear the label of a PodGang.
func (c *controller) labelledWith(podGang cache.ObjectName) []cache.ObjectName {
	return index.Keys(index.Labelled[*v1alpha1.PodClique](c.cache, podGang.Namespace, podGang.Name))
}

// all are the PodCliques that there are.
func (c *controller) all() []cache.ObjectName {
	var keys []cache.ObjectName
	for _, obj := range c.cache.List() {
		keys = append(keys, cache.MetaObjectToName(obj.(*v1alpha1.PodClique)))
	}
	return keys
}

// membersOf are the PodCliques that scale with a scaling group.
func (c *controller) membersOf(scalingGroup *v1alpha1.PodCliqueScalingGroup) []cache.ObjectName {
	set := metav1.GetControllerOfNoCopy(scalingGroup)
	if set == nil {
		return nil
	}
	var keys []cache.ObjectName
	for _, podClique := range index.Controlled[*v1alpha1.PodClique](c.cache, set.UID) {
		if podClique.Labels[v1alpha1.LabelPodCliqueScalingGroup] == scalingGroup.Name {
			keys = append(keys, cache.MetaObjectToName(podClique))
		}
	}
	return keys
}

// partsOf are the PodCliques of a set.
func (c *controller) partsOf(set *v1alpha1.PodCliqueSet) []cache.ObjectName {
	return index.Keys(index.Controlled[*v1alpha1.PodClique](c.cache, set.UID))
}

func (c *controller) gone(_ context.Context, key cache.ObjectName) error {
	c.tracker.Forget(key)
	c.reports.Forget(key)
	return nil
}

// sync brings the pods of one PodClique to what they should be.
func (c *controller) sync(ctx context.Context, podClique *v1alpha1.PodClique) (time.Duration, error) {
	observed, complete := c.observer.Clique(podClique)
	if !complete {
		return 0, nil
	}
	observed.InitImage = c.initImage
	actions := podclique.Clique{Clique: observed}.Actions(c.cluster.Clock.Now())
	klog.FromContext(ctx).V(4).Info("Planned", "create", len(actions.Create), "delete", len(actions.Delete),
		"replace", len(actions.Replace), "relabel", len(actions.Relabel))
	lost, again := c.lost(observed)
	key := cache.MetaObjectToName(podClique)
	deleted := c.writer.deleteLost(ctx, observed, lost)
	written := c.writer.write(ctx, observed, actions, func(err error) {
		if c.reports.Add(podClique, err) {
			c.statuses.Mark(key)
		}
	})
	err := utilerrors.NewAggregate([]error{deleted, written})
	if c.reports.Set(podClique, err) {
		c.statuses.Mark(key)
	}
	return runner.Sooner(actions.Again, again), err
}

// describe brings the status of one PodClique to what it should be.
func (c *controller) describe(ctx context.Context, podClique *v1alpha1.PodClique) (time.Duration, error) {
	observed, complete := c.observer.Clique(podClique)
	if !complete {
		c.writer.status.Withdraw(podClique)
		return 0, nil
	}
	clique, now := podclique.Clique{Clique: observed}, c.cluster.Clock.Now()
	status := clique.Status(c.reports.Get(podClique), now)
	return c.writer.status.Write(ctx, podClique, &status, clique.Urgency(&status), now)
}
