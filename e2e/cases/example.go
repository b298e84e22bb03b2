package cases

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
)

// example is the name of the sample's set.
const example = "distributed-training"

// Example checks that the complete example, unchanged, becomes what its documentation says.
func Example(manifest string) types.Feature {
	return features.New("the complete example").
		Assess("is accepted with strict validation", step(func(s *scope) {
			s.mustKubectl("apply", "--server-side", "--validate=strict", "-f", manifest)
		})).
		Assess("has exactly its children", step(func(s *scope) {
			s.waitForChildren(example, exampleChildren())
		})).
		Assess("has 22 ready pods", step(func(s *scope) {
			s.waitForPods(example, examplePods())
		})).
		Assess("says who its pods are", step((*scope).checkExamplePods)).
		Assess("sums itself up", step((*scope).checkExampleStatus)).
		Assess("has children that sum themselves up", step((*scope).checkExampleChildren)).
		Assess("is found by the debugging commands", step((*scope).checkDebuggingCommands)).
		Feature()
}

func exampleChildren() names {
	return names{
		podGangs: {"distributed-training-0", "distributed-training-1"},
		podCliques: {
			"distributed-training-parameter-server-0", "distributed-training-parameter-server-1",
			"distributed-training-coordinator-0", "distributed-training-coordinator-1",
			"distributed-training-worker-0", "distributed-training-worker-1",
		},
		scalingGroups:   {"distributed-training-training-infrastructure"},
		services:        {"distributed-training-headless"},
		serviceAccounts: {"grove-distributed-training"},
		roles:           {"grove-distributed-training"},
		roleBindings:    {"grove-distributed-training"},
	}
}

func examplePods() []string {
	var names []string
	for i := range 2 {
		names = append(names, fmt.Sprintf("distributed-training-coordinator-%d-0", i))
		for g := range 2 {
			names = append(names, podNames(fmt.Sprintf("distributed-training-parameter-server-%d-%d", i, g), 1)...)
			names = append(names, podNames(fmt.Sprintf("distributed-training-worker-%d-%d", i, g), 4)...)
		}
	}
	return names
}

// podIdentity is what tells a pod and its containers who they are.
type podIdentity struct {
	Labels         map[string]string
	Env            []corev1.EnvVar
	Hostname       string
	Subdomain      string
	ServiceAccount string
	Controller     string
}

// checkExamplePods looks at a standalone clique and at both cliques of the scaling group.
func (s *scope) checkExamplePods() {
	s.checkPod("distributed-training-coordinator-1-0", "distributed-training-coordinator-1", map[string]string{
		"component":              "coordinator",
		"grove.io/gang-unit":     "distributed-training-1",
		"grove.io/replica-lead":  "true",
		"grove.io/autoscaled-by": "distributed-training",
		"grove.io/podgang":       "distributed-training-1",
		"grove.io/podclique":     "distributed-training-coordinator-1",
		"grove.io/role":          "coordinator",
		"grove.io/replica-index": "1",
		"grove.io/pod-index":     "0",
	}, []corev1.EnvVar{
		{Name: "GROVE_PCS_INDEX", Value: "1"},
		{Name: "GROVE_PCLQ_NAME", Value: "distributed-training-coordinator-1"},
		{Name: "GROVE_PCLQ_POD_INDEX", Value: "0"},
	}, nil)
	s.checkPod("distributed-training-worker-0-1-2", "distributed-training-worker-0", map[string]string{
		"component":                      "worker",
		"grove.io/gang-unit":             "distributed-training-0-training-infrastructure-1",
		"grove.io/podgang":               "distributed-training-0",
		"grove.io/podclique":             "distributed-training-worker-0",
		"grove.io/role":                  "worker",
		"grove.io/podcliquescalinggroup": "distributed-training-training-infrastructure",
		"grove.io/replica-index":         "0",
		"grove.io/group-replica-index":   "1",
		"grove.io/pod-index":             "2",
	}, []corev1.EnvVar{
		{Name: "GROVE_PCS_INDEX", Value: "0"},
		{Name: "GROVE_PCLQ_NAME", Value: "distributed-training-worker-0"},
		{Name: "GROVE_PCLQ_POD_INDEX", Value: "2"},
	}, []corev1.EnvVar{
		{Name: "GROVE_LEADER_ADDRESS", Value: "distributed-training-parameter-server-0-1-0"},
		{Name: "GROVE_PCSG_NAME", Value: "distributed-training-training-infrastructure"},
		{Name: "GROVE_PCSG_INDEX", Value: "1"},
		{Name: "GROVE_PCSG_TEMPLATE_NUM_PODS", Value: "5"},
		{Name: "GROVE_PCSG_POD_INDEX", Value: "3"},
	})
	s.checkPod("distributed-training-parameter-server-1-0-0", "distributed-training-parameter-server-1", map[string]string{
		"component":                      "parameter-server",
		"grove.io/gang-unit":             "distributed-training-1",
		"grove.io/podgang":               "distributed-training-1",
		"grove.io/podclique":             "distributed-training-parameter-server-1",
		"grove.io/role":                  "parameter-server",
		"grove.io/podcliquescalinggroup": "distributed-training-training-infrastructure",
		"grove.io/replica-index":         "1",
		"grove.io/group-replica-index":   "0",
		"grove.io/pod-index":             "0",
	}, []corev1.EnvVar{
		{Name: "GROVE_PCS_INDEX", Value: "1"},
		{Name: "GROVE_PCLQ_NAME", Value: "distributed-training-parameter-server-1"},
		{Name: "GROVE_PCLQ_POD_INDEX", Value: "0"},
	}, []corev1.EnvVar{
		{Name: "GROVE_LEADER_ADDRESS", Value: "distributed-training-parameter-server-1-0-0"},
		{Name: "GROVE_PCSG_NAME", Value: "distributed-training-training-infrastructure"},
		{Name: "GROVE_PCSG_INDEX", Value: "0"},
		{Name: "GROVE_PCSG_TEMPLATE_NUM_PODS", Value: "5"},
		{Name: "GROVE_PCSG_POD_INDEX", Value: "0"},
	})
}

// checkPod compares all labels and the whole environment of a pod, of which every pod of the example has a part.
func (s *scope) checkPod(name, podClique string, labels map[string]string, env, groupEnv []corev1.EnvVar) {
	s.Helper()
	labels["grove.io/podcliqueset"] = example
	labels["app.kubernetes.io/managed-by"] = "grove"
	labels["grove.io/pod-template-hash"] = s.get(podCliques, podClique).GetLabels()["grove.io/pod-template-hash"]
	domain := "distributed-training-headless." + s.namespace + ".svc"
	env = slices.Concat(
		[]corev1.EnvVar{{Name: "GROVE_PCS_NAME", Value: example}},
		env,
		[]corev1.EnvVar{{Name: "GROVE_HEADLESS_SERVICE", Value: domain}, {Name: "GROVE_POD_ADDRESS", Value: name + "." + domain}},
		groupEnv)
	for i := range env {
		if variable := &env[i]; variable.Name == "GROVE_LEADER_ADDRESS" {
			variable.Value += "." + domain
		}
	}
	pod, err := s.core.CoreV1().Pods(s.namespace).Get(s.ctx, name, metav1.GetOptions{})
	if err != nil {
		s.Fatal(err)
	}
	// Kubernetes itself copies labels of the node.
	maps.DeleteFunc(pod.Labels, func(label, _ string) bool { return strings.HasPrefix(label, "topology.kubernetes.io/") })
	want := podIdentity{labels, env, name, "distributed-training-headless", "grove-" + example, podClique}
	got := podIdentity{pod.Labels, pod.Spec.Containers[0].Env, pod.Spec.Hostname, pod.Spec.Subdomain,
		pod.Spec.ServiceAccountName, metav1.GetControllerOf(pod).Name}
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("pod %s (-want +got):\n%s", name, diff)
	}
	if labels["grove.io/pod-template-hash"] == "" {
		s.Errorf("PodClique %s has no template hash", podClique)
	}
}

func (s *scope) checkExampleStatus() {
	want := v1alpha1.PodCliqueSetStatus{
		Replicas:          2,
		UpdatedReplicas:   2,
		AvailableReplicas: 2,
		Selector:          "grove.io/autoscaled-by=distributed-training,grove.io/podcliqueset=distributed-training",
		Phase:             v1alpha1.PodCliqueSetAvailable,
		Conditions: []metav1.Condition{
			{Type: "Available", Status: "True", Reason: "AllReplicasAvailable"},
			{Type: "Ready", Status: "True", Reason: "AllReplicasAvailable"},
			{Type: "Complete", Status: "False", Reason: "Running"},
			{Type: "Degraded", Status: "False", Reason: "SufficientReplicas"},
			{Type: "Progressing", Status: "False", Reason: "AllReplicasAvailable"},
			{Type: "ResourcesApplied", Status: "True", Reason: "Applied"},
		},
		PodGangStatuses: []v1alpha1.PodGangSummary{
			{Name: "distributed-training-0", Phase: v1alpha1.PodGangRunning, Available: true},
			{Name: "distributed-training-1", Phase: v1alpha1.PodGangRunning, Available: true},
		},
	}
	set := s.waitForSet(example, "status", func(set *v1alpha1.PodCliqueSet) string {
		want.ObservedGeneration = set.Generation
		want.CurrentGenerationHash = set.Status.CurrentGenerationHash
		return cmp.Diff(want, set.Status, timeless)
	})
	if set.Status.CurrentGenerationHash == "" {
		s.Error("the set has no generation hash")
	}
	for _, gang := range set.Status.PodGangStatuses {
		if gang.FirstAvailableTime == nil {
			s.Errorf("PodGang %s has no time at which it was first available", gang.Name)
		}
	}
}

// timeless compares statuses apart from times, from prose and from the generation that each condition describes.
var timeless = cmp.Options{
	cmpopts.IgnoreTypes(metav1.Time{}, &metav1.Time{}, &metav1.MicroTime{}),
	cmpopts.IgnoreFields(metav1.Condition{}, "ObservedGeneration", "Message"),
	cmpopts.SortSlices(func(a, b metav1.Condition) bool { return a.Type < b.Type }),
}

func (s *scope) checkExampleChildren() {
	grove := s.grove.GroveV1alpha1()
	s.eventually("status of the worker PodClique", func() (string, error) {
		podClique, err := grove.PodCliques(s.namespace).Get(s.ctx, "distributed-training-worker-0", metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		return cmp.Diff(v1alpha1.PodCliqueStatus{
			ObservedGeneration: podClique.Generation,
			Replicas:           8,
			ScheduledReplicas:  8,
			ReadyReplicas:      8,
			UpdatedReplicas:    8,
			SliceReplicas:      4,
			Selector:           "grove.io/group-replica-index=0,grove.io/podclique=distributed-training-worker-0",
			Conditions: []metav1.Condition{
				{Type: "MinAvailableBreached", Status: "False", Reason: "SufficientPods"},
				{Type: "PodCliqueScheduled", Status: "True", Reason: "SufficientPods"},
				{Type: "ResourcesApplied", Status: "True", Reason: "Applied"},
			},
		}, podClique.Status, timeless), nil
	})
	s.eventually("status of the PodCliqueScalingGroup", func() (string, error) {
		group, err := grove.PodCliqueScalingGroups(s.namespace).Get(s.ctx, "distributed-training-training-infrastructure", metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		return cmp.Diff(v1alpha1.PodCliqueScalingGroupStatus{
			ObservedGeneration: group.Generation,
			Replicas:           2,
			ScheduledReplicas:  2,
			AvailableReplicas:  2,
			UpdatedReplicas:    2,
			ReplicaStatuses:    []v1alpha1.ScalingGroupReplicaStatus{{Scheduled: 2, Available: 2, Updated: 2}, {ReplicaIndex: 1, Scheduled: 2, Available: 2, Updated: 2}},
			Selector: "grove.io/pod-index=0,grove.io/podclique=distributed-training-worker-0," +
				"grove.io/podcliquescalinggroup=distributed-training-training-infrastructure",
			Conditions: []metav1.Condition{{Type: "MinAvailableBreached", Status: "False", Reason: "SufficientReplicas"}},
		}, group.Status, timeless), nil
	})
	s.eventually("status of the PodGang", func() (string, error) {
		podGang, err := grove.PodGangs(s.namespace).Get(s.ctx, "distributed-training-1", metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		for i := range podGang.Status.PodGroups {
			if podGang.Status.PodGroups[i].TemplateHash == "" {
				return "a pod group without the hash of its podSpec", nil
			}
			podGang.Status.PodGroups[i].TemplateHash = ""
		}
		return cmp.Diff(v1alpha1.PodGangStatus{
			ObservedGeneration: podGang.Generation,
			Phase:              v1alpha1.PodGangRunning,
			Conditions: []metav1.Condition{
				{Type: "GangScheduling", Status: "True", Reason: "Enforced"},
				{Type: "Ready", Status: "True", Reason: "SufficientPods"},
				{Type: "ScaledGroupsScheduled", Status: "True", Reason: "SufficientPods"},
				{Type: "Scheduled", Status: "True", Reason: "SufficientPods"},
			},
			PodGroups: []v1alpha1.PodGroupStatus{
				fullPodGroup("distributed-training-coordinator-1", 1),
				fullPodGroup("distributed-training-parameter-server-1-0", 1),
				fullPodGroup("distributed-training-worker-1-0", 4),
				fullPodGroup("distributed-training-parameter-server-1-1", 1),
				fullPodGroup("distributed-training-worker-1-1", 4),
			},
			Units: []v1alpha1.UnitStatus{{Name: "distributed-training-1"}, {Name: "distributed-training-1-training-infrastructure-1"}},
		}, podGang.Status, timeless), nil
	})
}

func fullPodGroup(name string, pods int32) v1alpha1.PodGroupStatus {
	return v1alpha1.PodGroupStatus{Name: name, Desired: pods, Scheduled: pods, Available: pods, Ready: pods, Updated: pods, Created: pods}
}

// checkDebuggingCommands runs what the documentation recommends, and looks at the columns.
func (s *scope) checkDebuggingCommands() {
	s.checkTable([]string{"pcs"},
		"NAME REPLICAS AVAILABLE UPDATED PHASE AGE",
		"distributed-training 2 2 2 Available")
	s.checkTable([]string{"pclq", "distributed-training-worker-0"},
		"NAME ROLE REPLICAS PODS READY UPDATED BREACHED AGE",
		"distributed-training-worker-0 worker 4 8 8 8 False")
	s.checkTable([]string{"pcsg"},
		"NAME REPLICAS AVAILABLE BREACHED AGE",
		"distributed-training-training-infrastructure 2 2 False")
	s.checkTable([]string{"pg"},
		"NAME PHASE SCHEDULED READY AGE",
		"distributed-training-0 Running True True",
		"distributed-training-1 Running True True")
	s.checkLists([]string{"podclique,podgang,svc", "-l", "grove.io/podcliqueset=distributed-training"}, podCliques, podGangs, services)
	s.checkLists([]string{"grove"}, podCliques, podGangs, scalingGroups)
	s.checkMentions("status:", "get", "podcliqueset", example, "-o", "yaml")
	s.checkMentions("Role Name:", "describe", "podclique", "distributed-training-worker-0")
}

// checkTable compares what kubectl get prints, but for the age at the end of each row.
func (s *scope) checkTable(args []string, want ...string) {
	s.Helper()
	var got []string
	for n, line := range strings.Split(strings.TrimSpace(s.mustKubectl(append([]string{"get"}, args...)...)), "\n") {
		fields := strings.Fields(line)
		if n > 0 {
			fields = fields[:len(fields)-1]
		}
		got = append(got, strings.Join(fields, " "))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("kubectl get %q (-want +got):\n%s", args, diff)
	}
}

// checkLists checks that kubectl get lists all of the example's children of some kinds.
func (s *scope) checkLists(args []string, kinds ...schema.GroupVersionResource) {
	s.Helper()
	listed := s.mustKubectl(append([]string{"get", "-o", "name"}, args...)...)
	for _, kind := range kinds {
		for _, name := range exampleChildren()[kind] {
			if !strings.Contains(listed, "/"+name+"\n") {
				s.Errorf("kubectl get %q doesn't list %s %s:\n%s", args, kind.Resource, name, listed)
			}
		}
	}
}
