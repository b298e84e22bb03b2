package podclique

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	grovev1alpha1 "grove.io/grove/apis/applyconfiguration/grove/v1alpha1"
	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/internal/consistency"
	"grove.io/grove/controllers/internal/scheduler"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/podclique"
)

// writer writes what the plan of a PodClique says.
type writer struct {
	cluster *cluster.Cluster
	backend scheduler.Backend
	pods    *apply.Kind[*corev1.Pod, *corev1ac.PodApplyConfiguration]
	status  *apply.Status[*v1alpha1.PodClique, v1alpha1.PodCliqueStatus]
}

func newWriter(cluster *cluster.Cluster, backend scheduler.Backend, pace *apply.Pace, tracker *consistency.Tracker) *writer {
	pods := cluster.Children.Core().V1().Pods().Informer().GetIndexer()
	w := &writer{
		cluster: cluster,
		backend: backend,
		pods:    apply.NewKind("Pod", plan.CliqueManager, tracker, pods, cluster.Kube.CoreV1().Pods, corev1ac.ExtractPod),
		status: apply.NewStatus(plan.CliqueManager, cluster.GroveInformers.Grove().V1alpha1().PodCliques().Informer().GetIndexer(), pace, cluster.Recorder,
			cluster.Grove.GroveV1alpha1().PodCliques, grovev1alpha1.PodClique,
			func(podClique *v1alpha1.PodClique) *v1alpha1.PodCliqueStatus { return &podClique.Status },
			func(status *v1alpha1.PodCliqueStatus) []metav1.Condition { return status.Conditions }),
	}
	w.pods.Stripped = true
	w.pods.Immutable = metadataOnly
	return w
}

// metadataOnly changes of a pod what a PodClique may change. Which podSpec the pod is of, is left to those who change it where it is.
func metadataOnly(owned, wanted *corev1ac.PodApplyConfiguration) *corev1ac.PodApplyConfiguration {
	changed := corev1ac.Pod(*wanted.Name, *wanted.Namespace).WithLabels(wanted.Labels).WithAnnotations(wanted.Annotations)
	delete(changed.Labels, v1alpha1.LabelPodTemplateHash)
	if owned.ObjectMetaApplyConfiguration != nil {
		if hash, ok := owned.Labels[v1alpha1.LabelPodTemplateHash]; ok {
			changed.WithLabels(map[string]string{v1alpha1.LabelPodTemplateHash: hash})
		}
	}
	changed.OwnerReferences = wanted.OwnerReferences
	changed.Spec = owned.Spec
	return changed
}

// write makes the pods what the plan says. Refused is told of those that are refused, as they are.
func (w *writer) write(ctx context.Context, observed plan.Clique, actions podclique.Actions, refused func(error)) error {
	owner := w.ownerOf(observed)
	owner.Refused = refused
	var failed []*corev1.Pod
	var successors []*corev1ac.PodApplyConfiguration
	for _, replacement := range actions.Replace {
		failed = append(failed, replacement.Failed)
		successors = append(successors, w.joined(replacement.Successor))
	}
	var created []*corev1ac.PodApplyConfiguration
	for _, pod := range actions.Create {
		created = append(created, w.joined(pod))
	}
	return utilerrors.NewAggregate([]error{
		w.pods.Delete(ctx, owner, actions.Delete),
		w.pods.Replace(ctx, owner, failed, successors),
		w.pods.All(ctx, owner, created),
		w.pods.All(ctx, owner, actions.Relabel),
		apply.Refuse(actions.Problems),
	})
}

// ownerOf is on whose behalf pods are written.
func (w *writer) ownerOf(observed plan.Clique) apply.Owner {
	podClique := observed.Object
	return apply.Owner{Object: podClique, Kind: podclique.Kind, Set: observed.Set.Name, Live: func(ctx context.Context) (metav1.Object, error) {
		return w.cluster.Grove.GroveV1alpha1().PodCliques(podClique.Namespace).Get(ctx, podClique.Name, metav1.GetOptions{})
	}}
}

// joined is the configuration of a new pod, made a member of its group.
func (w *writer) joined(pod podclique.NewPod) *corev1ac.PodApplyConfiguration {
	if pod.Group != "" {
		w.backend.Join(pod.Config, pod.Group)
	}
	return pod.Config
}
