package verbs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	grovefake "grove.io/grove/apis/client/clientset/versioned/fake"
	"grove.io/grove/cmd/kubectl-grove/internal/cli"
	"grove.io/grove/cmd/kubectl-grove/internal/clitest"
	"grove.io/grove/cmd/kubectl-grove/internal/verbs"
	"grove.io/grove/controllers/plan/plantest"
)

// scalable are clients of the set web, which note what is scaled to how many.
func scalable(t *testing.T) (clients *cli.Clients, scaled *[]string) {
	autoscaler := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: "keda-hpa-decode", Namespace: "default"}}
	autoscaler.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{Kind: "PodCliqueScalingGroup", Name: "web-decode"}
	clients = clitest.WorldClients(plantest.NewWorld(clitest.Set(t, "web.yaml"), plantest.Ready), autoscaler)
	scaled = &[]string{}
	clients.Grove.(*grovefake.Clientset).PrependReactor("update", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		update := action.(clienttesting.UpdateAction)
		to := update.GetObject().(*autoscalingv1.Scale)
		*scaled = append(*scaled, fmt.Sprintf("%s/%s %s=%d", action.GetResource().Resource, action.GetSubresource(), to.Name, to.Spec.Replicas))
		return true, to, nil
	})
	return clients, scaled
}

func TestScale(t *testing.T) {
	clients, scaled := scalable(t)
	out, code := clitest.Run(t, clients, verbs.Scale, "web", "--clique", "frontend=5", "--clique=worker=1", "--group", "decode=3", "--replicas=3")
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	clitest.Golden(t, "scale.txt", out)
	if diff := cmp.Diff([]string{
		"podcliquesets/scale web=3", "podcliquescalinggroups/scale web-decode=3",
		"podcliques/scale web-frontend-0=5", "podcliques/scale web-frontend-1=5",
		"podcliques/scale web-worker-0=1", "podcliques/scale web-worker-1=1",
	}, *scaled); diff != "" {
		t.Errorf("scaled (-want +got):\n%s", diff)
	}
}

// What can't be done as a whole isn't begun.
func TestScaleRefuses(t *testing.T) {
	for _, test := range []struct{ args, says string }{
		{"web", "error: nothing to scale: say --replicas, --group or --clique\n"},
		{"web --clique frontend=2 --clique wrker=5", "error: podcliqueset \"web\" has no clique \"wrker\": it has frontend, leader, worker\n"},
		{"web --group prefill=2", "error: podcliqueset \"web\" has no group \"prefill\": it has decode\n"},
		{"web --clique worker", "error: \"worker\" must be a name and a number, such as worker=5\n"},
		{"web --clique worker=-1", "error: \"worker=-1\" must be a name and a number, such as worker=5\n"},
	} {
		clients, scaled := scalable(t)
		if out, code := clitest.Run(t, clients, verbs.Scale, strings.Fields(test.args)...); code != 1 || out != test.says || len(*scaled) > 0 {
			t.Errorf("scale %s: exit code %d, %q, scaled %v; want 1, %q, nothing", test.args, code, out, *scaled, test.says)
		}
	}
}
