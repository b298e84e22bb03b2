package kubebuild

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestState(t *testing.T) {
	start := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	packages := func(n int) string { return strings.Repeat("k8s.io/api/core/v1\n", n) }
	for _, test := range []struct {
		name      string
		log       string
		all       int // 0 while modules are downloaded
		compileAt time.Duration
		now       time.Duration
		want      string
	}{
		{"at the start", "", 0, 0, time.Second, "   1s  0 modules downloaded"},
		{"while modules come", "go: downloading k8s.io/api v0.37.2\n", 0, 0, 20 * time.Second, "  20s  1 modules downloaded"},
		{"too early to tell", packages(50), 1000, 0, time.Minute,
			" 1m0s  50 of 1000 packages compiled (5 %)"},
		{"half", packages(500), 1000, time.Minute, 4 * time.Minute,
			" 4m0s  500 of 1000 packages compiled (50 %), about 3 minutes left"},
		{"all but the linker", packages(1001), 1000, 0, 4 * time.Minute,
			" 4m0s  all 1000 packages compiled, and being linked"},
	} {
		t.Run(test.name, func(t *testing.T) {
			log := buildLog{started: start, all: test.all}
			log.text.WriteString(test.log)
			if test.all > 0 {
				log.compileAt = start.Add(test.compileAt)
			}
			if got := log.state(start.Add(test.now)); got != test.want {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}

func TestRoughly(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Second: "half a minute", 50 * time.Second: "a minute", 100 * time.Second: "2 minutes", 10 * time.Minute: "10 minutes",
	} {
		if got := roughly(d); got != want {
			t.Errorf("%s: want %q, got %q", d, want, got)
		}
	}
}

// A first `make demo` compiles what the operator and the control plane share once, as long as both are built from the same versions. After
// an update of one go.mod, bring the other to the same versions.
func TestModulesShareVersions(t *testing.T) {
	ours, theirs := requirements(t, "../.."), requirements(t, "../controlplane")
	for module, version := range ours {
		if other, ok := theirs[module]; ok && other != version {
			t.Errorf("%s: %s in go.mod, %s in e2e/controlplane/go.mod", module, version, other)
		}
	}
}

// Programs that are compiled with other flags share nothing.
func TestMakefileHasTheSameFlags(t *testing.T) {
	text, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	if want := "\nFIRST_RUN := " + strings.Join(Flags, " ") + "\n"; !strings.Contains(string(text), want) {
		t.Errorf("the Makefile lacks %q", want)
	}
}

func requirements(t *testing.T, dir string) map[string]string {
	t.Helper()
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = dir
	out, err := Output(cmd)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Require []struct{ Path, Version string }
	}
	if err := json.Unmarshal(out, &file); err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, require := range file.Require {
		versions[require.Path] = require.Version
	}
	return versions
}
