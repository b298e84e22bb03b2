// Command trim makes CustomResourceDefinitions smaller: it drops the descriptions of Kubernetes' own types, which fill
// more than a mebibyte and are to be read elsewhere, and keeps Grove's. Its arguments are files, which it rewrites.
package main

import (
	"fmt"
	"os"
	"slices"

	"sigs.k8s.io/yaml"
)

// foreign are the fields whose types are Kubernetes' own. Their own description is Grove's, what is below them is not.
var foreign = []string{"conditions", "metrics", "podSpec", "replicaSpreadConstraints"}

func main() {
	for _, path := range os.Args[1:] {
		if err := trimFile(path); err != nil {
			fmt.Fprintf(os.Stderr, "trim: %s: %v\n", path, err)
			os.Exit(1)
		}
	}
}

func trimFile(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	trimmed, err := trim(content)
	if err != nil {
		return err
	}
	return os.WriteFile(path, trimmed, 0o644)
}

// trim is idempotent, and writes keys in alphabetical order as controller-gen does.
func trim(content []byte) ([]byte, error) {
	var crd map[string]any
	if err := yaml.Unmarshal(content, &crd); err != nil {
		return nil, err
	}
	visit(crd, false)
	out, err := yaml.Marshal(crd)
	return append([]byte("---\n"), out...), err
}

// visit drops descriptions below node; below a foreign field all of them.
func visit(node any, inForeign bool) {
	switch node := node.(type) {
	case []any:
		for _, item := range node {
			visit(item, inForeign)
		}
	case map[string]any:
		visitObject(node, inForeign)
	}
}

func visitObject(object map[string]any, inForeign bool) {
	for key, value := range object {
		if properties, ok := value.(map[string]any); ok && key == "properties" {
			visitProperties(properties, inForeign)
			continue
		}
		visit(value, inForeign)
	}
	if inForeign {
		delete(object, "description")
	}
}

func visitProperties(properties map[string]any, inForeign bool) {
	for name, property := range properties {
		if inForeign || !slices.Contains(foreign, name) {
			visit(property, inForeign)
			continue
		}
		schema := property.(map[string]any)
		description := schema["description"]
		visitObject(schema, true)
		schema["description"] = description
	}
}
