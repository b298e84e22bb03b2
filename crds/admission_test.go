package crds_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	grovev1alpha1 "grove.io/grove/apis/applyconfiguration/grove/v1alpha1"
	"grove.io/grove/apis/grove/v1alpha1"
)

var resources = map[string]schema.GroupVersionResource{
	"PodCliqueSet":          v1alpha1.SchemeGroupVersion.WithResource("podcliquesets"),
	"PodClique":             v1alpha1.SchemeGroupVersion.WithResource("podcliques"),
	"PodCliqueScalingGroup": v1alpha1.SchemeGroupVersion.WithResource("podcliquescalinggroups"),

	"ScaledObject":            {Group: "keda.sh", Version: "v1alpha1", Resource: "scaledobjects"},
	"HorizontalPodAutoscaler": {Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"},
}

// applier applies to a real API server, as `kubectl apply --server-side` does.
type applier struct {
	client dynamic.Interface
}

func newApplier(t *testing.T) applier {
	t.Helper()
	c, err := apiServer()
	if err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(c.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	return applier{client}
}

func (a applier) apply(ctx context.Context, document string, dryRun ...string) error {
	options := metav1.PatchOptions{FieldManager: "test", FieldValidation: metav1.FieldValidationStrict, DryRun: dryRun}
	_, err := a.applyAs(ctx, document, options)
	return err
}

func (a applier) applyAs(ctx context.Context, document string, options metav1.PatchOptions) (*unstructured.Unstructured, error) {
	var object unstructured.Unstructured
	if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
		return nil, err
	}
	return a.client.Resource(resources[object.GetKind()]).Namespace(metav1.NamespaceDefault).
		Patch(ctx, object.GetName(), types.ApplyPatchType, []byte(document), options)
}

// applyAll applies all documents but the last one for good, and the last one as a dry run.
func (a applier) applyAll(t *testing.T, documents []string) error {
	t.Helper()
	last := len(documents) - 1
	for _, document := range documents[:last] {
		if err := a.apply(t.Context(), document); err != nil {
			t.Fatal(err)
		}
	}
	return a.apply(t.Context(), documents[last], metav1.DryRunAll)
}

func TestValidIsAccepted(t *testing.T) {
	server := newApplier(t)
	for _, example := range examples(t, "valid") {
		t.Run(example.name, func(t *testing.T) {
			t.Parallel()
			if err := server.applyAll(t, example.documents); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestInvalidIsRefused compares what the user reads with the text beside the example.
func TestInvalidIsRefused(t *testing.T) {
	server := newApplier(t)
	for _, example := range examples(t, "invalid") {
		t.Run(example.name, func(t *testing.T) {
			t.Parallel()
			err := server.applyAll(t, example.documents)
			if err == nil {
				t.Fatal("accepted")
			}
			checkMessage(t, filepath.Join("testdata", "invalid", example.name+".txt"), err.Error()+"\n")
		})
	}
}

func checkMessage(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestScale reads what a user of `kubectl scale`, or an autoscaler, reads.
func TestScale(t *testing.T) {
	server := newApplier(t)
	for _, test := range []struct {
		kind, name, spec string
		replicas         int
		want             string
	}{
		{"PodClique", "scale-a", `{"podSpec":{"containers":[]},"replicas":3,"minAvailable":2}`, 1, ""}, // counts as 2
		{"PodClique", "scale-b", `{"podSpec":{"containers":[]},"replicas":3,"minAvailable":2}`, 0, ""},
		{"PodClique", "scale-c", `{"podSpec":{"containers":[]},"replicas":3,"minAvailable":2}`, 9999, ""},
		{"PodClique", "scale-d", `{"podSpec":{"containers":[]}}`, 10000,
			`PodClique.grove.io "scale-d" is invalid: spec.replicas: Invalid value: 10000: spec.replicas in body should be less than or equal to 9999`},
		{"PodCliqueScalingGroup", "scale-e", `{"cliqueNames":["a"],"replicas":3,"minAvailable":2}`, 1, ""},
		{"PodCliqueScalingGroup", "scale-f", `{"cliqueNames":["a"],"replicas":3,"minAvailable":2}`, 0, ""},
		{"PodCliqueScalingGroup", "scale-g", `{"cliqueNames":["a"]}`, 1000,
			`PodCliqueScalingGroup.grove.io "scale-g" is invalid: spec.replicas: Invalid value: 1000: spec.replicas in body should be less than or equal to 999`},
		{"PodCliqueSet", "scale-h", `{"replicas":1,"template":{"cliques":[{"name":"a","spec":{"podSpec":{"containers":[{"name":"main"}]}}}]}}`, 10000,
			`PodCliqueSet.grove.io "scale-h" is invalid: spec.replicas: Invalid value: 10000: spec.replicas in body should be less than or equal to 9999`},
		{"PodCliqueSet", "scale-i", `{"replicas":1,"template":{"cliques":[{"name":"a","spec":{"podSpec":{"containers":[{"name":"main"}]},"replicas":11}}]}}`, 1819,
			`PodCliqueSet.grove.io "scale-i" is invalid: spec.replicas: Invalid value: 1819 replicas with 11 pods each would be 20009 pods, and a set may have 20000: lower replicas, or those of cliques or scaling groups`},
		{"PodCliqueSet", "scale-j", `{"replicas":1,"template":{"cliques":[{"name":"a","spec":{"podSpec":{"containers":[{"name":"main"}]},"replicas":11}}]}}`, 1818, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			document := fmt.Sprintf(`{"apiVersion":"grove.io/v1alpha1","kind":%q,"metadata":{"name":%q},"spec":%s}`, test.kind, test.name, test.spec)
			if err := server.apply(t.Context(), document); err != nil {
				t.Fatal(err)
			}
			scale := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, test.replicas)
			_, err := server.client.Resource(resources[test.kind]).Namespace(metav1.NamespaceDefault).
				Patch(t.Context(), test.name, types.MergePatchType, scale, metav1.PatchOptions{}, "scale")
			if diff := cmp.Diff(test.want, text(err)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestDuplicatesAreRefusedWithoutServerSideApply: with it, an object that names something twice is refused before its
// schema is looked at, with another message.
func TestDuplicatesAreRefusedWithoutServerSideApply(t *testing.T) {
	server := newApplier(t)
	for name, want := range map[string]string{
		"duplicate-clique":               `PodCliqueSet.grove.io "train" is invalid: spec.template.cliques[1]: Duplicate value: {"name":"a"}`,
		"duplicate-group":                `PodCliqueSet.grove.io "train" is invalid: spec.template.podCliqueScalingGroups[1]: Duplicate value: {"name":"g"}`,
		"starts-after-twice":             `PodCliqueSet.grove.io "train" is invalid: spec.template.cliques[1].spec.startsAfter[1]: Duplicate value: "a"`,
		"group-with-clique-twice":        `PodCliqueSet.grove.io "train" is invalid: spec.template.podCliqueScalingGroups[0].cliqueNames[1]: Duplicate value: "a"`,
		"pod-environment-variable-twice": `PodCliqueSet.grove.io "train" is invalid: spec.template.cliques[0].spec.podSpec.containers[0].env[1]: Duplicate value: {"name":"A"}`,
	} {
		content, err := os.ReadFile(filepath.Join("testdata", "invalid", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		object := &unstructured.Unstructured{Object: parse(t, []string{string(content)})[0]}
		_, err = server.client.Resource(resources["PodCliqueSet"]).Namespace(metav1.NamespaceDefault).
			Create(t.Context(), object, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if diff := cmp.Diff(want, text(err)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

// TestClientSideApply applies the complete example twice as `kubectl apply` does, which keeps a copy in an annotation.
func TestClientSideApply(t *testing.T) {
	c, err := apiServer()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "valid", "complete-example.yaml")
	for _, want := range []string{"created", "unchanged"} {
		got, err := c.Kubectl(t.Context(), "apply", "--namespace", metav1.NamespacePublic, "-f", path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff("podcliqueset.grove.io/distributed-training "+want+"\n", got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// TestLargeSet: client-side apply ends where its annotation does, server-side apply does not.
func TestLargeSet(t *testing.T) {
	c, err := apiServer()
	if err != nil {
		t.Fatal(err)
	}
	graph := cliques{}
	for i := range 32 {
		graph.names = append(graph.names, fmt.Sprintf("c%d", i))
	}
	object := graph.object()
	for _, clique := range object["spec"].(map[string]any)["template"].(map[string]any)["cliques"].([]any) {
		clique.(map[string]any)["annotations"] = map[string]any{"text": strings.Repeat("x", 9<<10)}
	}
	content, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "large.yaml")
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Kubectl(t.Context(), "apply", "--server-side", "--dry-run=server", "-f", path); err != nil {
		t.Error(err)
	}
	const want = "metadata.annotations: Too long: may not be more than 262144 bytes"
	if _, err := c.Kubectl(t.Context(), "apply", "--dry-run=server", "-f", path); !strings.Contains(text(err), want) {
		t.Errorf("want %q, got %v", want, err)
	}
}

// TestServiceNameMayBeginWithDigit: so may the name of a set, whose Service has the set's name in front.
func TestServiceNameMayBeginWithDigit(t *testing.T) {
	c, err := apiServer()
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(c.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "1-headless"},
		Spec:       corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Selector: map[string]string{"a": "b"}},
	}
	_, err = client.CoreV1().Services(metav1.NamespaceDefault).Create(t.Context(), service, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		t.Error(err)
	}
}

// TestPodSpecOfPodCliqueIsOne: what others merge into the podSpec of a PodClique goes with the next write of who owns it, whole,
// and managedFields have one line for it. In a template everybody may give a part.
func TestPodSpecOfPodCliqueIsOne(t *testing.T) {
	server := newApplier(t)
	const (
		owned = `{"podSpec":{"containers":[{"name":"main","image":"a","env":[{"name":"A","value":"a"}]}]}}`
		other = `{"podSpec":{"containers":[{"name":"main","image":"a"},{"name":"theirs","image":"b"}],"nodeSelector":{"x":"y"}}}`
	)
	podClique := func(spec string) string {
		return fmt.Sprintf(`{"apiVersion":"grove.io/v1alpha1","kind":"PodClique","metadata":{"name":"one-a-0"},"spec":%s}`, spec)
	}
	set := func(spec string) string {
		return fmt.Sprintf(`{"apiVersion":"grove.io/v1alpha1","kind":"PodCliqueSet","metadata":{"name":"one"},`+
			`"spec":{"replicas":1,"template":{"cliques":[{"name":"a","spec":%s}]}}}`, spec)
	}
	apply := func(manager, document string) *unstructured.Unstructured {
		t.Helper()
		object, err := server.applyAs(t.Context(), document, metav1.PatchOptions{FieldManager: manager, Force: ptr.To(true)})
		if err != nil {
			t.Fatal(err)
		}
		return object
	}
	podSpecOf := func(object *unstructured.Unstructured) any {
		if object.GetKind() == "PodClique" {
			podSpec, _, _ := unstructured.NestedMap(object.Object, "spec", "podSpec")
			return podSpec
		}
		list, _, _ := unstructured.NestedSlice(object.Object, "spec", "template", "cliques")
		podSpec, _, _ := unstructured.NestedMap(list[0].(map[string]any), "spec", "podSpec")
		return podSpec
	}
	want := podSpecOf(apply("owner", podClique(owned)))
	merge := []byte(`{"spec":{"podSpec":{"nodeSelector":{"x":"y"}}}}`)
	for name, foreign := range map[string]func() *unstructured.Unstructured{
		"apply": func() *unstructured.Unstructured { return apply("other", podClique(other)) },
		"patch": func() *unstructured.Unstructured {
			object, err := server.client.Resource(resources["PodClique"]).Namespace(metav1.NamespaceDefault).
				Patch(t.Context(), "one-a-0", types.MergePatchType, merge, metav1.PatchOptions{FieldManager: "another"})
			if err != nil {
				t.Fatal(err)
			}
			return object
		},
	} {
		if cmp.Equal(want, podSpecOf(foreign())) {
			t.Errorf("%s by another changes nothing: the test says little", name)
		}
		object := apply("owner", podClique(owned))
		if diff := cmp.Diff(want, podSpecOf(object)); diff != "" {
			t.Errorf("after %s by another: -want +got:\n%s", name, diff)
		}
		for _, entry := range object.GetManagedFields() {
			if owns := strings.Contains(entry.FieldsV1.GetRawString(), `"f:podSpec":{}`); owns != (entry.Manager == "owner") {
				t.Errorf("after %s by another, %s owns %s", name, entry.Manager, entry.FieldsV1.GetRawString())
			}
		}
		fields, err := grovev1alpha1.ExtractPodClique(typed(t, object), "owner")
		if err != nil || fields.Spec == nil || fields.Spec.PodSpec == nil || len(fields.Spec.PodSpec.Containers) != 1 {
			t.Errorf("what the owner applied can't be told from managedFields: %v, %+v", err, fields)
		}
	}

	apply("owner", set(owned))
	apply("other", set(other))
	object := apply("owner", set(owned))
	merged := fmt.Sprint(podSpecOf(object))
	for _, part := range []string{"theirs", "nodeSelector", "env"} {
		if !strings.Contains(merged, part) {
			t.Errorf("the template's podSpec has lost %s: %s", part, merged)
		}
	}
}

func typed(t *testing.T, object *unstructured.Unstructured) *v1alpha1.PodClique {
	t.Helper()
	podClique := &v1alpha1.PodClique{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, podClique); err != nil {
		t.Fatal(err)
	}
	return podClique
}
