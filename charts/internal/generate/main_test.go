package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestChart checks that the chart has what is generated from today's manifests, and no other files of that kind.
func TestChart(t *testing.T) {
	made, err := generate("../../..")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range made {
		got, err := os.ReadFile(filepath.Join("../../grove", path))
		if err != nil || string(got) != want {
			t.Errorf("%s isn't what it is made from, %v: run make generate", path, err)
		}
	}
	files, err := filepath.Glob("../../grove/files/*")
	if err != nil {
		t.Fatal(err)
	}
	for i := range files {
		files[i] = filepath.Join("files", filepath.Base(files[i]))
	}
	want := slices.DeleteFunc(slices.Sorted(maps.Keys(made)), func(path string) bool { return !strings.HasPrefix(path, "files/") })
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("copies in the chart (-want +got):\n%s", diff)
	}
}

func TestTemplate(t *testing.T) {
	manifest := `apiVersion: v1
kind: ServiceAccount
metadata:
  name: grove-operator
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: grove-operator
subjects:
- namespace: grove-system
  note: "{{ $value }}"
`
	want := `{{- if .Values.wanted }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: grove-operator
  namespace: {{ .Release.Namespace }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: grove-operator
subjects:
- namespace: {{ .Release.Namespace }}
  note: {{ .Values.note }}
{{- end }}
`
	got, err := template{when: ".Values.wanted", edits: []edit{{`"{{ "{{" }} $value }}"`, "{{ .Values.note }}"}}}.make(manifest)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := (template{edits: []edit{{"no such text", ""}}}).make(manifest); err == nil {
		t.Error("an edit of what isn't there is no error")
	}
}
