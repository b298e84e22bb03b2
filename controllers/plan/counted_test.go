package plan_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
)

// autoscaler is what kube-controller-manager reads of a target.
type autoscaler struct {
	selector string
	replicas int32
}

// autoscalersOf are those that the set's configuration asks for and, if it may have one, the set's own.
func autoscalersOf(w *plantest.World, ofSet bool) map[string]autoscaler {
	all := map[string]autoscaler{}
	for name := range plantest.Live(w.Object, w.Children()).Autoscalers {
		if podClique := w.PodCliques[name]; podClique != nil {
			all[name] = autoscaler{podClique.Status.Selector, podClique.Status.SliceReplicas}
		} else {
			all[name] = autoscaler{w.ScalingGroups[name].Status.Selector, w.ScalingGroups[name].Status.Replicas}
		}
	}
	if ofSet {
		all[w.Object.Name] = autoscaler{w.Object.Status.Selector, w.Object.Status.Replicas}
	}
	return all
}

// matches has, for each autoscaler, how many pods it counts; pods that two of them count are errors.
func matches(t *testing.T, w *plantest.World, autoscalers map[string]autoscaler) map[string]int32 {
	t.Helper()
	counted, by := map[string]int32{}, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(autoscalers)) {
		selector, err := labels.Parse(autoscalers[name].selector)
		if err != nil || selector.Empty() {
			t.Fatalf("%s has the selector %q: %v", name, autoscalers[name].selector, err)
		}
		for _, clique := range w.Cliques {
			for _, pod := range clique.Pods {
				if !selector.Matches(labels.Set(pod.Labels)) {
					continue
				}
				counted[name]++
				if by[pod.Name] != "" {
					t.Errorf("pod %s is counted by %s and by %s", pod.Name, by[pod.Name], name)
				}
				by[pod.Name] = name
			}
		}
	}
	return counted
}

// autoscale gives some cliques and scaling groups autoscalers, as admission would accept.
func autoscale(random *rand.Rand, set *v1alpha1.PodCliqueSet) {
	config := func() *v1alpha1.AutoScalingConfig { return &v1alpha1.AutoScalingConfig{MaxReplicas: 9} }
	t := plan.TemplateOf(set)
	for i := range t.Cliques() {
		if random.IntN(2) == 0 {
			t.Cliques()[i].Spec.AutoScalingConfig = config()
		}
	}
	for _, scalingGroup := range t.ScalingGroups {
		if random.IntN(3) > 0 {
			scalingGroup.ScaleConfig = config()
		}
		if members := t.Members(scalingGroup); t.GroupLead(scalingGroup) == nil {
			members[random.IntN(len(members))].Spec.AutoScalingConfig = nil
		}
	}
}

func TestNoPodIsCountedTwiceAndEachReplicaOnce(t *testing.T) {
	var whole, own int
	plantest.ForRandomSets(t, func(t *testing.T, random *rand.Rand, set *v1alpha1.PodCliqueSet) {
		autoscale(random, set)
		template := plan.TemplateOf(set)
		// A scaling group all of whose members without an autoscaler are off has no pod left to count.
		blind := map[string]bool{}
		for _, scalingGroup := range template.ScalingGroups {
			blind[plan.ScalingGroupName(set.Name, scalingGroup.Name)] = plan.ReplicasOf(template.GroupLead(scalingGroup).Spec.Replicas) == 0
		}
		w := plantest.NewWorld(set, plantest.Ready)
		w.Settle()
		autoscalers := autoscalersOf(w, true)
		counted := matches(t, w, autoscalers)
		for name, autoscaler := range autoscalers {
			switch {
			case blind[name]:
			case name == set.Name && counted[name] == 0:
				// Every pod that the template asks for in each replica is counted for others.
			case counted[name] != autoscaler.replicas:
				t.Errorf("%s counts %d pods, and has %d replicas", name, counted[name], autoscaler.replicas)
			case name == set.Name && autoscaler.replicas > 0:
				whole++
			case autoscaler.replicas > 0:
				own++
			}
		}
	})
	if whole < 100 || own < 300 {
		t.Errorf("%d sets and %d parts were counted: the test says little", whole, own)
	}
}

func TestCountsForSet(t *testing.T) {
	clique := func(name string, replicas int32, autoscaled bool) v1alpha1.PodCliqueTemplateSpec {
		c := v1alpha1.PodCliqueTemplateSpec{Name: name, Spec: v1alpha1.PodCliqueSpec{
			Replicas: &replicas, PodSpec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main"}}},
		}}
		if autoscaled {
			c.Spec.AutoScalingConfig = &v1alpha1.AutoScalingConfig{MaxReplicas: 9}
		}
		return c
	}
	group := func(replicas int32, autoscaled bool, cliques ...string) []v1alpha1.PodCliqueScalingGroupConfig {
		g := v1alpha1.PodCliqueScalingGroupConfig{Name: "g", PodCliqueScalingGroupSpec: v1alpha1.PodCliqueScalingGroupSpec{
			CliqueNames: cliques, Replicas: &replicas, MinAvailable: ptr.To(max(1, replicas)),
		}}
		if autoscaled {
			g.ScaleConfig = &v1alpha1.AutoScalingConfig{MaxReplicas: 9}
		}
		return []v1alpha1.PodCliqueScalingGroupConfig{g}
	}
	type cliques = []v1alpha1.PodCliqueTemplateSpec
	for name, test := range map[string]struct {
		cliques cliques
		groups  []v1alpha1.PodCliqueScalingGroupConfig
		want    string
	}{
		"the only clique":                      {cliques{clique("a", 2, false)}, nil, "s-a-0-0"},
		"the only clique, autoscaled":          {cliques{clique("a", 2, true)}, nil, ""},
		"one that isn't autoscaled":            {cliques{clique("a", 2, true), clique("b", 2, false)}, nil, "s-b-0-0"},
		"one that is on":                       {cliques{clique("a", 0, false), clique("b", 2, false)}, nil, "s-b-0-0"},
		"one outside of groups":                {cliques{clique("a", 1, false), clique("b", 1, false)}, group(1, true, "a"), "s-b-0-0"},
		"a member that isn't counted":          {cliques{clique("a", 1, false), clique("b", 1, false)}, group(1, true, "a", "b"), "s-b-0-0-0"},
		"the second pod of one that is":        {cliques{clique("a", 2, false)}, group(1, true, "a"), "s-a-0-0-1"},
		"another group replica of one that is": {cliques{clique("a", 1, false), clique("b", 1, true)}, group(2, true, "a", "b"), "s-b-0-1-0"},
		"the only pod, of a group":             {cliques{clique("a", 1, false)}, group(1, false, "a"), "s-a-0-0-0"},
		"the only pod, of a group that scales": {cliques{clique("a", 1, false)}, group(1, true, "a"), ""},
		"nothing of a group that is off":       {cliques{clique("a", 1, false)}, group(0, true, "a"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			set := &v1alpha1.PodCliqueSet{Spec: v1alpha1.PodCliqueSetSpec{Replicas: 1, Template: v1alpha1.PodCliqueSetTemplateSpec{
				Cliques: test.cliques, PodCliqueScalingGroups: test.groups,
			}}}
			set.Name, set.Namespace, set.UID = "s", "ns", "set"
			got := ""
			for _, clique := range plantest.NewWorld(set, plantest.Ready).Cliques {
				for _, pod := range clique.Pods {
					if pod.Labels[v1alpha1.LabelAutoscaledBy] == "s" {
						got += pod.Name
					}
				}
			}
			if got != test.want {
				t.Errorf("%q counts for the set, want %q", got, test.want)
			}
		})
	}
}
