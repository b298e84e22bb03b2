package controllers_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "grove.io/grove/"

// rooms has, for each part of the repository, what its packages may import, tests aside: a package or, with a slash at its end, all
// below. The longest part that a package is in decides.
var rooms = map[string][]string{
	"apis":                           {"apis/"},
	"crds":                           {},
	"charts":                         {},
	"docs":                           {},
	"controllers/startup":            {"apis/"},
	"controllers/plan":               {"apis/"},
	"controllers/plan/podcliqueset":  {"apis/", "controllers/plan"},
	"controllers/plan/podgang":       {"apis/", "controllers/plan"},
	"controllers/plan/podclique":     {"apis/", "controllers/plan", "controllers/startup"},
	"controllers/plan/scalinggroup":  {"apis/", "controllers/plan"},
	"controllers/plan/plantest":      {"apis/", "controllers/plan", "controllers/plan/"},
	"controllers/internal":           {"apis/", "controllers/plan", "controllers/internal/"},
	"controllers/internal/metrics":   {"apis/"},
	"controllers/internal/scheduler": {"apis/", "controllers/plan", "controllers/plan/podgang", "controllers/internal/"},
	"controllers/podcliqueset":       {"apis/", "controllers/plan", "controllers/plan/podcliqueset", "controllers/internal/"},
	"controllers/podclique":          {"apis/", "controllers/plan", "controllers/plan/podclique", "controllers/plan/podgang", "controllers/internal/"},
	"controllers/scalinggroup":       {"apis/", "controllers/plan", "controllers/plan/scalinggroup", "controllers/internal/"},
	"controllers/podgang":            {"apis/", "controllers/plan", "controllers/plan/podgang", "controllers/internal/"},
	"controllers":                    {"apis/", "controllers/podcliqueset", "controllers/podclique", "controllers/scalinggroup", "controllers/podgang", "controllers/internal/"},
	"cmd/grove-operator":             {"apis/", "controllers", "cmd/grove-operator/app", "cmd/internal/"},
	"cmd/grove-initc":                {"apis/", "controllers/startup", "cmd/internal/"},
	"cmd/kubectl-grove":              {"apis/", "controllers/plan", "controllers/plan/", "controllers/startup", "cmd/kubectl-grove/"},
	"cmd/internal":                   {},
	"e2e":                            {"apis/", "crds", "controllers", "controllers/startup", "e2e/"},
	"e2e/cmd/demo":                   {"apis/", "controllers/plan", "cmd/kubectl-grove/tree", "cmd/kubectl-grove/view", "e2e/"},
}

type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
	// Dir, GoFiles and Export are where the package's sources and, with -export, what was compiled of it are.
	Dir     string
	GoFiles []string
	Export  string
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
			if ours && !slices.ContainsFunc(allowed, func(room string) bool {
				return imported == room || strings.HasSuffix(room, "/") && strings.HasPrefix(imported, room)
			}) {
				t.Errorf("%s imports %s; it may import %v", path, imported, allowed)
			}
		}
	}
}

func roomOf(path string) (allowed []string, ok bool) {
	longest := -1
	for room, imports := range rooms {
		if strings.HasPrefix(path+"/", room+"/") && len(room) > longest {
			longest, allowed, ok = len(room), imports, true
		}
	}
	return allowed, ok
}

// Planners are pure: they can't reach a cluster, a clock or a log because they don't know any.
func TestPlanIsPure(t *testing.T) {
	for _, pkg := range list(t, "./controllers/plan/...") {
		for _, imported := range pkg.Imports {
			for _, forbidden := range []string{"k8s.io/client-go/kubernetes", "k8s.io/client-go/tools", "k8s.io/client-go/listers",
				"k8s.io/client-go/informers", "k8s.io/utils/clock", "k8s.io/klog", "github.com/go-logr", "log", "os", "net"} {
				if imported == forbidden || strings.HasPrefix(imported, forbidden+"/") {
					t.Errorf("%s imports %s", pkg.ImportPath, imported)
				}
			}
		}
	}
	uses(t, "./controllers/plan/...", func(in string, used *types.Func) {
		if used.Pkg() != nil && used.Pkg().Path() == "time" && used.Signature().Recv() == nil && slices.Contains(clock, used.Name()) {
			t.Errorf("%s: a planner is told the time, and uses time.%s", in, used.Name())
		}
	})
}

// clock are the functions of package time that look at a clock.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"}

// Only internal/apply writes, so that every write is skipped where nothing differs, has one field manager and preconditions, and is
// recorded for those who ask whether the caches have it.
func TestOnlyApplyWrites(t *testing.T) {
	verbs := []string{"Apply", "ApplyStatus", "ApplyScale", "Create", "Update", "UpdateStatus", "UpdateScale", "Patch", "Delete", "DeleteCollection"}
	const writer = module + "controllers/internal/apply"
	// A dry run tells which fields the API server keeps, and changes nothing.
	exceptions := map[string]int{"controllers/internal/scheduler/discovery.go: Apply": 1}
	uses(t, "./controllers/...", func(in string, used *types.Func) {
		signature := used.Signature()
		if !slices.Contains(verbs, used.Name()) || strings.HasPrefix(in, "controllers/internal/apply/") || used.Pkg().Path() == writer ||
			signature.Recv() == nil || signature.Params().Len() == 0 || signature.Params().At(0).Type().String() != "context.Context" {
			return
		}
		if file, _, _ := strings.Cut(in, ":"); exceptions[file+": "+used.Name()] > 0 {
			exceptions[file+": "+used.Name()]--
			return
		}
		t.Errorf("%s calls %s: only %s writes", in, used.FullName(), writer)
	})
	for exception, left := range exceptions {
		if left > 0 {
			t.Errorf("%s is excepted, and doesn't exist", exception)
		}
	}
}

// uses calls a function with each use of a function or method in packages of this module, tests aside, and the file and line that it is in.
func uses(t *testing.T, pattern string, use func(in string, used *types.Func)) {
	t.Helper()
	exports, set := map[string]string{}, token.NewFileSet()
	packages := list(t, "-export", "-deps", pattern)
	for _, pkg := range packages {
		exports[pkg.ImportPath] = pkg.Export
	}
	config := types.Config{Importer: importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })}
	root := strings.TrimSuffix(pattern, "...")
	for _, pkg := range packages {
		inModule, ours := strings.CutPrefix(pkg.ImportPath, module)
		if !ours || !strings.HasPrefix("./"+inModule+"/", root) {
			continue
		}
		var files []*ast.File
		for _, name := range pkg.GoFiles {
			file, err := parser.ParseFile(set, filepath.Join(pkg.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
		info := types.Info{Uses: map[*ast.Ident]types.Object{}}
		if _, err := config.Check(pkg.ImportPath, set, files, &info); err != nil {
			t.Fatal(err)
		}
		for ident, object := range info.Uses {
			if used, ok := object.(*types.Func); ok {
				at := set.Position(ident.Pos())
				use(fmt.Sprintf("%s/%s:%d", inModule, filepath.Base(at.Filename), at.Line), used)
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

// Kustomize, which cli-runtime's options and builder bring with them, would make the plugin larger than the 60 MB that it may have.
func TestNoKustomizeInThePlugin(t *testing.T) {
	for _, pkg := range list(t, "./cmd/kubectl-grove/...") {
		for _, dep := range pkg.Deps {
			if strings.HasPrefix(dep, "sigs.k8s.io/kustomize") {
				t.Errorf("%s depends on %s", pkg.ImportPath, dep)
			}
		}
	}
}

// list runs go list with some arguments.
func list(t *testing.T, arguments ...string) []goPackage {
	t.Helper()
	command := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps,Dir,GoFiles,Export"}, arguments...)...)
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
