package manifest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const two = `# a comment
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
---
apiVersion: grove.io/v1alpha1
kind: PodCliqueSet
metadata: {name: b}
`

func TestRead(t *testing.T) {
	directory := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(directory, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := write("z.yaml", two)
	write("a.json", `{"apiVersion": "grove.io/v1alpha1", "kind": "PodCliqueSet", "metadata": {"name": "c"}}`)
	write("README.md", "no manifest")
	list := "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: grove.io/v1alpha1, kind: PodCliqueSet, metadata: {name: d}}\n- {apiVersion: v1, kind: Pod, metadata: {name: e}}\n"
	tests := map[string]struct {
		stdin string
		paths []string
		want  string
		err   string
	}{
		"a file":              {paths: []string{file}, want: "ConfigMap/a PodCliqueSet/b!"},
		"stdin":               {stdin: two, paths: []string{"-"}, want: "ConfigMap/a PodCliqueSet/b!"},
		"a directory":         {paths: []string{directory}, want: "PodCliqueSet/c! ConfigMap/a PodCliqueSet/b!"},
		"a list":              {stdin: list, paths: []string{"-"}, want: "PodCliqueSet/d! Pod/e"},
		"several":             {stdin: list, paths: []string{file, "-"}, want: "ConfigMap/a PodCliqueSet/b! PodCliqueSet/d! Pod/e"},
		"nothing":             {paths: []string{"-"}},
		"none of the name":    {paths: []string{filepath.Join(directory, "none")}, err: "no such file"},
		"no YAML":             {stdin: "a: b: c", paths: []string{"-"}, err: "stdin: "},
		"a key twice":         {stdin: "kind: a\nkind: b\n", paths: []string{"-"}, err: `key "kind" already set`},
		"of an older version": {stdin: strings.ReplaceAll(two, "v1alpha1", "v1"), paths: []string{"-"}, err: `stdin: PodCliqueSet b has apiVersion "grove.io/v1": use grove.io/v1alpha1`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			documents, err := Read(strings.NewReader(test.stdin), test.paths)
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Fatalf("got error %v, want %q", err, test.err)
			}
			var got []string
			for _, d := range documents {
				one := d.GetKind() + "/" + d.GetName()
				if d.IsSet() {
					one += "!"
				}
				got = append(got, one)
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("got %q, want %q", strings.Join(got, " "), test.want)
			}
		})
	}
}
