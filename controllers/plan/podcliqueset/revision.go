package podcliqueset

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// podTemplate is what pods of a clique are made from, and in a ControllerRevision the clique beside it.
type podTemplate struct {
	Name        string         `json:"name"`
	PodSpec     corev1.PodSpec `json:"podSpec"`
	RestartedAt string         `json:"restartedAt,omitempty"`
}

func (p *podTemplate) hash() string { return plan.PodTemplateHash(&p.PodSpec, p.RestartedAt) }

// revision is the content of a ControllerRevision: the podSpecs of a set as they were.
type revision struct {
	Cliques []podTemplate `json:"cliques"`
}

// RevisionName is the name of the ControllerRevision of a set's podSpecs.
func RevisionName(set *v1alpha1.PodCliqueSet) string {
	return set.Name + "-" + plan.GenerationHash(set)
}

// revisionOf is the ControllerRevision of the set's podSpecs as they are: the last in the order of revisions, also where they had been the
// same before.
func (s Set) revisionOf(t plan.Template) *appsv1ac.ControllerRevisionApplyConfiguration {
	var content revision
	for i := range t.Cliques() {
		clique := &t.Cliques()[i]
		content.Cliques = append(content.Cliques, podTemplate{Name: clique.Name, PodSpec: clique.Spec.PodSpec, RestartedAt: t.RestartedAt(clique)})
	}
	data, err := json.Marshal(content)
	if err != nil {
		panic(fmt.Sprintf("podSpecs that were decoded from JSON can't be encoded: %v", err))
	}
	name, last := RevisionName(s.Object), int64(0)
	for _, other := range s.Revisions {
		if other.Name != name {
			last = max(last, other.Revision)
		}
	}
	number := last + 1
	for _, other := range s.Revisions {
		if other.Name == name && other.Revision > last {
			number = other.Revision
		}
	}
	return appsv1ac.ControllerRevision(name, s.Object.Namespace).
		WithLabels(plan.SetLabels(s.Object)).
		WithOwnerReferences(plan.ControllerReference(s.Object, Kind)).
		WithData(runtime.RawExtension{Raw: data}).
		WithRevision(number)
}

// recorded finds what pods of a clique were made from, by its hash, in the set's ControllerRevisions.
func (s Set) recorded(clique, hash string) *podTemplate {
	for _, record := range s.Revisions {
		var content revision
		if json.Unmarshal(record.Data.Raw, &content) != nil {
			continue
		}
		for i := range content.Cliques {
			if template := &content.Cliques[i]; template.Name == clique && template.hash() == hash {
				return template
			}
		}
	}
	return nil
}

// before finds what pods of a clique were made from when the other PodCliques of a replica were as they are; nil if that isn't recorded.
func (s Set) before(clique string, i int32) *podTemplate {
	for _, record := range s.Revisions {
		var content revision
		if json.Unmarshal(record.Data.Raw, &content) != nil {
			continue
		}
		var found *podTemplate
		fits := true
		for j := range content.Cliques {
			template := &content.Cliques[j]
			podClique := s.PodCliques[plan.PodCliqueName(s.Object.Name, template.Name, i)]
			fits = fits && (podClique == nil || podClique.Labels[v1alpha1.LabelPodTemplateHash] == template.hash())
			if template.Name == clique {
				found = template
			}
		}
		if fits && found != nil {
			return found
		}
	}
	return nil
}

// staleRevisions are ControllerRevisions beyond the limit, the oldest, of which no PodClique is made any more.
func (s Set) staleRevisions() []*appsv1.ControllerRevision {
	inUse := map[string]bool{}
	for _, podClique := range s.PodCliques {
		inUse[podClique.Labels[v1alpha1.LabelPodTemplateHash]] = true
	}
	current := RevisionName(s.Object)
	var old []*appsv1.ControllerRevision
	for _, record := range s.Revisions {
		if record.Name != current && record.DeletionTimestamp == nil && metav1.IsControlledBy(record, s.Object) {
			old = append(old, record)
		}
	}
	slices.SortFunc(old, func(a, b *appsv1.ControllerRevision) int { return cmp.Compare(b.Revision, a.Revision) })
	const defaultLimit = 10
	limit := int(ptr.Deref(s.Object.Spec.RevisionHistoryLimit, defaultLimit))
	if len(old) <= limit {
		return nil
	}
	return slices.DeleteFunc(old[limit:], func(record *appsv1.ControllerRevision) bool {
		var content revision
		return json.Unmarshal(record.Data.Raw, &content) == nil &&
			slices.ContainsFunc(content.Cliques, func(template podTemplate) bool { return inUse[template.hash()] && !s.isCurrent(template) })
	})
}

// isCurrent tells whether a template is that of its clique today.
func (s Set) isCurrent(template podTemplate) bool {
	t := plan.TemplateOf(s.Object)
	for i, hash := range t.PodTemplateHashes() {
		if t.Cliques()[i].Name == template.Name {
			return hash == template.hash()
		}
	}
	return false
}
