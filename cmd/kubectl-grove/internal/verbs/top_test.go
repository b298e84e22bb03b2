package verbs_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/metrics/pkg/apis/metrics/v1beta1"
	metricsfake "k8s.io/metrics/pkg/client/clientset/versioned/fake"

	"grove.io/grove/cmd/kubectl-grove/internal/cli"
	"grove.io/grove/cmd/kubectl-grove/internal/clitest"
	"grove.io/grove/cmd/kubectl-grove/internal/verbs"
	"grove.io/grove/controllers/plan/plantest"
)

// measured are clients of the set web, the use of whose pods is known but for one.
func measured(t *testing.T) *cli.Clients {
	w := plantest.NewWorld(clitest.Set(t, "web.yaml"), plantest.Ready)
	list := &v1beta1.PodMetricsList{}
	of(w, "web-", func(pod *corev1.Pod) {
		if pod.Labels["grove.io/role"] == "frontend" {
			pod.Spec.Containers[0].Resources.Requests = corev1.ResourceList{"cpu": resource.MustParse("2"), "memory": resource.MustParse("1Gi")}
		}
		if pod.Name == "web-leader-1-1-0" {
			return
		}
		list.Items = append(list.Items, v1beta1.PodMetrics{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, Labels: pod.Labels}, Containers: []v1beta1.ContainerMetrics{{
			Name: "main", Usage: corev1.ResourceList{"cpu": resource.MustParse("500m"), "memory": resource.MustParse("300Mi")},
		}}})
	})
	clients := clitest.WorldClients(w)
	clients.Metrics.(*metricsfake.Clientset).PrependReactor("list", "pods", func(clienttesting.Action) (bool, runtime.Object, error) { return true, list, nil })
	return clients
}

func TestTop(t *testing.T) {
	for name, args := range map[string][]string{"top.txt": {"web"}, "top-pods.txt": {"-A", "--pods"}, "top.json": {"web", "-o", "json"}} {
		out, code := clitest.Run(t, measured(t), verbs.Top, args...)
		if code != 0 {
			t.Errorf("%s: exit code %d", name, code)
		}
		clitest.Golden(t, name, out)
	}
}

func TestTopWithoutMetrics(t *testing.T) {
	clients := measured(t)
	clients.Metrics.(*metricsfake.Clientset).PrependReactor("list", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewGenericServerResponse(404, "list", schema.GroupResource{Group: "metrics.k8s.io", Resource: "pods"}, "", "", 0, true)
	})
	out, code := clitest.Run(t, clients, verbs.Top, "web")
	if want := "error: this cluster doesn't serve metrics.k8s.io: install metrics-server\n"; code != 1 || out != want {
		t.Errorf("exit code %d, %q; want 1, %q", code, out, want)
	}
}
