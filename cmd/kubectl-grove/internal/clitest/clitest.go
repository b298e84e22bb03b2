// Package clitest runs verbs of kubectl grove in tests, on objects in memory, and compares what they print with golden files.
package clitest

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	metricsfake "k8s.io/metrics/pkg/client/clientset/versioned/fake"

	grovefake "grove.io/grove/apis/client/clientset/versioned/fake"
	"grove.io/grove/cmd/kubectl-grove/internal/cli"
	"grove.io/grove/controllers/plan/plantest"
)

var update = flag.Bool("update", false, "write what is printed into the golden files")

// Now is the time in tests: that of the world in which planners are tested.
var Now = plantest.Now.UTC()

// Clients have objects in memory, in the namespace default: those of Kubernetes, and Grove's.
func Clients(core []runtime.Object, grove ...runtime.Object) *cli.Clients {
	return &cli.Clients{
		Core:      fake.NewClientset(core...),
		Grove:     grovefake.NewSimpleClientset(grove...),
		Metrics:   metricsfake.NewSimpleClientset(),
		Namespace: "default",
	}
}

// Run runs a verb as a person would, with arguments, and returns what it prints to its two streams together, and its exit code.
func Run(t *testing.T, clients *cli.Clients, verb func(*cli.Env) *cobra.Command, args ...string) (out string, code int) {
	t.Helper()
	var printed bytes.Buffer
	env := cli.NewEnv(&bytes.Buffer{}, &printed, &printed)
	env.Now = func() time.Time { return Now }
	env.Connect = func() (*cli.Clients, error) { return clients, nil }
	cmd := verb(env)
	cmd.SetArgs(args)
	cmd.SetOut(&printed)
	cmd.SetErr(&printed)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	code = cli.Exit(&printed, cmd.ExecuteContext(t.Context()))
	return printed.String(), code
}

// Golden compares what was printed with the file testdata/NAME; with -update it writes that.
func Golden(t *testing.T, name, printed string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(printed), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if diff := cmp.Diff(string(want), printed); diff != "" {
		t.Errorf("%s differs from what is printed (-golden +printed; go test -update writes it):\n%s", path, diff)
	}
}
