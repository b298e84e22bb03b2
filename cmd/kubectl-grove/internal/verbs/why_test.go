package verbs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/cmd/kubectl-grove/internal/cli"
	"grove.io/grove/cmd/kubectl-grove/internal/clitest"
	"grove.io/grove/cmd/kubectl-grove/internal/verbs"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/startup"
)

// waiting is a pod that is bound, and whose grove-initc, if it has one, waits.
func waiting(pod *corev1.Pod) {
	plantest.Scheduled(pod)
	pod.Status.Phase = corev1.PodPending
	for _, container := range pod.Spec.InitContainers {
		pod.Status.InitContainerStatuses = append(pod.Status.InitContainerStatuses, corev1.ContainerStatus{Name: container.Name, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}})
	}
}

// in gives the main container of a pod that is bound a state.
func in(pod *corev1.Pod, state corev1.ContainerState, last *corev1.ContainerStateTerminated, restarts int32) {
	waiting(pod)
	pod.Status.Conditions = nil
	for i := range pod.Status.InitContainerStatuses {
		if pod.Status.InitContainerStatuses[i].Name == startup.ContainerName {
			pod.Status.InitContainerStatuses[i].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}
		}
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "main", Image: pod.Spec.Containers[0].Image, State: state, RestartCount: restarts,
		LastTerminationState: corev1.ContainerState{Terminated: last},
	}}
}

func setWaiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

// of changes pods of a world whose names begin in some way.
func of(w *plantest.World, prefix string, change func(*corev1.Pod)) {
	for _, clique := range w.Cliques {
		for _, pod := range clique.Pods {
			if strings.HasPrefix(pod.Name, prefix) {
				change(pod)
			}
		}
	}
}

// taken is a pod of somebody else's that takes GPUs of a node.
func taken(node string, gpus string) runtime.Object {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "other-" + node, Namespace: "other"}, Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "main"}}}}
	pod.Spec.Containers[0].Resources.Requests = corev1.ResourceList{"nvidia.com/gpu": resource.MustParse(gpus)}
	return pod
}

// whyCases make worlds in which something is wrong.
var whyCases = []struct {
	name   string
	state  plantest.State
	edit   func(*v1alpha1.PodCliqueSet)
	broken func(t *testing.T, w *plantest.World)
	nodes  func() []runtime.Object
	after  func(t *testing.T, clients *cli.Clients)
	args   string
}{
	{name: "well", state: plantest.Ready, args: "web"},
	{name: "gate", args: "web", broken: func(t *testing.T, w *plantest.World) {
		w.Pod(t, "web-worker-0-0-1").Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "example.com/quota"}}
	}},
	{name: "gpus", args: "web", broken: unschedulable, nodes: func() []runtime.Object {
		return append(append(clitest.Nodes(6, 8), taken("gpu-0", "5"), taken("gpu-1", "5"), taken("gpu-2", "6"), taken("gpu-3", "8"), taken("gpu-4", "8"), taken("gpu-5", "1")), cpuNodes(2)...)
	}},
	{name: "json", args: "web -o json", broken: unschedulable, nodes: func() []runtime.Object { return clitest.Nodes(2, 4) }},
	{name: "all", args: "-A", broken: unschedulable, nodes: func() []runtime.Object { return clitest.Nodes(2, 4) }},
	{name: "second-pod", args: "pod/web-worker-1-0-1", nodes: func() []runtime.Object {
		return append(clitest.Nodes(2, 8), taken("gpu-0", "1"))
	}},
	{name: "room", args: "pg/web-1", nodes: func() []runtime.Object { return clitest.Nodes(8, 8) }},
	{name: "zone", args: "web", nodes: func() []runtime.Object {
		return append(clitest.Nodes(4, 8), taken("gpu-0", "1"), taken("gpu-1", "1"), taken("gpu-3", "2"))
	},
		edit: func(set *v1alpha1.PodCliqueSet) {
			set.Spec.ReplicaSpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.DoNotSchedule}}
		}},
	{name: "image", args: "web", state: waiting, broken: func(t *testing.T, w *plantest.World) {
		of(w, "web-frontend-1", plantest.Ready)
		of(w, "web-frontend-0", func(pod *corev1.Pod) {
			in(pod, setWaiting("ImagePullBackOff", `Back-off pulling image "example.com/frontend:v1": not found`), nil, 0)
		})
	}},
	{name: "crash", args: "web-worker-1-0-0", state: waiting, broken: func(t *testing.T, w *plantest.World) {
		of(w, "web-frontend", plantest.Ready)
		of(w, "web-leader-1-0", func(pod *corev1.Pod) {
			in(pod, setWaiting("CrashLoopBackOff", "back-off 5m0s restarting failed container"), &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}, 7)
		})
	}},
	{name: "probe", args: "web", state: plantest.Ready, broken: func(t *testing.T, w *plantest.World) {
		pod := w.Pod(t, "web-frontend-0-1")
		in(pod, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, nil, 0)
	}},
	{name: "breach", args: "web", state: plantest.Ready, broken: func(t *testing.T, w *plantest.World) {
		w.Settle()
		pod := w.Pod(t, "web-worker-0-0-1")
		pod.DeletionTimestamp, pod.Finalizers = ptr.To(clitest.Ago(-20*time.Second)), nil
	}},
	{name: "refused", args: "web", after: func(t *testing.T, clients *cli.Clients) {
		api := clients.Grove.GroveV1alpha1().PodCliqueSets("default")
		set, err := api.Get(t.Context(), "web", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		meta.SetStatusCondition(&set.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionResourcesApplied, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonForbiddenChild,
			Message: `Pod web-worker-0-0-0 is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=8, used: requests.nvidia.com/gpu=0, limited: requests.nvidia.com/gpu=4`})
		if _, err := api.UpdateStatus(t.Context(), set, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}},
	{name: "scaled", args: "web", state: plantest.Ready, nodes: func() []runtime.Object { return clitest.Nodes(4, 8) }, broken: func(t *testing.T, w *plantest.World) {
		n := 0
		of(w, "web-worker", func(pod *corev1.Pod) { pod.Spec.NodeName = fmt.Sprintf("gpu-%d", n%4); n++ })
		of(w, "web-leader-1-1", func(pod *corev1.Pod) {
			*pod = corev1.Pod{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec}
			pod.Spec.NodeName = ""
		})
		of(w, "web-worker-1-1", func(pod *corev1.Pod) {
			*pod = corev1.Pod{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec}
			pod.Spec.NodeName = ""
		})
	}},
}

// unschedulable has the scheduler say so.
func unschedulable(_ *testing.T, w *plantest.World) {
	of(w, "web-", func(pod *corev1.Pod) {
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable,
			Message: "0/8 nodes are available: 8 Insufficient nvidia.com/gpu."}}
	})
}

func cpuNodes(count int) []runtime.Object {
	all := clitest.Nodes(count, 0)
	for n, object := range all {
		node := object.(*corev1.Node)
		node.Name = fmt.Sprintf("cpu-%d", n)
		node.Labels["node.kubernetes.io/instance-type"] = "cpu-large"
		delete(node.Status.Allocatable, "nvidia.com/gpu")
	}
	return all
}

func TestWhy(t *testing.T) {
	for _, test := range whyCases {
		t.Run(test.name, func(t *testing.T) {
			set, state := clitest.Set(t, "web.yaml"), test.state
			if test.edit != nil {
				test.edit(set)
			}
			if state == nil {
				state = plantest.Pending
			}
			w := plantest.NewWorld(set, state)
			for _, clique := range w.Cliques {
				for _, pod := range clique.Pods {
					pod.UID = "uid"
				}
			}
			if test.broken != nil {
				test.broken(t, w)
			}
			var others []runtime.Object
			if test.nodes != nil {
				others = test.nodes()
			}
			clients := clitest.WorldClients(w, others...)
			if test.after != nil {
				test.after(t, clients)
			}
			out, code := clitest.Run(t, clients, verbs.Why, strings.Fields(test.args)...)
			if code != 0 {
				t.Errorf("exit code %d", code)
			}
			clitest.Golden(t, "why-"+test.name+".txt", out)
		})
	}
}
