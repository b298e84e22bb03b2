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

// What the documentation shows can be applied as it stands.
func TestDocumentedSetsAreAccepted(t *testing.T) {
	server := newApplier(t)
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(block[1], "kind: PodCliqueSet\n") {
				continue
			}
			tried++
			if err := server.apply(t.Context(), block[1], metav1.DryRunAll); err != nil {
				t.Errorf("%s: %v\n%s", page, err, block[1])
			}
		}
	}
	if tried == 0 {
		t.Error("no page shows a PodCliqueSet")
	}
}
