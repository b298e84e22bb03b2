package podcliqueset

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// RevisionName is the name of the ControllerRevision of a set's podSpecs.
func RevisionName(set *v1alpha1.PodCliqueSet) string {
	return set.Name + "-" + plan.GenerationHash(set)
}

// revisionOf is the ControllerRevision of the set's podSpecs as they are: the last in the order of revisions, also where they had been the
// same before.
func (s Set) revisionOf(t plan.Template) *appsv1ac.ControllerRevisionApplyConfiguration {
	var content plan.Revision
	for i := range t.Cliques() {
		clique := &t.Cliques()[i]
		content.Cliques = append(content.Cliques, plan.PodTemplate{Name: clique.Name, PodSpec: clique.Spec.PodSpec, RestartedAt: t.RestartedAt(clique)})
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

// hashed is a PodTemplate with its hash.
type hashed struct {
	plan.PodTemplate
	is string
}

// past are the templates of each of the set's ControllerRevisions, by the names of cliques. It is read once for all replicas that keep one.
func (s Set) past() []map[string]hashed {
	var revisions []map[string]hashed
	for _, record := range s.Revisions {
		byClique := map[string]hashed{}
		for _, template := range plan.TemplatesIn(record) {
			byClique[template.Name] = hashed{template, template.Hash()}
		}
		revisions = append(revisions, byClique)
	}
	return revisions
}

// recorded finds what pods of a clique were made from, by its hash.
func (b *childBuilder) recorded(clique, hash string) *plan.PodTemplate {
	for _, revision := range b.earlier {
		if template, ok := revision[clique]; ok && template.is == hash {
			return &template.PodTemplate
		}
	}
	return nil
}

// before finds what pods of a clique were made from when the other PodCliques of a replica were as they are; nil if that isn't recorded.
func (b *childBuilder) before(clique string, i int32) *plan.PodTemplate {
	for _, revision := range b.earlier {
		fits := true
		for name, template := range revision {
			podClique := b.PodCliques[plan.PodCliqueName(b.Object.Name, name, i)]
			fits = fits && (podClique == nil || podClique.Labels[v1alpha1.LabelPodTemplateHash] == template.is)
		}
		if template, ok := revision[clique]; ok && fits {
			return &template.PodTemplate
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
		return slices.ContainsFunc(plan.TemplatesIn(record), func(template plan.PodTemplate) bool { return inUse[template.Hash()] && !s.isCurrent(template) })
	})
}

// isCurrent tells whether a template is that of its clique today.
func (s Set) isCurrent(template plan.PodTemplate) bool {
	t := plan.TemplateOf(s.Object)
	for i, hash := range t.PodTemplateHashes() {
		if t.Cliques()[i].Name == template.Name {
			return hash == template.Hash()
		}
	}
	return false
}
