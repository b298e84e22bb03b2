package rollout

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// Operation is one of a JSON patch.
type Operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// Patch is a JSON patch of a set. It begins with tests: one that was made of an older state of the set is refused.
type Patch []Operation

// Type is that which the API server is told.
func (p Patch) Type() types.PatchType { return types.JSONPatchType }

// JSON is the patch as it is sent.
func (p Patch) JSON() []byte {
	data, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("a patch of decoded objects can't be encoded: %v", err))
	}
	return data
}

// tests refuse the patch of a set whose spec has changed since it was read. Its resourceVersion changes with its status, too.
func tests(set *v1alpha1.PodCliqueSet) Patch {
	return Patch{
		{Op: "test", Path: "/metadata/uid", Value: set.UID},
		{Op: "test", Path: "/metadata/generation", Value: set.Generation},
	}
}

// Undo is what brings back a revision: only cliques are changed whose pods would be of another template, so that pods which match it already
// are left alone. It names those cliques; there are none if the set is of the revision.
func Undo(set *v1alpha1.PodCliqueSet, to Revision) (Patch, []string) {
	patch, t := tests(set), plan.TemplateOf(set)
	hashes, recorded := t.PodTemplateHashes(), map[string]*plan.PodTemplate{}
	for i := range to.Cliques {
		recorded[to.Cliques[i].Name] = &to.Cliques[i]
	}
	var changed []string
	for i := range t.Cliques() {
		clique := &t.Cliques()[i]
		was := recorded[clique.Name]
		if was == nil || was.Hash() == hashes[i] {
			continue
		}
		changed = append(changed, clique.Name)
		if plan.PodTemplateHash(&was.PodSpec, "") != plan.PodTemplateHash(&clique.Spec.PodSpec, "") {
			patch = append(patch, Operation{Op: "replace", Path: fmt.Sprintf("/spec/template/cliques/%d/spec/podSpec", i), Value: was.PodSpec})
		}
	}
	if len(changed) == 0 {
		return nil, nil
	}
	return append(patch, restarts(t, recorded)...), changed
}

// restarts bring back when pods of each clique were last asked to be made anew, which is a part of what they are compared by. Where that can't be
// said beside the annotation of the set, the cliques say it alone.
func restarts(t plan.Template, recorded map[string]*plan.PodTemplate) Patch {
	ofSet, own := t.Set.Annotations[v1alpha1.AnnotationRestartedAt], map[string]string{}
	beside := true
	for name, was := range recorded {
		rest, after := strings.CutPrefix(was.RestartedAt, ofSet)
		rest, more := strings.CutPrefix(rest, ",")
		beside = beside && (ofSet == "" || after && (rest == "" || more))
		own[name] = rest
	}
	var patch Patch
	if !beside {
		patch = append(patch, Operation{Op: "remove", Path: "/metadata/annotations/" + escaped(v1alpha1.AnnotationRestartedAt)})
	}
	for i := range t.Cliques() {
		clique := &t.Cliques()[i]
		was := recorded[clique.Name]
		if was == nil {
			continue
		}
		wanted := own[clique.Name]
		if !beside || ofSet == "" {
			wanted = was.RestartedAt
		}
		patch = append(patch, annotate(fmt.Sprintf("/spec/template/cliques/%d/annotations", i), clique.Annotations, wanted)...)
	}
	return patch
}

// annotate gives an object's annotations, at a path, a value of AnnotationRestartedAt; none if it is empty.
func annotate(path string, annotations map[string]string, value string) Patch {
	key := v1alpha1.AnnotationRestartedAt
	switch {
	case annotations[key] == value:
		return nil
	case value == "":
		return Patch{{Op: "remove", Path: path + "/" + escaped(key)}}
	case len(annotations) == 0:
		return Patch{{Op: "add", Path: path, Value: map[string]string{key: value}}}
	default:
		return Patch{{Op: "add", Path: path + "/" + escaped(key), Value: value}}
	}
}

// escaped is a key as a JSON pointer has it.
func escaped(key string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(key) }

// Restart is what replaces all pods of a set or, if any are named, of some cliques, as a changed podSpec would. The error names the cliques that
// there are.
func Restart(set *v1alpha1.PodCliqueSet, cliques []string, at string) (Patch, error) {
	patch := tests(set)
	if len(cliques) == 0 {
		return append(patch, annotate("/metadata/annotations", set.Annotations, at)...), nil
	}
	for _, name := range cliques {
		i := slices.Index(CliqueNames(set), name)
		if i < 0 {
			return nil, Unknown(set, "clique", name, CliqueNames(set))
		}
		patch = append(patch, annotate(fmt.Sprintf("/spec/template/cliques/%d/annotations", i), set.Spec.Template.Cliques[i].Annotations, at)...)
	}
	return patch, nil
}

// CliqueNames are those of a set's template.
func CliqueNames(set *v1alpha1.PodCliqueSet) []string {
	var names []string
	for i := range set.Spec.Template.Cliques {
		names = append(names, set.Spec.Template.Cliques[i].Name)
	}
	return names
}

// Unknown says that a set has no clique or group of a name, and which it has.
func Unknown(set *v1alpha1.PodCliqueSet, kind, name string, known []string) error {
	if len(known) == 0 {
		return fmt.Errorf("podcliqueset %q has no %s %q, and no %s at all", set.Name, kind, name, kind)
	}
	return fmt.Errorf("podcliqueset %q has no %s %q: it has %s", set.Name, kind, name, strings.Join(known, ", "))
}
