package plan_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan/plantest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The golden file is what a reader of the sample gets: every child, and the pods of one PodClique.
func TestSampleChildren(t *testing.T) {
	for _, name := range []string{"distributed-training"} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("../../samples", name+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			set := &v1alpha1.PodCliqueSet{}
			if err := yaml.UnmarshalStrict(data, set); err != nil {
				t.Fatal(err)
			}
			set.Namespace, set.UID = "default", "0"
			got := render(t, set)
			golden := filepath.Join("testdata", name+".golden.yaml")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("children of the sample, see -update (-want +got):\n%s", diff)
			}
		})
	}
}

func render(t *testing.T, set *v1alpha1.PodCliqueSet) []byte {
	t.Helper()
	// Once all of them are there, so is the Role that the RoleBinding names, and the selectors that autoscalers wait for.
	w := plantest.NewWorld(set, plantest.Pending)
	w.Settle()
	children := w.Children()
	objects := []any{children.ServiceAccount, children.Role, children.RoleBinding}
	for _, service := range children.Services {
		objects = append(objects, service)
	}
	for _, scalingGroup := range children.ScalingGroups {
		objects = append(objects, scalingGroup)
	}
	for _, gang := range children.PodGangs() {
		objects = append(objects, gang)
	}
	for _, clique := range children.PodCliques() {
		objects = append(objects, clique)
	}
	for _, autoscaler := range children.Autoscalers {
		objects = append(objects, autoscaler)
	}
	first := plantest.Cliques(plantest.Live(set, children), nil)[0]
	first.InitImage = "grove.io/grove:v1"
	for _, pod := range first.Actions(plantest.Now).Create {
		objects = append(objects, pod.Config)
	}
	var all bytes.Buffer
	for _, object := range objects {
		data, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString("---\n")
		all.Write(data)
	}
	return all.Bytes()
}
