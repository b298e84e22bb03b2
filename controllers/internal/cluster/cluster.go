// Package cluster is what controllers use of a cluster: clients, shared caches, events and a clock.
package cluster

import (
	"context"
	"fmt"
	"unique"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"

	"grove.io/grove/apis/client/clientset/versioned"
	groveinformers "grove.io/grove/apis/client/informers/externalversions"
	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/index"
	"grove.io/grove/controllers/plan"
)

// defaultServiceAccount is the account that every namespace has.
const defaultServiceAccount = "default"

// Cluster is what controllers use of a cluster, or of one namespace of it.
type Cluster struct {
	Grove    versioned.Interface
	Kube     kubernetes.Interface
	Recorder events.EventRecorder
	Clock    clock.PassiveClock

	// GroveInformers has caches of Grove's kinds.
	GroveInformers groveinformers.SharedInformerFactory
	// Children has caches of those objects of other kinds that are labelled as Grove's.
	Children informers.SharedInformerFactory
	// stop ends the caches.
	stop      <-chan struct{}
	namespace string
	// DefaultAccounts has a cache of the default ServiceAccount of each namespace, and of nothing else.
	DefaultAccounts informers.SharedInformerFactory
	// Nodes has a cache of nodes, with what says whether they are lost, once somebody asks for it before Start.
	Nodes informers.SharedInformerFactory
}

// New makes the caches for a namespace, or for all if it is empty. They are filled once Start is called, and kept filled until the
// channel is closed.
func New(grove versioned.Interface, kube kubernetes.Interface, recorder events.EventRecorder, namespace string, stop <-chan struct{}) (*Cluster, error) {
	c := &Cluster{
		Grove:          grove,
		Kube:           kube,
		Recorder:       recorder,
		Clock:          systemClock(),
		GroveInformers: groveinformers.NewSharedInformerFactoryWithOptions(grove, 0, groveinformers.WithNamespace(namespace)),
		stop:           stop,
		namespace:      namespace,
	}
	c.Children = c.Managed()
	c.DefaultAccounts = c.only(func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, defaultServiceAccount).String()
	})
	c.Nodes = c.All(trimNode)
	return c, c.prepare()
}

// All makes caches of all objects of a kind, each cut down by a transform. Whoever asks for them starts them, as those that Managed makes.
func (c *Cluster) All(transform cache.TransformFunc) informers.SharedInformerFactory {
	return informers.NewSharedInformerFactoryWithOptions(c.Kube, 0, informers.WithNamespace(c.namespace), informers.WithTransform(transform))
}

// Managed makes caches of objects that are labelled as Grove's. Whoever asks for them starts them, with the channel Stopped, and
// shuts them down.
func (c *Cluster) Managed() informers.SharedInformerFactory {
	return c.only(func(o *metav1.ListOptions) {
		o.LabelSelector = labels.Set{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}.String()
	})
}

func (c *Cluster) only(tweak func(*metav1.ListOptions)) informers.SharedInformerFactory {
	return informers.NewSharedInformerFactoryWithOptions(c.Kube, 0, informers.WithNamespace(c.namespace), informers.WithTweakListOptions(tweak))
}

// Stopped is closed when caches shall end.
func (c *Cluster) Stopped() <-chan struct{} { return c.stop }

// prepare gives the caches the indexes that controllers use, and makes that of pods small.
func (c *Cluster) prepare() error {
	grove := c.GroveInformers.Grove().V1alpha1()
	pods := c.Children.Core().V1().Pods().Informer()
	errs := []error{pods.SetTransform(stripPod)}
	errs = append(errs, c.Children.Core().V1().Services().Informer().AddIndexers(index.ByController))
	errs = append(errs, c.Children.Apps().V1().ControllerRevisions().Informer().AddIndexers(index.ByController))
	errs = append(errs, c.Children.Policy().V1().PodDisruptionBudgets().Informer().AddIndexers(index.ByController))
	errs = append(errs, c.Children.Autoscaling().V2().HorizontalPodAutoscalers().Informer().AddIndexers(index.ByController))
	errs = append(errs, grove.PodCliques().Informer().AddIndexers(index.WithLabel(v1alpha1.LabelPodGang)))
	for _, informer := range []cache.SharedIndexInformer{
		grove.PodCliques().Informer(),
		grove.PodCliqueScalingGroups().Informer(),
		grove.PodGangs().Informer(),
	} {
		errs = append(errs, informer.AddIndexers(index.ByLabel(v1alpha1.LabelPodCliqueSet)))
	}
	errs = append(errs, pods.AddIndexers(index.ByLabel(v1alpha1.LabelPodClique)), pods.AddIndexers(index.WithLabel(v1alpha1.LabelPodGang)),
		pods.AddIndexers(index.ByNode))
	return utilerrors.NewAggregate(errs)
}

// Start begins to fill the caches.
func (c *Cluster) Start() {
	c.GroveInformers.Start(c.stop)
	c.Children.Start(c.stop)
	c.DefaultAccounts.Start(c.stop)
	c.Nodes.Start(c.stop)
}

// WaitForSync returns once the caches are filled. The error says that the context ended before.
func (c *Cluster) WaitForSync(ctx context.Context) error {
	errs := []error{
		c.GroveInformers.WaitForCacheSyncWithContext(ctx).AsError(),
		c.Children.WaitForCacheSyncWithContext(ctx).AsError(),
		c.DefaultAccounts.WaitForCacheSyncWithContext(ctx).AsError(),
		c.Nodes.WaitForCacheSyncWithContext(ctx).AsError(),
	}
	if err := utilerrors.NewAggregate(errs); err != nil {
		return fmt.Errorf("filling the caches: %w", err)
	}
	return nil
}

// Shutdown returns when the caches, whose channel has been closed, have ended.
func (c *Cluster) Shutdown() {
	c.GroveInformers.Shutdown()
	c.Children.Shutdown()
	c.DefaultAccounts.Shutdown()
	c.Nodes.Shutdown()
}

// DefaultAccount returns the default ServiceAccount of a namespace; nil if it doesn't exist yet.
func (c *Cluster) DefaultAccount(namespace string) *corev1.ServiceAccount {
	account, err := c.DefaultAccounts.Core().V1().ServiceAccounts().Lister().ServiceAccounts(namespace).Get(defaultServiceAccount)
	if err != nil {
		return nil
	}
	return account
}

// stripPod drops what no controller reads of a pod, before a cache keeps it: with many thousands of pods that is most of
// the memory.
func stripPod(obj any) (any, error) {
	if pod, ok := obj.(*corev1.Pod); ok {
		resizing := plan.InPlaceOf(pod).Resizing
		pod.ManagedFields = nil
		pod.Spec = corev1.PodSpec{
			NodeName:        pod.Spec.NodeName,
			RestartPolicy:   pod.Spec.RestartPolicy,
			SchedulingGroup: pod.Spec.SchedulingGroup,
			SchedulingGates: pod.Spec.SchedulingGates,
			InitContainers:  stripContainers(pod.Spec.InitContainers, resizing),
			Containers:      stripContainers(pod.Spec.Containers, resizing),
		}
	}
	return obj, nil
}

// stripContainers keeps of containers whether they come back, and what of them can be changed: their images, each of which is kept once for
// all pods, and their resources while somebody waits for those to change.
func stripContainers(containers []corev1.Container, resizing bool) []corev1.Container {
	kept := make([]corev1.Container, len(containers))
	for i := range containers {
		kept[i] = corev1.Container{
			Name:          unique.Make(containers[i].Name).Value(),
			Image:         unique.Make(containers[i].Image).Value(),
			RestartPolicy: containers[i].RestartPolicy,
		}
		if resizing {
			kept[i].Resources = containers[i].Resources
		}
	}
	return kept
}

// trimNode keeps of a node what says whether it is lost: kubelets report much more, and more often.
func trimNode(obj any) (any, error) {
	node, ok := obj.(*corev1.Node)
	if !ok {
		return obj, nil
	}
	trimmed := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node.Name, UID: node.UID, ResourceVersion: node.ResourceVersion}}
	for _, taint := range node.Spec.Taints {
		if taint.Key == corev1.TaintNodeOutOfService {
			trimmed.Spec.Taints = append(trimmed.Spec.Taints, taint)
		}
	}
	for i := range node.Status.Conditions {
		if condition := &node.Status.Conditions[i]; condition.Type == corev1.NodeReady {
			trimmed.Status.Conditions = []corev1.NodeCondition{{
				Type: condition.Type, Status: condition.Status, LastTransitionTime: condition.LastTransitionTime,
			}}
		}
	}
	return trimmed, nil
}
