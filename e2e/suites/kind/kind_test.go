package kind

import (
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/e2e/cases"
	"grove.io/grove/e2e/cluster"
)

const (
	// sample is the complete example of the documentation.
	sample = "../../../samples/distributed-training.yaml"
	// protection has the admission policy against hand edits.
	protection = "../../../deploy/protection"
	// chart is Grove's Helm chart.
	chart = "../../../charts/grove"
)

// These change what all others need, and go first, one after the other. The last of them leaves Grove as the chart installs it.

func TestUpgrade(t *testing.T)        { testenv.Test(t, cases.Upgrade()) }
func TestNoOperator(t *testing.T)     { testenv.Test(t, cases.NoOperator()) }
func TestLeaderKilled(t *testing.T)   { testenv.Test(t, cases.LeaderKilled()) }
func TestDrain(t *testing.T)          { testenv.Test(t, cases.Drain()) }
func TestKubeletStopped(t *testing.T) { testenv.Test(t, cases.KubeletStopped()) }
func TestProtection(t *testing.T)     { testenv.Test(t, cases.Protection(protection)) }
func TestChart(t *testing.T)          { testenv.Test(t, cases.Chart(chart)) }

func TestExample(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Example(smallExample(t)))
}

func TestOrderInOrder(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.OrderInOrder())
}

func TestOrderDiamond(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.OrderDiamond())
}

func TestOrderInGroups(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.OrderInGroups())
}

func TestOrderThroughGroups(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.OrderThroughGroups())
}

func TestOrderStuck(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.OrderStuck())
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Network())
}

func TestLeaders(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Leaders())
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.MetricsInCluster())
}

func TestFieldManagers(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.FieldManagers(cluster.WorkloadImage))
}

// smallExample is the example with an image that exists, and with as little CPU and memory as a machine for tests has for 22 pods. All
// else, GPUs too, is as documented.
func smallExample(t *testing.T) string {
	manifest, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	var set v1alpha1.PodCliqueSet
	if err := yaml.UnmarshalStrict(manifest, &set); err != nil {
		t.Fatal(err)
	}
	for i := range set.Spec.Template.Cliques {
		container := &set.Spec.Template.Cliques[i].Spec.PodSpec.Containers[0]
		container.Image = cluster.WorkloadImage
		for _, list := range []corev1.ResourceList{container.Resources.Requests, container.Resources.Limits} {
			if list != nil {
				list[corev1.ResourceCPU], list[corev1.ResourceMemory] = resource.MustParse("50m"), resource.MustParse("32Mi")
			}
		}
	}
	if manifest, err = yaml.Marshal(set); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "example.yaml")
	if err := os.WriteFile(path, manifest, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
