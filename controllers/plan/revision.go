package plan

import (
	"encoding/json"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// PodTemplate is what pods of a clique are made from, and in a ControllerRevision the clique beside it.
type PodTemplate struct {
	Name        string         `json:"name"`
	PodSpec     corev1.PodSpec `json:"podSpec"`
	RestartedAt string         `json:"restartedAt,omitempty"`
}

// Hash is what pods that are made from the template bear.
func (p *PodTemplate) Hash() string { return PodTemplateHash(&p.PodSpec, p.RestartedAt) }

// Revision is the content of a ControllerRevision: the podSpecs of a set as they were.
type Revision struct {
	Cliques []PodTemplate `json:"cliques"`
}

// TemplatesIn is what a ControllerRevision says; nothing if it can't be read.
func TemplatesIn(record *appsv1.ControllerRevision) []PodTemplate {
	var content Revision
	if json.Unmarshal(record.Data.Raw, &content) != nil {
		return nil
	}
	return content.Cliques
}
