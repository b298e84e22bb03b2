package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
)

// workers is a set with a member clique of 2 pods in a group of 2 replicas, behind another member of 1 pod.
func workers() *v1alpha1.PodCliqueSet {
	clique := func(name string, replicas int32) v1alpha1.PodCliqueTemplateSpec {
		return v1alpha1.PodCliqueTemplateSpec{Name: name, Spec: v1alpha1.PodCliqueSpec{
			Replicas: &replicas,
			PodSpec: corev1.PodSpec{
				InitContainers: []corev1.Container{{Name: "init"}},
				Containers:     []corev1.Container{{Name: "main", Env: []corev1.EnvVar{{Name: "OWN", Value: "1"}}}},
			},
		}}
	}
	return &v1alpha1.PodCliqueSet{
		ObjectMeta: metav1.ObjectMeta{Name: "train", Namespace: "ns", UID: "set"},
		Spec: v1alpha1.PodCliqueSetSpec{Replicas: 2, Template: v1alpha1.PodCliqueSetTemplateSpec{
			Cliques: []v1alpha1.PodCliqueTemplateSpec{clique("lead", 1), clique("worker", 2), clique("alone", 1)},
			PodCliqueScalingGroups: []v1alpha1.PodCliqueScalingGroupConfig{{
				Name: "group",
				PodCliqueScalingGroupSpec: v1alpha1.PodCliqueScalingGroupSpec{
					CliqueNames: []string{"worker", "lead"}, Replicas: ptr.To[int32](2),
				},
			}},
		}},
	}
}

func cliqueNamed(t *testing.T, set *v1alpha1.PodCliqueSet, name string, pods func(Clique) []*corev1.Pod) Clique {
	t.Helper()
	for _, clique := range cliques(live(set, Set{Object: set}.Children()), pods) {
		if clique.Object.Name == name {
			clique.Gang = scheduledGang(clique.Gang)
			return clique
		}
	}
	t.Fatalf("no PodClique %s", name)
	return Clique{}
}

func TestPodOfAMember(t *testing.T) {
	pods := allPods(cliqueNamed(t, workers(), "train-worker-1", nil))
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
				"grove.io/pod-template-hash":     PodTemplateHash(&workers().Spec.Template.Cliques[1].Spec.PodSpec),
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
			ServiceAccountName: "train",
		},
	}
	env := []corev1.EnvVar{
		{Name: "GROVE_PCS_NAME", Value: "train"},
		{Name: "GROVE_PCS_INDEX", Value: "1"},
		{Name: "GROVE_PCLQ_NAME", Value: "train-worker-1"},
		{Name: "GROVE_PCLQ_POD_INDEX", Value: "1"},
		{Name: "GROVE_HEADLESS_SERVICE", Value: "train-headless.ns.svc"},
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
		for _, pod := range allPods(cliqueNamed(t, workers(), name, nil)) {
			env := map[string]string{}
			for _, variable := range pod.Spec.Containers[0].Env {
				env[variable.Name] = variable.Value
			}
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

func TestUsersChoicesWin(t *testing.T) {
	set := workers()
	spec := &set.Spec.Template.Cliques[2].Spec.PodSpec
	spec.ServiceAccountName = "mine"
	spec.Containers[0].Env = append(spec.Containers[0].Env, corev1.EnvVar{Name: "GROVE_PCS_NAME", Value: "mine"})
	pod := allPods(cliqueNamed(t, set, "train-alone-0", nil))[0]
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
	now := someTime()
	for name, test := range map[string]struct {
		change func(clique *Clique)
		want   map[string][]string
	}{
		"all is well":          {func(*Clique) {}, nil},
		"a pod is missing":     {func(c *Clique) { c.Pods = c.Pods[1:] }, map[string][]string{"create": {"train-worker-0-0-0"}}},
		"a pod is on its way":  {func(c *Clique) { c.Pods[0].DeletionTimestamp = &now }, nil},
		"a pod has failed":     {func(c *Clique) { c.Pods[3].Status.Phase = corev1.PodFailed }, map[string][]string{"replace": {"train-worker-0-1-1"}}},
		"a pod has succeeded":  {func(c *Clique) { c.Pods[3].Status.Phase = corev1.PodSucceeded }, nil},
		"the clique shrinks":   {func(c *Clique) { c.Object.Spec.Replicas = ptr.To[int32](1) }, map[string][]string{"delete": {"train-worker-0-0-1", "train-worker-0-1-1"}}},
		"the group shrinks":    {func(c *Clique) { c.Group.Spec.Replicas = ptr.To[int32](1) }, map[string][]string{"delete": {"train-worker-0-1-0", "train-worker-0-1-1"}}},
		"the group is off":     {func(c *Clique) { c.Group.Spec.Replicas = ptr.To[int32](0) }, map[string][]string{"delete": {"train-worker-0-0-0", "train-worker-0-0-1", "train-worker-0-1-0", "train-worker-0-1-1"}}},
		"the group grows":      {func(c *Clique) { c.Group.Spec.Replicas = ptr.To[int32](3) }, map[string][]string{"create": {"train-worker-0-2-0", "train-worker-0-2-1"}}},
		"a label is missing":   {func(c *Clique) { delete(c.Pods[0].Labels, v1alpha1.LabelRole) }, map[string][]string{"relabel": {"train-worker-0-0-0"}}},
		"a label is wrong":     {func(c *Clique) { c.Pods[1].Labels[v1alpha1.LabelPodIndex] = "7" }, map[string][]string{"relabel": {"train-worker-0-0-1"}}},
		"a label is the users": {func(c *Clique) { c.Pods[1].Labels["mine"] = "7" }, nil},
		"an older template":    {func(c *Clique) { c.Pods[1].Labels[v1alpha1.LabelPodTemplateHash] = "old" }, nil},
		"an annotation of the clique changes": {func(c *Clique) {
			c.Set.Spec.Template.Cliques[1].Annotations = map[string]string{"new": "1"}
			c.Pods = c.Pods[:1]
		}, map[string][]string{"relabel": {"train-worker-0-0-0"}, "create": {"train-worker-0-0-1", "train-worker-0-1-0", "train-worker-0-1-1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			clique := cliqueNamed(t, workers(), "train-worker-0", allPods)
			test.change(&clique)
			actions := clique.PodActions()
			got := map[string][]string{}
			for _, pod := range actions.Create {
				got["create"] = append(got["create"], *pod.Config.Name)
			}
			for _, pod := range actions.Delete {
				got["delete"] = append(got["delete"], pod.Name)
			}
			for _, pod := range actions.Replace {
				got["replace"] = append(got["replace"], pod.Name)
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

func TestRelabelKeepsTheHash(t *testing.T) {
	clique := cliqueNamed(t, workers(), "train-worker-0", allPods)
	clique.Pods[0].Labels[v1alpha1.LabelPodTemplateHash] = "old"
	delete(clique.Pods[0].Labels, v1alpha1.LabelRole)
	relabel := clique.PodActions().Relabel
	if len(relabel) != 1 || relabel[0].Labels[v1alpha1.LabelPodTemplateHash] != "old" {
		t.Errorf("a pod of an older template gets the hash of the current one: %v", relabel)
	}
}
