package crds_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"grove.io/grove/apis/grove/v1alpha1"
)

// refusedBlock is a mistake in a page of documentation, and what the reader is told the API server says against it.
var refusedBlock = regexp.MustCompile("(?s)```yaml refused\n(.*?)```\n\n```text\n(.*?)```")

// Mistakes that the documentation shows are refused, in the words that stand below them.
func TestDocumentedMistakesAreRefused(t *testing.T) {
	server := newApplier(t)
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, page := range pages {
		content, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		blocks := refusedBlock.FindAllSubmatch(content, -1)
		if marked := strings.Count(string(content), "```yaml refused\n"); marked != len(blocks) {
			t.Errorf("%s: %d blocks are marked as refused, %d have the message below them", page, marked, len(blocks))
		}
		for _, block := range blocks {
			tried++
			got := text(server.apply(t.Context(), string(block[1]), metav1.DryRunAll)) + "\n"
			if diff := cmp.Diff(string(block[2]), got); diff != "" {
				t.Errorf("%s: -want +got:\n%s", page, diff)
			}
		}
	}
	if tried == 0 {
		t.Error("no page shows a mistake")
	}
}

// What the README shows can be applied as it stands.
func TestReadmeIsAccepted(t *testing.T) {
	server := newApplier(t)
	content, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, block := range yamlBlock.FindAllStringSubmatch(string(content), -1) {
		if !strings.HasPrefix(block[1], "apiVersion: ") {
			continue
		}
		tried++
		if err := server.apply(t.Context(), block[1], metav1.DryRunAll); err != nil {
			t.Errorf("%v\n%s", err, block[1])
		}
	}
	if tried == 0 {
		t.Error("the README shows no manifest")
	}
}

// What the documentation shows is right by the code of the API server, too, which needs no API server: sets have no field that is unknown,
// and none that is refused.
func TestDocumentedSetsByLibrary(t *testing.T) {
	kind := newAdmission(t)["PodCliqueSet"]
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, page := range append(pages, "../README.md") {
		content, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range yamlBlock.FindAllStringSubmatch(string(content), -1) {
			if !strings.Contains(block[1], "\nkind: PodCliqueSet\n") {
				continue
			}
			tried++
			if err := yaml.UnmarshalStrict([]byte(block[1]), &v1alpha1.PodCliqueSet{}); err != nil {
				t.Errorf("%s: %v\n%s", page, err, block[1])
			}
			if errs, _ := kind.validate(parse(t, []string{block[1]})...); len(errs) > 0 {
				t.Errorf("%s: %v\n%s", page, errs, block[1])
			}
		}
	}
	if tried == 0 {
		t.Error("no page shows a PodCliqueSet")
	}
}
