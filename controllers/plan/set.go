package plan

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/util/sets"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Field managers. Each controller applies under its own, so that every field of an object has one known owner.
const (
	// SetManager applies the children of a PodCliqueSet.
	SetManager = "grove-podcliqueset"
	// CliqueManager applies the pods of a PodClique.
	CliqueManager = "grove-podclique"
)

// Set is a PodCliqueSet with what belongs to it, as the caches have it. Children are those that the set controls, by name.
type Set struct {
	Object        *v1alpha1.PodCliqueSet
	Services      []*corev1.Service
	ScalingGroups map[string]*v1alpha1.PodCliqueScalingGroup
	PodGangs      map[string]*v1alpha1.PodGang
	PodCliques    map[string]*v1alpha1.PodClique
	// ImagePullSecrets are those of the namespace's default ServiceAccount.
	ImagePullSecrets []corev1.LocalObjectReference
}

// Removals are children that the set no longer asks for.
type Removals struct {
	// PodCliques and PodGangs are those of replicas that go.
	PodCliques []*v1alpha1.PodClique
	PodGangs   []*v1alpha1.PodGang
	// WithPods are those of the PodCliques whose labels tell which pods go with them.
	WithPods []*v1alpha1.PodClique
	// Services are headless ones that have been disabled.
	Services []*corev1.Service
}

// Removals of a set are what is left of replicas at and above spec.replicas, and a Service that is disabled. What the set still
// asks for by name stays, whatever somebody has made of its labels.
func (s Set) Removals() Removals {
	var removals Removals
	wanted := s.names()
	for _, podClique := range s.PodCliques {
		if wanted[podClique.Name] || podClique.DeletionTimestamp != nil {
			continue
		}
		removals.PodCliques = append(removals.PodCliques, podClique)
		if i, ok := indexLabel(podClique, v1alpha1.LabelReplicaIndex); ok && i >= s.Object.Spec.Replicas {
			removals.WithPods = append(removals.WithPods, podClique)
		}
	}
	for _, podGang := range s.PodGangs {
		if !wanted[podGang.Name] && podGang.DeletionTimestamp == nil {
			removals.PodGangs = append(removals.PodGangs, podGang)
		}
	}
	slices.SortFunc(removals.PodCliques, byName)
	slices.SortFunc(removals.PodGangs, byName)
	if !templateOf(s.Object).headlessServiceEnabled() {
		removals.Services = s.Services
	}
	return removals
}

// names are those of all PodGangs and PodCliques that the set asks for. A name of one kind is none of the other.
func (s Set) names() map[string]bool {
	t := templateOf(s.Object)
	names := map[string]bool{}
	for i := range s.Object.Spec.Replicas {
		names[PodGangName(s.Object.Name, i)] = true
		for j := range t.cliques() {
			names[PodCliqueName(s.Object.Name, t.cliques()[j].Name, i)] = true
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
