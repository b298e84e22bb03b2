// Package podgang is the controller of PodGangs: it tells the scheduler of each gang, and describes how far the gang has come.
package podgang

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	grovev1alpha1 "grove.io/grove/apis/applyconfiguration/grove/v1alpha1"
	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/internal/consistency"
	"grove.io/grove/controllers/internal/events"
	"grove.io/grove/controllers/internal/index"
	"grove.io/grove/controllers/internal/observe"
	"grove.io/grove/controllers/internal/runner"
	"grove.io/grove/controllers/internal/scheduler"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/podgang"
)

type controller struct {
	cluster  *cluster.Cluster
	backend  scheduler.Backend
	observer observe.Observer
	cache    cache.Indexer
	reports  apply.Reports
	statuses *runner.Loop
	pods     *apply.Kind[*corev1.Pod, *corev1ac.PodApplyConfiguration]
	resizes  *apply.Kind[*corev1.Pod, *corev1ac.PodApplyConfiguration]
	// refusals are of pods that can't be changed where they are.
	refusals apply.Reports
	tracker  *consistency.Tracker
	status   *apply.Status[*v1alpha1.PodGang, v1alpha1.PodGangStatus]
}

// New returns the loops of the controller.
func New(cluster *cluster.Cluster, backend scheduler.Backend, pace *apply.Pace) []*runner.Loop {
	grove := cluster.GroveInformers.Grove().V1alpha1()
	c := &controller{
		cluster:  cluster,
		backend:  backend,
		observer: observe.New(cluster, backend),
		cache:    grove.PodGangs().Informer().GetIndexer(),
		status: apply.NewStatus(plan.GangManager, grove.PodGangs().Informer().GetIndexer(), pace, cluster.Recorder,
			cluster.Grove.GroveV1alpha1().PodGangs, grovev1alpha1.PodGang,
			func(podGang *v1alpha1.PodGang) *v1alpha1.PodGangStatus { return &podGang.Status },
			func(status *v1alpha1.PodGangStatus) []metav1.Condition { return status.Conditions }),
	}
	c.status.Guarded, c.status.Written = podgang.Restarts, c.written
	get := func(key cache.ObjectName) (*v1alpha1.PodGang, error) {
		return grove.PodGangs().Lister().PodGangs(key.Namespace).Get(key.Name)
	}
	pods := cluster.Children.Core().V1().Pods().Informer()
	c.tracker = &consistency.Tracker{}
	c.pods = apply.NewKind("Pod", plan.GangManager, c.tracker, pods.GetIndexer(), cluster.Kube.CoreV1().Pods, corev1ac.ExtractPod)
	c.resizes = apply.NewKind("Pod", plan.GangManager, c.tracker, pods.GetIndexer(), apply.Resizes(cluster.Kube.CoreV1().Pods), corev1ac.ExtractPod)
	fresh := func(key cache.ObjectName) bool { return backend.Fresh(key) && c.tracker.Fresh(key) }
	children := runner.Children("podgang", runner.Head[*v1alpha1.PodGang]{Get: get, Fresh: fresh, Gone: c.gone}.Sync(c.sync))
	c.statuses = runner.Statuses("podgang-status", runner.Head[*v1alpha1.PodGang]{Get: get, Fresh: c.status.Fresh, Gone: c.status.Gone}.Sync(c.describe))
	runner.WatchWhere(children, grove.PodGangs().Informer(), itself, podgang.Concerns)
	runner.WatchWhere(children, pods, gangOf[*corev1.Pod], podgang.PodConcerns)
	// Pods wait for the groups, so nothing else may bring back a gang whose PodCliques were in the caches ahead of their scaling group.
	runner.WatchSpecs(children, grove.PodCliques().Informer(), gangOf[*v1alpha1.PodClique])
	runner.WatchSpecs(children, grove.PodCliqueScalingGroups().Informer(), c.gangsOf)
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
func (c *controller) gangsOf(scalingGroup *v1alpha1.PodCliqueScalingGroup) []cache.ObjectName {
	set := metav1.GetControllerOfNoCopy(scalingGroup)
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

func (c *controller) gone(_ context.Context, key cache.ObjectName) error {
	c.backend.Forget(key)
	c.tracker.Forget(key)
	c.reports.Forget(key)
	c.refusals.Forget(key)
	return nil
}

// sync brings what the scheduler knows of one PodGang to what it should be.
func (c *controller) sync(ctx context.Context, podGang *v1alpha1.PodGang) (time.Duration, error) {
	observed, complete := c.observe(podGang)
	if !complete {
		return 0, nil
	}
	owner := apply.Owner{Object: podGang, Kind: podgang.Kind, Set: observed.Set.Name, Live: func(ctx context.Context) (metav1.Object, error) {
		return c.cluster.Grove.GroveV1alpha1().PodGangs(podGang.Namespace).Get(ctx, podGang.Name, metav1.GetOptions{})
	}}
	told := c.backend.Write(ctx, owner, observed.Placements(), observed.Names())
	replaced := c.replace(ctx, owner, observed)
	toldNews, replacedNews := c.reports.Set(podGang, told), c.refusals.Set(podGang, replaced)
	if toldNews || replacedNews {
		c.statuses.Mark(cache.MetaObjectToName(podGang))
	}
	return 0, utilerrors.NewAggregate([]error{told, replaced})
}

// replace deletes the pods that an update replaces now, which come back from what their PodCliques say, and changes those that can be changed
// where they are.
func (c *controller) replace(ctx context.Context, owner apply.Owner, observed podgang.Gang) error {
	var errs []error
	for _, step := range observed.Replacements() {
		klog.FromContext(ctx).V(2).Info("Replacing outdated pods", "scalingGroup", step.ScalingGroup, "podClique", step.Clique,
			"pods", len(step.Pods), "inPlace", len(step.Patches))
		taken := utilerrors.NewAggregate([]error{c.pods.Delete(ctx, owner, step.Pods), c.change(ctx, owner, step.Patches)})
		if errs = append(errs, taken); taken != nil {
			continue
		}
		for _, news := range observed.Tells(step) {
			events.Tell(c.cluster.Recorder, observed.Set, about(observed, step), news)
		}
	}
	return utilerrors.NewAggregate(errs)
}

// change changes pods where they are.
func (c *controller) change(ctx context.Context, owner apply.Owner, patches []*podgang.Patch) error {
	var errs []error
	for _, kind := range []*apply.Kind[*corev1.Pod, *corev1ac.PodApplyConfiguration]{c.pods, c.resizes} {
		var pods []*corev1.Pod
		var configs []*corev1ac.PodApplyConfiguration
		for _, patch := range patches {
			if patch.Resize == (kind == c.resizes) {
				pods, configs = append(pods, patch.Pod), append(configs, patch.Config)
			}
		}
		errs = append(errs, kind.Change(ctx, owner, pods, configs))
	}
	return utilerrors.NewAggregate(errs)
}

// about is what tells the events of an update's steps apart: the PodClique, so that those of its pods become one, or of a group replica that pod
// which goes first. The recorder's scheme has no pods.
func about(observed podgang.Gang, step podgang.Step) *corev1.ObjectReference {
	if step.Clique != "" {
		return &corev1.ObjectReference{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "PodClique", Namespace: observed.Set.Namespace, Name: step.Clique}
	}
	pod := step.First()
	return &corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID}
}

// describe brings the status of one PodGang to what it should be.
func (c *controller) describe(ctx context.Context, podGang *v1alpha1.PodGang) (time.Duration, error) {
	observed, complete := c.observe(podGang)
	if !complete {
		c.status.Withdraw(podGang)
		return 0, nil
	}
	observed.Verdicts = c.backend.Verdicts(podGang)
	now := c.cluster.Clock.Now()
	observed.Refused = c.refusals.Get(podGang)
	status := observed.Status(c.reports.Get(podGang), now)
	wait, err := c.status.Write(ctx, podGang, &status, observed.Urgency(&status), now)
	if deadline := observed.Deadline(&status); deadline.After(now) {
		wait = runner.Sooner(wait, deadline.Sub(now))
	}
	return wait, err
}

// tell tells users of a PodGang, and of its set, what became of the units.
func (c *controller) tell(podGang *v1alpha1.PodGang, before, after *v1alpha1.PodGangStatus) {
	set, there := c.observer.Set(podGang)
	if !there {
		return
	}
	for _, news := range podgang.News(set, podGang, before, after) {
		part := events.PartOf(podGang, news.Part)
		events.Tell(c.cluster.Recorder, podGang, part, news)
		events.Tell(c.cluster.Recorder, set, part, news)
	}
}

func (c *controller) observe(podGang *v1alpha1.PodGang) (podgang.Gang, bool) {
	replica, complete := c.observer.Replica(podGang, podgang.PodCliquesOf(podGang))
	return podgang.Gang{Replica: replica}, complete
}
