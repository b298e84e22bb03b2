package podclique

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/flowcontrol"

	grovev1alpha1 "grove.io/grove/apis/applyconfiguration/grove/v1alpha1"
	groveclient "grove.io/grove/apis/client/clientset/versioned/typed/grove/v1alpha1"
	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/internal/fresh"
	"grove.io/grove/controllers/internal/gang"
	"grove.io/grove/controllers/internal/runner"
	"grove.io/grove/controllers/plan"
)

// firstReplacement and lastReplacement bound how long a pod that keeps failing waits for its next replacement; the time doubles
// in between.
const (
	firstReplacement = time.Second
	lastReplacement  = 5 * time.Minute
)

// writer writes what the plan of a PodClique says.
type writer struct {
	backend    gang.Backend
	podCliques func(namespace string) groveclient.PodCliqueInterface
	pods       *apply.Kind[*corev1.Pod, *corev1ac.PodApplyConfiguration]
	status     *apply.Status[*v1alpha1.PodClique, v1alpha1.PodCliqueStatus, *grovev1alpha1.PodCliqueApplyConfiguration]
	// failures slows down the replacement of pods that fail again and again.
	failures *flowcontrol.Backoff
}

func newWriter(cluster *cluster.Cluster, backend gang.Backend, tracker *fresh.Tracker) *writer {
	return &writer{
		backend:    backend,
		podCliques: cluster.Grove.GroveV1alpha1().PodCliques,
		failures:   flowcontrol.NewBackOff(firstReplacement, lastReplacement),
		pods: apply.NewKind(apply.Kind[*corev1.Pod, *corev1ac.PodApplyConfiguration]{
			Name: "Pod", Manager: plan.CliqueManager, Fresh: tracker,
			Cache:     cluster.Children.Core().V1().Pods().Informer().GetIndexer(),
			Extract:   corev1ac.ExtractPod,
			Stripped:  true,
			Immutable: metadataOnly,
			Client: func(namespace string) apply.Client[*corev1.Pod, *corev1ac.PodApplyConfiguration] {
				return cluster.Kube.CoreV1().Pods(namespace)
			},
		}),
		status: &apply.Status[*v1alpha1.PodClique, v1alpha1.PodCliqueStatus, *grovev1alpha1.PodCliqueApplyConfiguration]{
			Manager: plan.CliqueManager, Recorder: cluster.Recorder, FirstWithin: apply.PartFirstWithin,
			Cache:      cluster.GroveInformers.Grove().V1alpha1().PodCliques().Informer().GetIndexer(),
			Of:         func(podClique *v1alpha1.PodClique) *v1alpha1.PodCliqueStatus { return &podClique.Status },
			Conditions: func(status *v1alpha1.PodCliqueStatus) []metav1.Condition { return status.Conditions },
			Client: func(namespace string) apply.StatusClient[*v1alpha1.PodClique, *grovev1alpha1.PodCliqueApplyConfiguration] {
				return cluster.Grove.GroveV1alpha1().PodCliques(namespace)
			},
			Configuration: func(podClique *v1alpha1.PodClique, status *v1alpha1.PodCliqueStatus) *grovev1alpha1.PodCliqueApplyConfiguration {
				return grovev1alpha1.PodClique(podClique.Name, podClique.Namespace).
					WithStatus(plan.Configuration[grovev1alpha1.PodCliqueStatusApplyConfiguration](status))
			},
		},
	}
}

// metadataOnly changes of a pod what can be changed.
func metadataOnly(owned, wanted *corev1ac.PodApplyConfiguration) *corev1ac.PodApplyConfiguration {
	changed := corev1ac.Pod(*wanted.Name, *wanted.Namespace).WithLabels(wanted.Labels).WithAnnotations(wanted.Annotations)
	changed.OwnerReferences = wanted.OwnerReferences
	changed.Spec = owned.Spec
	return changed
}

// write makes the pods what the plan says. A pod that keeps failing may have to wait for its replacement; write returns how
// long.
func (w *writer) write(ctx context.Context, observed plan.Clique, actions plan.PodActions, now time.Time) (time.Duration, error) {
	podClique := observed.Object
	owner := apply.Owner{Object: podClique, Kind: kind, Set: observed.Set.Name, Live: func(ctx context.Context) (metav1.Object, error) {
		return w.podCliques(podClique.Namespace).Get(ctx, podClique.Name, metav1.GetOptions{})
	}}
	replace, again := w.replaceable(actions.Replace, now)
	return again, utilerrors.NewAggregate([]error{
		w.pods.Delete(ctx, owner, actions.Delete),
		w.pods.Delete(ctx, owner, replace),
		w.pods.All(ctx, owner, w.joined(actions.Create)),
		w.pods.All(ctx, owner, actions.Relabel),
	})
}

// joined are the configurations of new pods, each made a member of its group.
func (w *writer) joined(pods []plan.NewPod) []*corev1ac.PodApplyConfiguration {
	var configs []*corev1ac.PodApplyConfiguration
	for _, pod := range pods {
		if pod.Group != "" {
			w.backend.Join(pod.Config, pod.Group)
		}
		configs = append(configs, pod.Config)
	}
	return configs
}

// replaceable are the failed pods that may be replaced now: at once the first time, later each time after that. For the
// others it returns how long to wait.
func (w *writer) replaceable(failed []*corev1.Pod, now time.Time) (replace []*corev1.Pod, again time.Duration) {
	for _, pod := range failed {
		id := cache.MetaObjectToName(pod).String()
		if w.failures.IsInBackOffSinceUpdate(id, now) {
			again = runner.Sooner(again, w.failures.Get(id))
			continue
		}
		w.failures.Next(id, now)
		replace = append(replace, pod)
	}
	if len(failed) > 0 {
		w.failures.GC()
	}
	return replace, again
}
