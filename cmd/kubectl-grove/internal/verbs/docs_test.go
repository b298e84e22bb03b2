package verbs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What docs/kubectl.md shows of these verbs is what they print.
func TestDocs(t *testing.T) {
	docs, err := os.ReadFile("../../../../docs/kubectl.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tree", "why-gpus", "why-zone", "why-image", "why-breach", "rollout-history", "rollout-undo", "rollout-status", "scale", "top"} {
		golden, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(docs), "\n"+string(golden)+"```") {
			t.Errorf("docs/kubectl.md doesn't show what %s.txt has", name)
		}
	}
}
