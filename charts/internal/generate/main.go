// Command generate makes of what deploy has the parts of the Helm chart that are the same there: templates, which are the manifests with
// values in some places, and files, which are copies. It is run in the root of the repository.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const (
	// chart is the directory of the chart.
	chart = "charts/grove"
	// notice is the first line of each template.
	notice = "{{- /* Made from %s by make generate: edit that, or charts/internal/generate. */ -}}\n"
)

func main() {
	made, err := generate(".")
	if err == nil {
		err = write(made)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// write replaces all that was generated before.
func write(made map[string]string) error {
	if err := os.RemoveAll(filepath.Join(chart, "files")); err != nil {
		return err
	}
	for path, content := range made {
		path = filepath.Join(chart, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate returns the generated files by their path in the chart, from the repository at a path.
func generate(root string) (map[string]string, error) {
	made := map[string]string{}
	for _, t := range templates {
		path := filepath.Join("deploy", t.from)
		manifest, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return nil, err
		}
		content, err := t.make(string(manifest))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		made[filepath.Join("templates", filepath.Base(t.from))] = fmt.Sprintf(notice, path) + content
	}
	copies := []string{"deploy/monitoring/dashboard.json"}
	definitions, err := filepath.Glob(filepath.Join(root, "crds", "*_*.yaml"))
	if err != nil || len(definitions) == 0 {
		return nil, fmt.Errorf("%d CustomResourceDefinitions: %w", len(definitions), err)
	}
	for _, definition := range definitions {
		copies = append(copies, filepath.Join("crds", filepath.Base(definition)))
	}
	for _, path := range copies {
		content, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return nil, err
		}
		made[filepath.Join("files", filepath.Base(path))] = string(content)
	}
	return made, nil
}

// template is how a manifest becomes a template.
type template struct {
	// from is the manifest's path below deploy.
	from string
	// when is the condition under which it is installed. Default: always.
	when  string
	edits []edit
}

// edit replaces a text wherever it stands.
type edit struct{ old, new string }

func (t template) make(manifest string) (string, error) {
	// What looks like a template and isn't is Prometheus' own.
	manifest = strings.ReplaceAll(manifest, "{{", `{{ "{{" }}`)
	for _, e := range slices.Concat(everywhere, t.edits) {
		if !strings.Contains(manifest, e.old) && !slices.Contains(everywhere, e) {
			return "", fmt.Errorf("doesn't have what is to be replaced, see charts/internal/generate:\n%s", e.old)
		}
		manifest = strings.ReplaceAll(manifest, e.old, e.new)
	}
	documents := strings.Split(manifest, "\n---\n")
	for i := range documents {
		documents[i] = inNamespace(documents[i])
	}
	manifest = strings.Join(documents, "\n---\n")
	if t.when != "" {
		manifest = "{{- if " + t.when + " }}\n" + manifest + "{{- end }}\n"
	}
	return manifest, nil
}

// everywhere is what all manifests say of where they are installed, which for the chart is where the release is.
var everywhere = []edit{
	{"namespace: grove-system\n", "namespace: {{ .Release.Namespace }}\n"},
	{"namespaces: [grove-system]\n", "namespaces: [{{ .Release.Namespace }}]\n"},
	{"serviceaccount:grove-system:", "serviceaccount:{{ .Release.Namespace }}:"},
}

var (
	clusterScoped = regexp.MustCompile(`(?m)^kind: (Cluster\w+|FlowSchema|ValidatingAdmissionPolicy(Binding)?)$`)
	name          = regexp.MustCompile(`(?m)^metadata:\n  name: .*$`)
)

// inNamespace gives an object the namespace that kustomize gives it.
func inNamespace(document string) string {
	if clusterScoped.MatchString(document) {
		return document
	}
	return name.ReplaceAllString(document, "$0\n  namespace: {{ .Release.Namespace }}")
}
