package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
)

// hashLength is the length of a hash in hexadecimal digits: 40 bits, short enough to read in a label and long enough that
// two templates of one workload don't share it.
const hashLength = 10

// PodTemplateHash identifies what a podSpec says, and when somebody last asked for new pods of it; empty for never. It doesn't change when a
// newer operator knows more fields of a podSpec than the one that computed it before.
func PodTemplateHash(spec *corev1.PodSpec, restartedAt string) string {
	return digest(withRestart(canonicalJSON(spec), restartedAt))
}

// withRestart adds to what a podSpec says when somebody last asked for new pods, if ever.
func withRestart(spec []byte, restartedAt string) []byte {
	if restartedAt == "" {
		return spec
	}
	return fmt.Appendf(spec, "\n%s", restartedAt)
}

// TemplateHash is the hash of what the PodClique's new pods are made from.
func (c Clique) TemplateHash() string {
	if c.Hash != "" {
		return c.Hash
	}
	return PodTemplateHash(&c.Object.Spec.PodSpec, c.Object.Annotations[v1alpha1.AnnotationRestartedAt])
}

// RestartedAt is when somebody last asked for new pods of a clique, by an annotation of the set's or the clique's own.
func (t Template) RestartedAt(clique *v1alpha1.PodCliqueTemplateSpec) string {
	set, own := t.Set.Annotations[v1alpha1.AnnotationRestartedAt], clique.Annotations[v1alpha1.AnnotationRestartedAt]
	if set != "" && own != "" {
		return set + "," + own
	}
	return set + own
}

// GenerationHash identifies what the podSpecs of a set say; nothing else of a set makes Grove replace pods.
func GenerationHash(set *v1alpha1.PodCliqueSet) string {
	t := TemplateOf(set)
	var all []byte
	for i := range t.Cliques() {
		clique := &t.Cliques()[i]
		all = fmt.Appendf(all, "%s %s\n", clique.Name, withRestart(canonicalJSON(&clique.Spec.PodSpec), t.RestartedAt(clique)))
	}
	return digest(all)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])[:hashLength]
}

// canonicalJSON has object keys in alphabetical order, quantities in their canonical form, and neither nulls nor empty objects and
// lists, which is how fields that a version of the API types doesn't know yet appear in a later one. Empty strings,
// zeros and false stay: where they appear at all they were set, and may mean something else than nothing.
func canonicalJSON(spec *corev1.PodSpec) []byte {
	data, err := json.Marshal(spec)
	if err != nil {
		panic(fmt.Sprintf("a PodSpec that was decoded from JSON can't be encoded: %v", err))
	}
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		panic(fmt.Sprintf("encoded JSON can't be decoded: %v", err))
	}
	tree, _ = withoutEmpty(tree)
	data, err = json.Marshal(tree)
	if err != nil {
		panic(fmt.Sprintf("decoded JSON can't be encoded: %v", err))
	}
	return data
}

// withoutEmpty drops nulls, empty objects and empty lists below a value, and tells whether something is left.
func withoutEmpty(value any) (any, bool) {
	switch value := value.(type) {
	case nil:
		return nil, false
	case map[string]any:
		for key, item := range value {
			if kept, some := withoutEmpty(item); some {
				value[key] = kept
			} else {
				delete(value, key)
			}
		}
		return value, len(value) > 0
	case []any:
		// An item keeps its place even if it is empty: the position may matter.
		for i := range value {
			value[i], _ = withoutEmpty(value[i])
		}
		return value, len(value) > 0
	default:
		return value, true
	}
}

// MetadataHash identifies the labels and annotations that a clique gives its pods.
func MetadataHash(clique *v1alpha1.PodCliqueTemplateSpec) string {
	data, err := json.Marshal([]map[string]string{clique.Labels, PodAnnotations(clique)})
	if err != nil {
		panic(fmt.Sprintf("maps of strings can't be encoded: %v", err))
	}
	return digest(data)
}

// PodAnnotations are those that a clique gives its pods: all but what asks for new ones, which says nothing of those that run.
func PodAnnotations(clique *v1alpha1.PodCliqueTemplateSpec) map[string]string {
	if _, ok := clique.Annotations[v1alpha1.AnnotationRestartedAt]; !ok {
		return clique.Annotations
	}
	annotations := maps.Clone(clique.Annotations)
	delete(annotations, v1alpha1.AnnotationRestartedAt)
	return annotations
}
