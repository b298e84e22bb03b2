package verbs_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"grove.io/grove/cmd/kubectl-grove/internal/clitest"
	"grove.io/grove/cmd/kubectl-grove/internal/verbs"
	"grove.io/grove/controllers/plan/plantest"
)

// web is a set whose replica 0 is up but for a pod whose image can't be pulled, and whose replica 1 waits for nodes.
func web(t *testing.T) *plantest.World {
	w := plantest.NewWorld(clitest.Set(t, "web.yaml"), plantest.Pending)
	for _, clique := range w.Cliques {
		for _, pod := range clique.Pods {
			if pod.Labels["grove.io/replica-index"] == "0" {
				plantest.Ready(pod)
				pod.Spec.NodeName = "gpu-0"
				pod.Status.Conditions[0].LastTransitionTime = clitest.Ago(4 * time.Minute)
			}
		}
	}
	plantest.Pending(w.Pod(t, "web-worker-0-1-1"))
	broken := w.Pod(t, "web-worker-0-1-1")
	broken.Status = corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{{
		Name: "main", Image: "example.com/decode:v1",
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "Back-off pulling image \"example.com/decode:v1\""}},
	}}}
	return w
}

func TestTree(t *testing.T) {
	for name, args := range map[string][]string{
		"tree.txt":      {"web"},
		"tree-lean.txt": {"-A", "--pods=false"},
		"tree.json":     {"web", "-o", "json"},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := clitest.Run(t, clitest.WorldClients(web(t)), verbs.Tree, args...)
			if code != 0 {
				t.Errorf("exit code %d", code)
			}
			clitest.Golden(t, name, out)
		})
	}
}

func TestTreeRefuses(t *testing.T) {
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"other"}, "Error from server (NotFound): podcliquesets.grove.io \"other\" not found\n"},
		{[]string{"web", "-A"}, "error: a set can't be retrieved by name across all namespaces: say -n NAMESPACE instead of -A\n"},
		{[]string{"web", "-o", "name"}, "error: unknown output format \"name\": use one of json, yaml\n"},
	} {
		if out, code := clitest.Run(t, clitest.WorldClients(web(t)), verbs.Tree, test.args...); code != 1 || out != test.says {
			t.Errorf("tree %v: exit code %d, %q; want 1, %q", test.args, code, out, test.says)
		}
	}
}
