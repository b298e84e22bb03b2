package podcliqueset

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/util/sets"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// Removals are children that the set no longer asks for.
type Removals struct {
	// PodCliques and PodGangs are those of replicas that go.
	PodCliques []*v1alpha1.PodClique
	PodGangs   []*v1alpha1.PodGang
	// WithPods are those of the PodCliques whose labels tell which pods go with them.
	WithPods []*v1alpha1.PodClique
	// Services are headless ones that have been disabled.
	Services []*corev1.Service
	// Revisions are ControllerRevisions beyond the limit.
	Revisions []*appsv1.ControllerRevision
	// Autoscalers are those of replicas that go, and of what isn't autoscaled any more.
	Autoscalers []*autoscalingv2.HorizontalPodAutoscaler
}

// Removals of a set are what is left of replicas at and above spec.replicas, a Service that is disabled, and autoscalers that were taken out. What the set still
// asks for by name stays, whatever somebody has made of its labels.
func (s Set) Removals() Removals {
	var removals Removals
	wanted := s.names()
	for _, podClique := range s.PodCliques {
		if wanted[podClique.Name] || podClique.DeletionTimestamp != nil || !metav1.IsControlledBy(podClique, s.Object) {
			continue
		}
		removals.PodCliques = append(removals.PodCliques, podClique)
		if i, ok := plan.IndexLabel(podClique, v1alpha1.LabelReplicaIndex); ok && i >= s.Object.Spec.Replicas {
			removals.WithPods = append(removals.WithPods, podClique)
		}
	}
	for _, podGang := range s.PodGangs {
		if !wanted[podGang.Name] && podGang.DeletionTimestamp == nil && metav1.IsControlledBy(podGang, s.Object) {
			removals.PodGangs = append(removals.PodGangs, podGang)
		}
	}
	slices.SortFunc(removals.PodCliques, plan.ByName)
	slices.SortFunc(removals.PodGangs, plan.ByName)
	removals.Revisions = s.staleRevisions()
	if !plan.TemplateOf(s.Object).HeadlessServiceEnabled() {
		removals.Services = s.Services
	}
	removals.Autoscalers = s.unwantedAutoscalers()
	return removals
}

// names are those of all PodGangs and PodCliques that the set asks for. A name of one kind is none of the other.
func (s Set) names() map[string]bool {
	t := plan.TemplateOf(s.Object)
	names := map[string]bool{}
	for i := range s.Object.Spec.Replicas {
		names[plan.PodGangName(s.Object.Name, i)] = true
		for j := range t.Cliques() {
			names[plan.PodCliqueName(s.Object.Name, t.Cliques()[j].Name, i)] = true
		}
	}
	return names
}

// podSelectors is how many requests share the work of deleting many pods: the API server deletes what one request matches
// one by one.
const podSelectors = 32

// PodSelectors match the pods of all replicas that some PodCliques are of, each those of a part of the replicas.
func PodSelectors(podCliques []*v1alpha1.PodClique) []labels.Selector {
	replicas := sets.New[string]()
	for _, podClique := range podCliques {
		if i, ok := podClique.Labels[v1alpha1.LabelReplicaIndex]; ok {
			replicas.Insert(i)
		}
	}
	var selectors []labels.Selector
	all := sets.List(replicas)
	for part := range slices.Chunk(all, max(1, (len(all)+podSelectors-1)/podSelectors)) {
		// The values are labels already, so they are valid.
		if in, err := labels.NewRequirement(v1alpha1.LabelReplicaIndex, selection.In, part); err == nil {
			selectors = append(selectors, labels.NewSelector().Add(*in))
		}
	}
	return selectors
}

// TearDown tells whether the pods of a set that is being deleted in the foreground have to be deleted now. Where something else
// holds up the set's end, they stay until it comes; and once PodCliques are being deleted there is nothing left to do.
func (s Set) TearDown() bool {
	if s.Object.DeletionTimestamp == nil || !slices.Contains(s.Object.Finalizers, metav1.FinalizerDeleteDependents) {
		return false
	}
	for _, podClique := range s.PodCliques {
		if podClique.DeletionTimestamp == nil {
			return true
		}
	}
	return false
}
