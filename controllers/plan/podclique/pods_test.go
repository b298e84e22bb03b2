package podclique_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/plan/podclique"
)

func TestPodOfAMember(t *testing.T) {
	pods := plantest.AllPods(plantest.Clique(t, plantest.Workers(), "train-worker-1", nil))
	last := pods[len(pods)-1]
	want := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name:      "train-worker-1-1-1",
			Namespace: "ns",
			Labels: map[string]string{
				"app.kubernetes.io/managed-by":   "grove",
				"grove.io/podcliqueset":          "train",
				"grove.io/podgang":               "train-1",
				"grove.io/podclique":             "train-worker-1",
				"grove.io/podcliquescalinggroup": "train-group",
				"grove.io/role":                  "worker",
				"grove.io/replica-index":         "1",
				"grove.io/group-replica-index":   "1",
				"grove.io/pod-index":             "1",
				"grove.io/pod-template-hash":     plan.PodTemplateHash(&plantest.Workers().Spec.Template.Cliques[1].Spec.PodSpec, ""),
			},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "grove.io/v1alpha1", Kind: "PodClique", Name: "train-worker-1", UID: "train-worker-1",
				Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(true),
			}},
		},
		Spec: corev1.PodSpec{
			Hostname:           "train-worker-1-1-1",
			Subdomain:          "train-headless",
			SchedulingGroup:    &corev1.PodSchedulingGroup{PodGroupName: ptr.To("train-1-group-1")},
			ServiceAccountName: "grove-train",
		},
	}
	env := []corev1.EnvVar{
		{Name: "GROVE_PCS_NAME", Value: "train"},
		{Name: "GROVE_PCS_INDEX", Value: "1"},
		{Name: "GROVE_PCLQ_NAME", Value: "train-worker-1"},
		{Name: "GROVE_PCLQ_POD_INDEX", Value: "1"},
		{Name: "GROVE_HEADLESS_SERVICE", Value: "train-headless.ns.svc"},
		{Name: "GROVE_POD_ADDRESS", Value: "train-worker-1-1-1.train-headless.ns.svc"},
		{Name: "GROVE_LEADER_ADDRESS", Value: "train-lead-1-1-0.train-headless.ns.svc"},
		{Name: "GROVE_PCSG_NAME", Value: "train-group"},
		{Name: "GROVE_PCSG_INDEX", Value: "1"},
		{Name: "GROVE_PCSG_TEMPLATE_NUM_PODS", Value: "3"},
		{Name: "GROVE_PCSG_POD_INDEX", Value: "2"},
	}
	want.Spec.InitContainers = []corev1.Container{{Name: "init", Env: env}}
	want.Spec.Containers = []corev1.Container{{Name: "main", Env: append(env, corev1.EnvVar{Name: "OWN", Value: "1"})}}
	if diff := cmp.Diff(want, last); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRanksInAGroupReplicaAreUnique(t *testing.T) {
	ranks := map[string]bool{}
	for _, name := range []string{"train-lead-0", "train-worker-0"} {
		for _, pod := range plantest.AllPods(plantest.Clique(t, plantest.Workers(), name, nil)) {
			env := envOf(pod)
			rank := env["GROVE_PCSG_INDEX"] + "/" + env["GROVE_PCSG_POD_INDEX"]
			if ranks[rank] {
				t.Errorf("rank %s is given twice", rank)
			}
			ranks[rank] = true
		}
	}
	want := map[string]bool{"0/0": true, "0/1": true, "0/2": true, "1/0": true, "1/1": true, "1/2": true}
	if diff := cmp.Diff(want, ranks); diff != "" {
		t.Errorf("ranks (-want +got):\n%s", diff)
	}
}

// TestAddresses has who leads: what every pod of a group replica agrees on, whatever is scaled.
func TestAddresses(t *testing.T) {
	for name, test := range map[string]struct {
		podClique   string
		change      func(lead *v1alpha1.PodCliqueTemplateSpec)
		own, leader string
	}{
		"a worker":                     {"train-worker-0", nil, "train-worker-0-0-0", "train-lead-0-0-0"},
		"a leader":                     {"train-lead-0", nil, "train-lead-0-0-0", "train-lead-0-0-0"},
		"a clique on its own":          {"train-alone-1", nil, "train-alone-1-0", ""},
		"the leader is turned off":     {"train-worker-0", func(lead *v1alpha1.PodCliqueTemplateSpec) { lead.Spec.Replicas = ptr.To[int32](0) }, "train-worker-0-0-0", "train-lead-0-0-0"},
		"there are more first members": {"train-lead-0", func(lead *v1alpha1.PodCliqueTemplateSpec) { lead.Spec.Replicas = ptr.To[int32](3) }, "train-lead-0-0-0", "train-lead-0-0-0"},
		"the first member autoscales itself": {"train-worker-0", func(lead *v1alpha1.PodCliqueTemplateSpec) {
			lead.Spec.AutoScalingConfig = &v1alpha1.AutoScalingConfig{MaxReplicas: 3}
		}, "train-worker-0-0-0", "train-lead-0-0-0"},
	} {
		t.Run(name, func(t *testing.T) {
			set := plantest.Workers()
			if test.change != nil {
				test.change(&set.Spec.Template.Cliques[0])
			}
			env := envOf(plantest.AllPods(plantest.Clique(t, set, test.podClique, nil))[0])
			want := map[string]string{v1alpha1.EnvPodAddress: test.own + ".train-headless.ns.svc"}
			if test.leader != "" {
				want[v1alpha1.EnvLeaderAddress] = test.leader + ".train-headless.ns.svc"
			}
			maps.DeleteFunc(env, func(name, _ string) bool { return !strings.HasSuffix(name, "_ADDRESS") })
			if diff := cmp.Diff(want, env); diff != "" {
				t.Errorf("addresses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUsersChoicesWin(t *testing.T) {
	set := plantest.Workers()
	spec := &set.Spec.Template.Cliques[2].Spec.PodSpec
	spec.ServiceAccountName = "mine"
	spec.Containers[0].Env = append(spec.Containers[0].Env, corev1.EnvVar{Name: "GROVE_PCS_NAME", Value: "mine"})
	pod := plantest.AllPods(plantest.Clique(t, set, "train-alone-0", nil))[0]
	if got := pod.Spec.ServiceAccountName; got != "mine" {
		t.Errorf("serviceAccountName is %s, the user said mine", got)
	}
	var values []string
	for _, variable := range pod.Spec.Containers[0].Env {
		if variable.Name == "GROVE_PCS_NAME" {
			values = append(values, variable.Value)
		}
	}
	if diff := cmp.Diff([]string{"mine"}, values); diff != "" {
		t.Errorf("GROVE_PCS_NAME (-want +got):\n%s", diff)
	}
}

func TestPodActions(t *testing.T) {
	now := metav1.NewTime(plantest.Now)
	for name, test := range map[string]struct {
		change func(clique *podclique.Clique)
		want   map[string][]string
	}{
		"all is well":         {func(*podclique.Clique) {}, nil},
		"a pod is missing":    {func(c *podclique.Clique) { c.Pods = c.Pods[1:] }, map[string][]string{"create": {"train-worker-0-0-0"}}},
		"a pod is on its way": {func(c *podclique.Clique) { c.Pods[0].DeletionTimestamp = &now }, nil},
		"a pod has failed":    {func(c *podclique.Clique) { c.Pods[3].Status.Phase = corev1.PodFailed }, map[string][]string{"replace": {"train-worker-0-1-1"}}},
		"a pod has succeeded": {func(c *podclique.Clique) { c.Pods[3].Status.Phase = corev1.PodSucceeded }, nil},
		"the clique shrinks": {func(c *podclique.Clique) {
			c.Object.Spec.Replicas, c.Object.Spec.MinAvailable = ptr.To[int32](1), ptr.To[int32](1)
		}, map[string][]string{"delete": {"train-worker-0-0-1", "train-worker-0-1-1"}}},
		"the group shrinks": {func(c *podclique.Clique) { c.ScalingGroup.Spec.Replicas = ptr.To[int32](1) }, map[string][]string{"delete": {"train-worker-0-1-0", "train-worker-0-1-1"}}},
		"the group is off":  {func(c *podclique.Clique) { c.ScalingGroup.Spec.Replicas = ptr.To[int32](0) }, map[string][]string{"delete": {"train-worker-0-0-0", "train-worker-0-0-1", "train-worker-0-1-0", "train-worker-0-1-1"}}},
		"the group grows, the gang doesn't know it yet": {func(c *podclique.Clique) { c.ScalingGroup.Spec.Replicas = ptr.To[int32](3) }, nil},
		"the group grows": {func(c *podclique.Clique) {
			c.ScalingGroup.Spec.Replicas = ptr.To[int32](3)
			c.Gang.Status.PodGroups = nil
			c.Gang.Spec.ScaledGroups = append(c.Gang.Spec.ScaledGroups, v1alpha1.ScaledGroup{Name: "train-0-group-2", PodGroups: []v1alpha1.PodGroup{
				{Name: "train-worker-0-2", PodCliqueName: "train-worker-0", PodCliqueScalingGroupName: "train-group", GroupReplicaIndex: ptr.To[int32](2), MinReplicas: 2},
			}})
			c.Gang = plantest.ScheduledGang(c.Gang)
		}, map[string][]string{"create": {"train-worker-0-2-0", "train-worker-0-2-1"}}},
		"a label is missing":   {func(c *podclique.Clique) { delete(c.Pods[0].Labels, v1alpha1.LabelRole) }, map[string][]string{"relabel": {"train-worker-0-0-0"}}},
		"a label is wrong":     {func(c *podclique.Clique) { c.Pods[1].Labels[v1alpha1.LabelPodIndex] = "7" }, map[string][]string{"relabel": {"train-worker-0-0-1"}}},
		"a label is the users": {func(c *podclique.Clique) { c.Pods[1].Labels["mine"] = "7" }, nil},
		"the clique is below its minimum": {func(c *podclique.Clique) {
			c.Object.Spec.MinAvailable, c.Object.Spec.Replicas = ptr.To[int32](2), ptr.To[int32](1)
		}, nil},
		"the clique loses a label it never had": {func(c *podclique.Clique) { c.Pods[1].Annotations = map[string]string{"mine": "7"} }, nil},
		"a pod is nobody's":                     {func(c *podclique.Clique) { c.Pods[1].OwnerReferences = nil }, map[string][]string{"relabel": {"train-worker-0-0-1"}}},
		"one beyond is nobody's": {func(c *podclique.Clique) {
			c.Object.Spec.Replicas, c.Object.Spec.MinAvailable = ptr.To[int32](1), ptr.To[int32](1)
			c.Pods[1].OwnerReferences = nil
		}, map[string][]string{"delete": {"train-worker-0-1-1"}}},
		"the gang has run to its end": {func(c *podclique.Clique) {
			c.Gang.Status.Phase = v1alpha1.PodGangSucceeded
			c.Pods[3].Status.Phase = corev1.PodFailed
			c.Pods = c.Pods[1:]
		}, nil},
		"the set has no place for it": {func(c *podclique.Clique) { c.Set.Spec.Replicas, c.Pods = 0, nil }, nil},
		"an older template":           {func(c *podclique.Clique) { c.Pods[1].Labels[v1alpha1.LabelPodTemplateHash] = "old" }, nil},
		"the operator has learnt variables since": {func(c *podclique.Clique) {
			for _, pod := range c.Pods {
				pod.Spec.Containers[0].Env = slices.DeleteFunc(pod.Spec.Containers[0].Env, func(v corev1.EnvVar) bool { return strings.HasSuffix(v.Name, "_ADDRESS") })
			}
		}, nil},
		"an annotation of the clique changes": {func(c *podclique.Clique) {
			c.Set.Spec.Template.Cliques[1].Annotations = map[string]string{"new": "1"}
			c.Pods = c.Pods[:1]
		}, map[string][]string{"relabel": {"train-worker-0-0-0"}, "create": {"train-worker-0-0-1", "train-worker-0-1-0", "train-worker-0-1-1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			clique := plantest.Clique(t, plantest.Workers(), "train-worker-0", plantest.AllPods)
			test.change(&clique)
			actions := clique.Actions(plantest.Now)
			got := map[string][]string{}
			for _, pod := range actions.Create {
				got["create"] = append(got["create"], *pod.Config.Name)
			}
			for _, pod := range actions.Delete {
				got["delete"] = append(got["delete"], pod.Name)
			}
			for _, pod := range actions.Replace {
				got["replace"] = append(got["replace"], pod.Failed.Name)
			}
			for _, pod := range actions.Relabel {
				got["relabel"] = append(got["relabel"], *pod.Name)
			}
			if test.want == nil {
				test.want = map[string][]string{}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Labels and annotations that leave the template leave pods, without a restart; what others put there stays.
func TestMetadataLeavesPods(t *testing.T) {
	set := plantest.Workers()
	set.Spec.Template.Cliques[2].Labels = map[string]string{"team": "x", "cost": "1"}
	set.Spec.Template.Cliques[2].Annotations = map[string]string{"note": "1"}
	clique := plantest.Clique(t, set, "train-alone-0", plantest.AllPods)
	pod := clique.Pods[0]
	pod.Labels["mine"], pod.Annotations["mine"] = "1", "1"
	if relabel := clique.Actions(plantest.Now).Relabel; len(relabel) > 0 {
		t.Fatalf("nothing has changed, and %s is relabelled", *relabel[0].Name)
	}
	delete(set.Spec.Template.Cliques[2].Labels, "cost")
	relabel := clique.Actions(plantest.Now).Relabel
	if len(relabel) != 1 || relabel[0].Labels["team"] != "x" || relabel[0].Labels["cost"] != "" || relabel[0].Annotations["note"] != "1" {
		t.Fatalf("a label has left the template: %+v", relabel)
	}
	// The API server takes away what the configuration no longer has.
	pod.Labels, pod.Annotations = relabel[0].Labels, relabel[0].Annotations
	if relabel := clique.Actions(plantest.Now).Relabel; len(relabel) > 0 {
		t.Fatalf("%s is relabelled twice", *relabel[0].Name)
	}
	set.Spec.Template.Cliques[2].Labels, set.Spec.Template.Cliques[2].Annotations = nil, nil
	relabel = clique.Actions(plantest.Now).Relabel
	if len(relabel) != 1 || relabel[0].Labels["team"] != "" || len(relabel[0].Annotations) > 0 {
		t.Fatalf("all labels and annotations have left the template: %+v", relabel)
	}
	pod.Labels, pod.Annotations = relabel[0].Labels, relabel[0].Annotations
	if relabel := clique.Actions(plantest.Now).Relabel; len(relabel) > 0 {
		t.Fatalf("%s is relabelled twice", *relabel[0].Name)
	}
}

// What a clique is scaled to beyond the template gets ranks behind all of the template's. None is given twice, and none changes.
func TestRanksBeyondTheTemplate(t *testing.T) {
	set := plantest.Workers()
	ranks := func(lead, worker int32) map[string]string {
		observed, byPod := plantest.Observed(set), map[string]string{}
		observed.PodCliques["train-lead-0"].Spec.Replicas, observed.PodCliques["train-worker-0"].Spec.Replicas = &lead, &worker
		for _, clique := range plantest.Cliques(observed, plantest.AllPods) {
			for _, pod := range clique.Pods {
				env := envOf(pod)
				if env[v1alpha1.EnvPodCliqueSetIndex] == "0" && env[v1alpha1.EnvScalingGroupIndex] == "1" {
					byPod[pod.Name] = env[v1alpha1.EnvScalingGroupPodIndex]
				}
			}
		}
		return byPod
	}
	all := ranks(4, 5)
	if diff := cmp.Diff(map[string]string{
		"train-lead-0-1-0": "0", "train-worker-0-1-0": "1", "train-worker-0-1-1": "2",
		"train-lead-0-1-1": "3", "train-worker-0-1-2": "4",
		"train-lead-0-1-2": "5", "train-worker-0-1-3": "6",
		"train-lead-0-1-3": "7", "train-worker-0-1-4": "8",
	}, all); diff != "" {
		t.Errorf("ranks (-want +got):\n%s", diff)
	}
	for pod, rank := range ranks(1, 4) {
		if all[pod] != rank {
			t.Errorf("pod %s had the rank %s, and has %s", pod, all[pod], rank)
		}
	}
}

func envOf(pod *corev1.Pod) map[string]string {
	env := map[string]string{}
	for _, variable := range pod.Spec.Containers[0].Env {
		env[variable.Name] = variable.Value
	}
	return env
}

// Both fields of a podSpec that name an account mean the same.
func TestServiceAccountAlias(t *testing.T) {
	set := plantest.Workers()
	set.Spec.Template.Cliques[2].Spec.PodSpec.DeprecatedServiceAccount = "mine"
	pod := plantest.AllPods(plantest.Clique(t, set, "train-alone-0", nil))[0]
	if pod.Spec.DeprecatedServiceAccount != "mine" || pod.Spec.ServiceAccountName != "" {
		t.Errorf("serviceAccount %q, serviceAccountName %q", pod.Spec.DeprecatedServiceAccount, pod.Spec.ServiceAccountName)
	}
}

// However far somebody scales a PodClique, no more pods are made than a replica may have, and it is said.
func TestTooManyPods(t *testing.T) {
	clique := plantest.Clique(t, plantest.Workers(), "train-alone-0", nil)
	clique.Object.Spec.Replicas = ptr.To[int32](9999)
	actions := clique.Actions(plantest.Now)
	if len(actions.Create) != plan.MostPods {
		t.Errorf("%d pods are made", len(actions.Create))
	}
	if len(actions.Problems) != 1 || actions.Problems[0].Reason != v1alpha1.ReasonTooManyPods {
		t.Errorf("problems %v", actions.Problems)
	}
}

func TestRelabelKeepsTheHash(t *testing.T) {
	clique := plantest.Clique(t, plantest.Workers(), "train-worker-0", plantest.AllPods)
	clique.Pods[0].Labels[v1alpha1.LabelPodTemplateHash] = "old"
	delete(clique.Pods[0].Labels, v1alpha1.LabelRole)
	relabel := clique.Actions(plantest.Now).Relabel
	if len(relabel) != 1 || relabel[0].Labels[v1alpha1.LabelPodTemplateHash] != "old" {
		t.Errorf("a pod of an older template gets the hash of the current one: %v", relabel)
	}
}

// A clique that gets an autoscaler of its own counts no longer for the set; another does.
func TestAnotherPodCountsForTheSet(t *testing.T) {
	set := plantest.Workers()
	alone := plantest.Clique(t, set, "train-alone-0", plantest.AllPods)
	worker := plantest.Clique(t, set, "train-worker-0", plantest.AllPods)
	set.Spec.Template.Cliques[2].Spec.AutoScalingConfig = &v1alpha1.AutoScalingConfig{MaxReplicas: 4}
	for name, test := range map[string]struct {
		clique podclique.Clique
		pod    string
		want   string
	}{
		"the clique":  {alone, "train-alone-0-0", ""},
		"another one": {worker, "train-worker-0-0-0", "train"},
	} {
		t.Run(name, func(t *testing.T) {
			relabel := test.clique.Actions(plantest.Now).Relabel
			if len(relabel) != 1 || *relabel[0].Name != test.pod || relabel[0].Labels[v1alpha1.LabelAutoscaledBy] != test.want {
				t.Fatalf("want %s relabelled with %q, got %+v", test.pod, test.want, relabel)
			}
			test.clique.PodsByName()[test.pod].Labels = relabel[0].Labels
			if relabel := test.clique.Actions(plantest.Now).Relabel; len(relabel) > 0 {
				t.Errorf("%s is relabelled twice", *relabel[0].Name)
			}
		})
	}
}
