package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/podcliqueset"
)

// Revision is an earlier template of a set, or today's.
type Revision struct {
	Number  int64       `json:"revision"`
	Name    string      `json:"name"`
	Created metav1.Time `json:"created"`
	// Current tells whether the template is today's.
	Current bool `json:"current,omitempty"`
	// Changes say what differs from the revision before.
	Changes []string           `json:"changes"`
	Cliques []plan.PodTemplate `json:"cliques"`
}

// History are the revisions of a set among ControllerRevisions, the oldest first. A template that was brought back is the last.
func History(set *v1alpha1.PodCliqueSet, records []*appsv1.ControllerRevision) []Revision {
	var all []Revision
	for _, record := range records {
		if metav1.IsControlledBy(record, set) {
			all = append(all, Revision{
				Number: record.Revision, Name: record.Name, Created: record.CreationTimestamp,
				Current: record.Name == podcliqueset.RevisionName(set), Cliques: plan.TemplatesIn(record),
			})
		}
	}
	slices.SortFunc(all, func(a, b Revision) int { return cmp.Compare(a.Number, b.Number) })
	for i := range all {
		if i > 0 {
			all[i].Changes = changes(all[i-1].Cliques, all[i].Cliques)
		}
	}
	return all
}

// Find is the revision of a number or, for 0, the last but today's.
func Find(set string, history []Revision, number int64) (Revision, error) {
	if number != 0 {
		for _, revision := range history {
			if revision.Number == number {
				return revision, nil
			}
		}
		return Revision{}, fmt.Errorf("unable to find revision %d of podcliqueset %q: its revisions are %s", number, set, numbers(history))
	}
	for _, revision := range slices.Backward(history) {
		if !revision.Current {
			return revision, nil
		}
	}
	return Revision{}, fmt.Errorf("no earlier revision of podcliqueset %q found", set)
}

func numbers(history []Revision) string {
	if len(history) == 0 {
		return "none yet"
	}
	var all []string
	for _, revision := range history {
		all = append(all, fmt.Sprint(revision.Number))
	}
	return strings.Join(all, ", ")
}

// changes say what differs between two templates, clique by clique.
func changes(before, after []plan.PodTemplate) []string {
	earlier := map[string]*plan.PodTemplate{}
	for i := range before {
		earlier[before[i].Name] = &before[i]
	}
	var all []string
	for i := range after {
		is, was := &after[i], earlier[after[i].Name]
		if was == nil {
			all = append(all, is.Name+": new")
		} else if is.Hash() != was.Hash() {
			all = append(all, is.Name+": "+change(was, is))
		}
	}
	return all
}

// change says what differs between two templates of a clique: images, where nothing else does.
func change(was, is *plan.PodTemplate) string {
	if plan.PodTemplateHash(&was.PodSpec, "") == plan.PodTemplateHash(&is.PodSpec, "") {
		return "restarted"
	}
	var images []string
	same := is.PodSpec.DeepCopy()
	for i := range same.Containers {
		container := &same.Containers[i]
		for _, other := range was.PodSpec.Containers {
			if other.Name == container.Name && other.Image != container.Image {
				images = append(images, other.Image+" -> "+container.Image)
				container.Image = other.Image
			}
		}
	}
	said := "image " + strings.Join(images, ", ")
	switch onlyImages := plan.PodTemplateHash(same, "") == plan.PodTemplateHash(&was.PodSpec, ""); {
	case len(images) == 0:
		return "podSpec"
	case onlyImages:
		return said
	default:
		return said + ", and more of the podSpec"
	}
}
