package helm

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// objects are what is installed, by kind, namespace and name.
type objects map[string]map[string]any

// template renders the chart with values.
func template(t *testing.T, namespace string, values ...string) objects {
	t.Helper()
	args := []string{"template", "grove", chart, "--namespace", namespace}
	for _, value := range values {
		args = append(args, "--set", value)
	}
	manifests, err := helm(args...)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, manifests)
}

// helm runs Helm, and returns what it wrote to stdout.
func helm(args ...string) (string, error) {
	path, err := program()
	if err != nil {
		return "", err
	}
	var out, errors bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = &out, &errors
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("helm %s: %w\n%s", strings.Join(args, " "), err, errors.String())
	}
	return out.String(), nil
}

// program builds Helm, and returns its path.
var program = sync.OnceValues(func() (string, error) {
	path, err := exec.Command("go", "tool", "-n", "helm").Output()
	return strings.TrimSpace(string(path)), err
})

func kustomize(t *testing.T, dir string) objects {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	manifests, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	all := parse(t, string(manifests))
	// A FlowSchema is the cluster's, which kustomize doesn't know. The API server drops its namespace.
	const schema, inNamespace = "FlowSchema grove-leader-election", "FlowSchema grove-system/grove-leader-election"
	if object, ok := all[inNamespace]; ok {
		delete(object["metadata"].(map[string]any), "namespace")
		delete(all, inNamespace)
		all[schema] = object
	}
	return all
}

func parse(t *testing.T, manifests string) objects {
	t.Helper()
	all := objects{}
	for document := range strings.SplitSeq(manifests, "\n---\n") {
		var object map[string]any
		if err := yaml.UnmarshalStrict([]byte(document), &object); err != nil {
			t.Fatalf("%v in\n%.500s", err, document)
		}
		if len(object) == 0 {
			continue
		}
		metadata := object["metadata"].(map[string]any)
		name := metadata["name"].(string)
		if namespace, ok := metadata["namespace"].(string); ok {
			name = namespace + "/" + name
		}
		key := object["kind"].(string) + " " + name
		if all[key] != nil {
			t.Errorf("%s is there twice", key)
		}
		all[key] = object
	}
	return all
}

// flat has the values in objects by their path, such as "Deployment grove-system/grove-operator spec.replicas".
func flat(all objects) map[string]any {
	values := map[string]any{}
	var visit func(path string, node any)
	visit = func(path string, node any) {
		switch node := node.(type) {
		case map[string]any:
			for key, value := range node {
				visit(path+"."+key, value)
			}
		case []any:
			for i, value := range node {
				visit(fmt.Sprintf("%s.%d", path, i), value)
			}
		case nil: // as if it weren't there
		default:
			values[path] = node
		}
	}
	for key, object := range all {
		for field, value := range object {
			visit(key+" "+field, value)
		}
	}
	return values
}

// changes are the values that differ after a change; nil for one that is gone.
func changes(before, after map[string]any) map[string]any {
	changed := map[string]any{}
	for path, value := range after {
		if before[path] != value {
			changed[path] = value
		}
	}
	for path := range before {
		if _, ok := after[path]; !ok {
			changed[path] = nil
		}
	}
	return changed
}
