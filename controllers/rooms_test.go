package controllers_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "grove.io/grove/"

// rooms has, for each part of the repository, the parts that its packages may import, tests aside. The longest matching
// prefix decides.
var rooms = map[string][]string{
	"apis/":                    {"apis/"},
	"crds":                     {},
	"controllers/startup":      {"apis/"},
	"controllers/plan":         {"apis/", "controllers/startup"},
	"controllers/internal/":    {"apis/", "controllers/plan", "controllers/internal/"},
	"controllers/podcliqueset": {"apis/", "controllers/plan", "controllers/internal/"},
	"controllers/podclique":    {"apis/", "controllers/plan", "controllers/internal/"},
	"controllers/scalinggroup": {"apis/", "controllers/plan", "controllers/internal/"},
	"controllers/podgang":      {"apis/", "controllers/plan", "controllers/internal/"},
	"controllers":              {"apis/", "controllers/"},
	"cmd/grove-operator":       {"apis/", "controllers", "cmd/grove-operator/app", "cmd/internal/"},
	"cmd/grove-initc":          {"apis/", "controllers/startup", "cmd/internal/"},
	"cmd/internal/":            {},
	"e2e/":                     {"apis/", "crds", "controllers/startup", "e2e/"},
}

type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func TestWhoImportsWhom(t *testing.T) {
	for _, pkg := range list(t, "./...") {
		path := strings.TrimPrefix(pkg.ImportPath, module)
		allowed, ok := roomOf(path)
		if !ok {
			t.Errorf("%s is in no room: add it to the map, with what it may import", path)
		}
		for _, imported := range pkg.Imports {
			imported, ours := strings.CutPrefix(imported, module)
			if ours && !slices.ContainsFunc(allowed, func(prefix string) bool { return strings.HasPrefix(imported+"/", prefix) || imported == prefix }) {
				t.Errorf("%s imports %s; it may import %v", path, imported, allowed)
			}
		}
	}
}

func roomOf(path string) (allowed []string, ok bool) {
	longest := -1
	for room, imports := range rooms {
		if strings.HasPrefix(path+"/", room) && len(room) > longest {
			longest, allowed, ok = len(room), imports, true
		}
	}
	return allowed, ok
}

// The planner is pure: it can't reach a cluster, a clock or a log because it doesn't know any.
func TestPlanIsPure(t *testing.T) {
	for _, pkg := range list(t, "./controllers/plan") {
		for _, imported := range pkg.Imports {
			for _, forbidden := range []string{"k8s.io/client-go/kubernetes", "k8s.io/client-go/tools", "k8s.io/client-go/listers",
				"k8s.io/client-go/informers", "k8s.io/utils/clock", "k8s.io/klog", "github.com/go-logr", "log", "os", "net"} {
				if imported == forbidden || strings.HasPrefix(imported, forbidden+"/") {
					t.Errorf("%s imports %s", pkg.ImportPath, imported)
				}
			}
		}
	}
}

// The suite's framework requires controller-runtime in go.mod; the product doesn't use it.
func TestNoControllerRuntime(t *testing.T) {
	for _, pkg := range list(t, "./apis/...", "./controllers/...", "./cmd/...", "./crds/...") {
		for _, dep := range pkg.Deps {
			if strings.HasPrefix(dep, "sigs.k8s.io/controller-runtime") || strings.HasPrefix(dep, "sigs.k8s.io/e2e-framework") {
				t.Errorf("%s depends on %s", pkg.ImportPath, dep)
			}
		}
	}
}

func list(t *testing.T, patterns ...string) []goPackage {
	t.Helper()
	command := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps"}, patterns...)...)
	command.Dir = ".."
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var packages []goPackage
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var pkg goPackage
		if err := decoder.Decode(&pkg); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, pkg)
	}
}
