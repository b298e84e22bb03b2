package nodes

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

func list(pairs ...string) corev1.ResourceList {
	resources := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		resources[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return resources
}

func node(name string, changes ...func(*corev1.Node)) *corev1.Node {
	made := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name}},
		Status:     corev1.NodeStatus{Allocatable: list("cpu", "4", "memory", "8Gi", "pods", "10")},
	}
	for _, change := range changes {
		change(made)
	}
	return made
}

func labelled(key, value string) func(*corev1.Node) {
	return func(node *corev1.Node) { node.Labels[key] = value }
}

func pod(name string, changes ...func(*corev1.Pod)) *corev1.Pod {
	made := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns", Labels: map[string]string{"app": "a"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main"}}},
	}
	for _, change := range changes {
		change(made)
	}
	return made
}

func asks(pairs ...string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.Containers[0].Resources.Requests = list(pairs...) }
}

func on(node string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.NodeName = node }
}

// words are a verdict as users read it.
func words(verdict Verdict) string {
	var all []string
	for _, reason := range verdict.Reasons {
		all = append(all, string(reason.Filter)+": "+reason.Words)
	}
	return strings.Join(all, "; ")
}

func TestFiltersOfOneNode(t *testing.T) {
	sidecar := corev1.Container{Name: "sidecar", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways), Resources: corev1.ResourceRequirements{Requests: list("cpu", "1")}}
	taint := func(effect corev1.TaintEffect) func(*corev1.Node) {
		return func(node *corev1.Node) {
			node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: "gpu", Value: "yes", Effect: effect})
		}
	}
	port := func(number int32, address string) func(*corev1.Pod) {
		return func(pod *corev1.Pod) {
			pod.Spec.Containers[0].Ports = []corev1.ContainerPort{{HostPort: number, HostIP: address}}
		}
	}
	cordon := func(node *corev1.Node) {
		node.Spec.Unschedulable = true
		node.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}}
	}
	tests := map[string]struct {
		node *corev1.Node
		pods []*corev1.Pod
		pod  *corev1.Pod
		want string
	}{
		"empty":               {node: node("n"), pod: pod("p", asks("cpu", "4", "memory", "8Gi"))},
		"too many CPUs":       {node: node("n"), pod: pod("p", asks("cpu", "4100m")), want: "NodeResourcesFit: cpu 4 free, 4100m asked"},
		"no CPUs asked of it": {node: node("n"), pods: []*corev1.Pod{pod("o", on("n"), asks("cpu", "5"))}, pod: pod("p")},
		"taken": {
			node: node("n"), pods: []*corev1.Pod{pod("o", on("n"), asks("cpu", "3500m", "memory", "7Gi"))},
			pod: pod("p", asks("cpu", "1", "memory", "2Gi")), want: "NodeResourcesFit: cpu 500m free, 1 asked; NodeResourcesFit: memory 1Gi free, 2Gi asked",
		},
		"overcommitted": {
			node: node("n"), pods: []*corev1.Pod{pod("o", on("n"), asks("cpu", "5"))}, pod: pod("p", asks("cpu", "1")), want: "NodeResourcesFit: cpu 0 free, 1 asked",
		},
		"what has ended takes nothing": {
			node: node("n"), pods: []*corev1.Pod{pod("o", on("n"), asks("cpu", "4"), func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodSucceeded })}, pod: pod("p", asks("cpu", "4")),
		},
		"itself takes nothing": {node: node("n"), pods: []*corev1.Pod{pod("p", on("n"), asks("cpu", "4"))}, pod: pod("p", asks("cpu", "4"))},
		"no such resource":     {node: node("n"), pod: pod("p", asks("nvidia.com/gpu", "8")), want: "NodeResourcesFit: no nvidia.com/gpu, 8 asked"},
		"number of pods": {
			node: node("n", func(node *corev1.Node) { node.Status.Allocatable = list("pods", "1") }), pods: []*corev1.Pod{pod("o", on("n"))}, pod: pod("p"),
			want: "NodeResourcesFit: pods 0 free, 1 asked",
		},
		"init container and sidecar": {
			node: node("n"), want: "NodeResourcesFit: cpu 4 free, 5 asked",
			pod: pod("p", asks("cpu", "1"), func(pod *corev1.Pod) {
				pod.Spec.InitContainers = []corev1.Container{sidecar, {Name: "init", Resources: corev1.ResourceRequirements{Requests: list("cpu", "4")}}}
			}),
		},
		"a limit without a request": {
			node: node("n"), want: "NodeResourcesFit: memory 8Gi free, 9Gi asked; NodeResourcesFit: no nvidia.com/gpu, 1 asked",
			pod: pod("p", asks("cpu", "1"), func(pod *corev1.Pod) {
				pod.Spec.Containers[0].Resources.Limits = list("cpu", "5", "memory", "9Gi", "nvidia.com/gpu", "1")
			}),
		},
		"overhead": {
			node: node("n"), want: "NodeResourcesFit: cpu 4 free, 4250m asked",
			pod: pod("p", asks("cpu", "4"), func(pod *corev1.Pod) { pod.Spec.Overhead = list("cpu", "250m") }),
		},
		"cordoned": {node: node("n", cordon), pod: pod("p"), want: "NodeUnschedulable: cordoned"},
		"cordoned, and tolerated": {
			node: node("n", cordon),
			pod: pod("p", func(pod *corev1.Pod) {
				pod.Spec.Tolerations = []corev1.Toleration{{Key: corev1.TaintNodeUnschedulable, Operator: corev1.TolerationOpExists}}
			}),
		},
		"another node named": {node: node("n"), pod: pod("p", on("m")), want: "NodeName: the pod names the node m"},
		"taint":              {node: node("n", taint(corev1.TaintEffectNoSchedule)), pod: pod("p"), want: "TaintToleration: taint gpu=yes:NoSchedule not tolerated"},
		"taint that evicts":  {node: node("n", taint(corev1.TaintEffectNoExecute)), pod: pod("p"), want: "TaintToleration: taint gpu=yes:NoExecute not tolerated"},
		"taint that deters":  {node: node("n", taint(corev1.TaintEffectPreferNoSchedule)), pod: pod("p")},
		"taint, tolerated": {
			node: node("n", taint(corev1.TaintEffectNoSchedule)),
			pod: pod("p", func(pod *corev1.Pod) {
				pod.Spec.Tolerations = []corev1.Toleration{{Key: "gpu", Operator: corev1.TolerationOpExists}}
			}),
		},
		"node selector": {
			node: node("n", labelled("pool", "b")), want: "NodeAffinity: no label pool=a",
			pod: pod("p", func(pod *corev1.Pod) {
				pod.Spec.NodeSelector = map[string]string{"pool": "a", corev1.LabelHostname: "n"}
			}),
		},
		"node affinity": {
			node: node("n"), want: "NodeAffinity: node affinity doesn't match",
			pod: pod("p", func(pod *corev1.Pod) {
				pod.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
					NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "pool", Operator: corev1.NodeSelectorOpExists}}}},
				}}}
			}),
		},
		"host port": {node: node("n"), pods: []*corev1.Pod{pod("o", on("n"), port(80, "127.0.0.1"))}, pod: pod("p", port(80, "")), want: "NodePorts: host port 80/TCP taken"},
		"host port of another address": {
			node: node("n"), pods: []*corev1.Pod{pod("o", on("n"), port(80, "127.0.0.1"))}, pod: pod("p", port(80, "127.0.0.2")),
		},
		"all at once": {
			node: node("n", cordon, taint(corev1.TaintEffectNoSchedule)), pod: pod("p", asks("cpu", "5")),
			want: "NodeUnschedulable: cordoned; TaintToleration: taint gpu=yes:NoSchedule not tolerated; NodeResourcesFit: cpu 4 free, 5 asked",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			verdicts := Snapshot{Nodes: []*corev1.Node{test.node}, Pods: test.pods}.Verdicts(test.pod)
			if got := words(verdicts[0]); got != test.want || verdicts[0].Fits() != (test.want == "") {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestPlaceAndRemove(t *testing.T) {
	c := NewCluster(Snapshot{Nodes: []*corev1.Node{node("n"), node("m")}})
	fits := func() bool { return c.Candidate(pod("p", asks("cpu", "3"))).On("n").Fits() }
	placed := c.Place(pod("o", asks("cpu", "2")), "n")
	if fits() {
		t.Error("fits beside a pod that was placed")
	}
	if best := c.Candidate(pod("p", asks("cpu", "1"))).Best(c.Nodes()); best != "m" {
		t.Errorf("the best is %q, and m has most left", best)
	}
	c.Remove(placed)
	if !fits() {
		t.Error("doesn't fit once the pod is removed")
	}
	if best := c.Candidate(pod("p", asks("cpu", "5"))).Best(c.Nodes()); best != "" {
		t.Errorf("the best is %q of none", best)
	}
}

func TestSummary(t *testing.T) {
	gpus := func(n string) func(*corev1.Node) {
		return func(node *corev1.Node) { node.Status.Allocatable["nvidia.com/gpu"] = resource.MustParse(n) }
	}
	s := Snapshot{Nodes: []*corev1.Node{node("a", gpus("3")), node("b", gpus("1")), node("c", gpus("8"), func(node *corev1.Node) { node.Spec.Unschedulable = true }), node("d")}}
	var got []string
	for _, group := range Summary(s.Verdicts(pod("p", asks("nvidia.com/gpu", "8")))) {
		got = append(got, group.String())
	}
	want := []string{"3 of 4 nodes: nvidia.com/gpu at most 3 free, 8 asked", "1 of 4 nodes: cordoned"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBeyond(t *testing.T) {
	got := Beyond(pod("p", func(pod *corev1.Pod) {
		pod.Spec.Volumes = []corev1.Volume{{VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{}}}}
		pod.Spec.ResourceClaims = []corev1.PodResourceClaim{{}}
	}))
	if want := []string{"volume claims", "resource claims"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
