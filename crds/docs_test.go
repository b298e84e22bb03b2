package crds_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// yamlBlock is a block of YAML in a page of documentation.
var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// What the documentation shows can be applied as it stands, KEDA's objects too. Blocks without an apiVersion are parts of something.
func TestDocumentedManifestsAreAccepted(t *testing.T) {
	server := newApplier(t)
	if err := started.InstallKEDA(t.Context()); err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	tried := map[string]int{}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
			for _, manifest := range strings.Split(block[1], "---\n") {
				if !strings.HasPrefix(manifest, "apiVersion: ") {
					continue
				}
				if err := server.apply(t.Context(), manifest, metav1.DryRunAll); err != nil {
					t.Errorf("%s: %v\n%s", page, err, manifest)
				}
				_, kind, _ := strings.Cut(manifest, "\nkind: ")
				kind, _, _ = strings.Cut(kind, "\n")
				tried[kind]++
			}
		}
	}
	if tried["PodCliqueSet"] == 0 || tried["ScaledObject"] == 0 {
		t.Errorf("pages show %v", tried)
	}
}
