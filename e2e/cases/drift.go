package cases

import (
	"fmt"
	"maps"
	"strings"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
)

// users' own metadata, which is none of Grove's business.
const usersMetadata = `{"metadata": {"labels": {"example.com/team": "blue"}, "annotations": {"example.com/note": "mine"}}}`

// Drift checks that what is Grove's is put back, and what is not is left alone.
func Drift() types.Feature {
	return features.New("drift").
		Setup(step(func(s *scope) {
			s.createTeam()
		})).
		Assess("edited fields are put back", step(func(s *scope) {
			for _, child := range driftingChildren {
				s.checkPutBack(child.kind, child.name, child.edit)
			}
		})).
		Assess("Grove's labels come back", step(func(s *scope) {
			for _, child := range driftingChildren {
				for label := range s.get(child.kind, child.name).GetLabels() {
					if isRestored(child.kind, label) {
						s.checkPutBack(child.kind, child.name, fmt.Sprintf(`{"metadata": {"labels": {%q: "8"}}}`, label))
						s.checkPutBack(child.kind, child.name, fmt.Sprintf(`{"metadata": {"labels": {%q: null}}}`, label))
					}
				}
			}
		})).
		Assess("no pod was restarted", step(func(s *scope) {
			s.waitForPods("job", teamPods())
			s.waitUntilAvailable("job")
		})).
		Assess("deleted children come back", step(func(s *scope) {
			for _, child := range driftingChildren {
				was := s.get(child.kind, child.name)
				s.delete(child.kind, child.name, metav1.DeleteOptions{})
				is := s.waitForReplacement(child.kind, child.name, was.GetUID())
				if diff := cmp.Diff(ownPart(child.kind, was), ownPart(child.kind, is)); diff != "" {
					s.Errorf("%s %s came back otherwise (-was +is):\n%s", child.kind.Resource, child.name, diff)
				}
			}
			s.waitForPods("job", teamPods())
			s.waitUntilAvailable("job")
		})).
		Feature()
}

// isRestored tells whether a label is Grove's. The hash of a pod's template is left as it is: it says what the pod was made from.
func isRestored(kind schema.GroupVersionResource, label string) bool {
	if kind == pods && label == v1alpha1.LabelPodTemplateHash {
		return false
	}
	return label == v1alpha1.LabelManagedBy || strings.HasPrefix(label, v1alpha1.GroupName+"/")
}

// checkPutBack edits a child together with metadata of the user's own, and checks that the edit alone is undone, in the same
// object.
func (s *scope) checkPutBack(kind schema.GroupVersionResource, name, edit string) {
	s.Helper()
	s.patch(kind, name, usersMetadata)
	want := s.get(kind, name)
	s.patch(kind, name, edit)
	s.eventually(fmt.Sprintf("%s %s as before %s", kind.Resource, name, edit), func() (string, error) {
		got, err := s.dynamic.Resource(kind).Namespace(s.namespace).Get(s.ctx, name, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		if got.GetUID() != want.GetUID() {
			s.Fatalf("%s %s was replaced after %s", kind.Resource, name, edit)
		}
		return cmp.Diff(withoutState(want), withoutState(got)), nil
	})
}

// withoutState is an object without what changes by itself.
func withoutState(object *unstructured.Unstructured) map[string]any {
	stable := object.DeepCopy()
	stable.SetManagedFields(nil)
	stable.SetResourceVersion("")
	stable.SetGeneration(0)
	delete(stable.Object, "status")
	return stable.Object
}

// ownPart is the part of a child that Grove defines and that doesn't depend on other objects' UIDs.
func ownPart(kind schema.GroupVersionResource, object *unstructured.Unstructured) map[string]any {
	labels := object.GetLabels()
	maps.DeleteFunc(labels, func(label, _ string) bool { return !isRestored(kind, label) })
	part := map[string]any{"labels": labels}
	for _, field := range []string{"spec", "rules", "subjects", "roleRef"} {
		if value, ok := object.Object[field]; ok && kind != pods {
			part[field] = value
		}
	}
	return part
}
