package clitest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/cmd/kubectl-grove/internal/cli"
	"grove.io/grove/controllers/plan/plantest"
)

// Set reads a PodCliqueSet from a file of testdata, as an API server would give it back.
func Set(t *testing.T, file string) *v1alpha1.PodCliqueSet {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	set := &v1alpha1.PodCliqueSet{}
	if err := yaml.UnmarshalStrict(data, set); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	set.Namespace, set.UID, set.Generation = "default", "set", 1
	set.CreationTimestamp = Ago(10 * time.Minute)
	return set
}

// Ago is a time before now.
func Ago(d time.Duration) metav1.Time { return metav1.NewTime(Now.Add(-d)) }

// WorldClients have a world's objects in memory, as they are after its statuses were brought up to date, and others.
func WorldClients(w *plantest.World, others ...runtime.Object) *cli.Clients {
	w.Settle()
	core, grove := others, []runtime.Object{w.Object}
	for _, group := range w.ScalingGroups {
		grove = append(grove, group)
	}
	for _, gang := range w.PodGangs {
		gang.CreationTimestamp = Ago(10 * time.Minute)
		grove = append(grove, gang)
	}
	for _, clique := range w.Cliques {
		grove = append(grove, clique.Object)
		for _, pod := range clique.Pods {
			if pod.CreationTimestamp.IsZero() {
				pod.CreationTimestamp = Ago(5 * time.Minute)
			}
			core = append(core, pod)
		}
	}
	return Clients(core, grove...)
}

// Nodes are so many nodes with names and zones, and as many GPUs each.
func Nodes(count, gpus int) []runtime.Object {
	var nodes []runtime.Object
	for n := range count {
		nodes = append(nodes, &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("gpu-%d", n), Labels: map[string]string{
				corev1.LabelTopologyZone: fmt.Sprintf("zone-%d", n%2), corev1.LabelHostname: fmt.Sprintf("gpu-%d", n),
				"node.kubernetes.io/instance-type": fmt.Sprintf("gpu-%d", gpus),
			}},
			Status: corev1.NodeStatus{
				Allocatable: corev1.ResourceList{
					corev1.ResourceCPU: resource.MustParse("64"), corev1.ResourceMemory: resource.MustParse("256Gi"),
					corev1.ResourcePods: resource.MustParse("110"), "nvidia.com/gpu": *resource.NewQuantity(int64(gpus), resource.DecimalSI),
				},
				Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
			},
		})
	}
	return nodes
}
