package podcliqueset_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/plan/podcliqueset"
)

// budgets are those that a set asks for, with the pods that must be ready, by name.
func budgets(observed podcliqueset.Set) map[string]int32 {
	all := map[string]int32{}
	for _, budget := range observed.Children().DisruptionBudgets {
		all[*budget.Name] = budget.Spec.MinAvailable.IntVal
	}
	return all
}

func TestDisruptionBudgets(t *testing.T) {
	// Workers has, in each replica, a clique of 1 pod and 2 group replicas of 2 + 1 pods.
	for name, test := range map[string]struct {
		set  func(*v1alpha1.PodCliqueSet)
		live func(podcliqueset.Set)
		want map[string]int32
	}{
		"not asked for": {set: func(s *v1alpha1.PodCliqueSet) { s.Spec.Template.PodDisruptionBudget = nil }, want: map[string]int32{}},
		"minimum is all": {want: map[string]int32{
			"train-alone-0": 1, "train-group-0-group": 6, "train-alone-1": 1, "train-group-1-group": 6,
		}},
		"fewer replicas": {set: func(s *v1alpha1.PodCliqueSet) { s.Spec.Replicas = 1 }, want: map[string]int32{"train-alone-0": 1, "train-group-0-group": 6}},
		"one clique scaled": {live: func(s podcliqueset.Set) { s.PodCliques["train-alone-1"].Spec.Replicas = ptr.To[int32](5) }, want: map[string]int32{
			"train-alone-0": 1, "train-group-0-group": 6, "train-alone-1": 1, "train-group-1-group": 6,
		}},
		"one of two members scaled, the other can spare none": {live: func(s podcliqueset.Set) { s.PodCliques["train-worker-0"].Spec.Replicas = ptr.To[int32](5) }, want: map[string]int32{
			"train-alone-0": 1, "train-group-0-group": 12, "train-alone-1": 1, "train-group-1-group": 6,
		}},
		"both members scaled, the one that can spare less decides": {live: func(s podcliqueset.Set) {
			s.PodCliques["train-worker-0"].Spec.Replicas, s.PodCliques["train-lead-0"].Spec.Replicas = ptr.To[int32](5), ptr.To[int32](3)
		}, want: map[string]int32{
			"train-alone-0": 1, "train-group-0-group": 2*(5+3) - 2, "train-alone-1": 1, "train-group-1-group": 6,
		}},
		"the scaling group scaled": {live: func(s podcliqueset.Set) { s.ScalingGroups["train-group"].Spec.Replicas = ptr.To[int32](4) }, want: map[string]int32{
			"train-alone-0": 1, "train-group-0-group": 12, "train-alone-1": 1, "train-group-1-group": 12,
		}},
		"turned off": {live: func(s podcliqueset.Set) {
			s.ScalingGroups["train-group"].Spec.Replicas, s.PodCliques["train-alone-0"].Spec.Replicas = ptr.To[int32](0), ptr.To[int32](0)
		}, want: map[string]int32{"train-alone-1": 1}},
		"a member turned off": {live: func(s podcliqueset.Set) { s.PodCliques["train-lead-0"].Spec.Replicas = ptr.To[int32](0) }, want: map[string]int32{
			"train-alone-0": 1, "train-group-0-group": 4, "train-alone-1": 1, "train-group-1-group": 6,
		}},
		"scaled below the minimum is the minimum": {live: func(s podcliqueset.Set) { s.PodCliques["train-worker-0"].Spec.Replicas = ptr.To[int32](1) }, want: map[string]int32{
			"train-alone-0": 1, "train-group-0-group": 6, "train-alone-1": 1, "train-group-1-group": 6,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			set := plantest.Workers()
			set.Spec.Template.PodDisruptionBudget = &v1alpha1.PodDisruptionBudgetConfig{}
			if test.set != nil {
				test.set(set)
			}
			observed := plantest.Observed(set)
			if test.live != nil {
				// Somebody has scaled, so that the replicas aren't the set's.
				for _, podClique := range observed.PodCliques {
					podClique.ManagedFields = nil
				}
				for _, scalingGroup := range observed.ScalingGroups {
					scalingGroup.ManagedFields = nil
				}
				test.live(observed)
			}
			if diff := cmp.Diff(test.want, budgets(observed)); diff != "" {
				t.Errorf("pods that must be ready (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnhealthyPodEvictionPolicy(t *testing.T) {
	for given, want := range map[policyv1.UnhealthyPodEvictionPolicyType]policyv1.UnhealthyPodEvictionPolicyType{
		"": policyv1.IfHealthyBudget, policyv1.IfHealthyBudget: policyv1.IfHealthyBudget, policyv1.AlwaysAllow: policyv1.AlwaysAllow,
	} {
		set := plantest.Workers()
		set.Spec.Template.PodDisruptionBudget = &v1alpha1.PodDisruptionBudgetConfig{UnhealthyPodEvictionPolicy: given}
		for _, budget := range plantest.Observed(set).Children().DisruptionBudgets {
			if got := *budget.Spec.UnhealthyPodEvictionPolicy; got != want {
				t.Errorf("%q: %s has %q", given, *budget.Name, got)
			}
		}
	}
}

// What the template doesn't ask for any more goes, and nothing else.
func TestSurplusBudgets(t *testing.T) {
	set := plantest.Workers()
	set.Spec.Template.PodDisruptionBudget = &v1alpha1.PodDisruptionBudgetConfig{}
	observed := plantest.Observed(set)
	for _, name := range []string{"train-group-1-group", "train-alone-0", "train-alone-1", "train-group-0-group", "train-alone-7"} {
		observed.DisruptionBudgets = append(observed.DisruptionBudgets, &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	surplus := func() []string {
		var names []string
		for _, budget := range observed.Children().SurplusBudgets {
			names = append(names, budget.Name)
		}
		return names
	}
	if diff := cmp.Diff([]string{"train-alone-7"}, surplus()); diff != "" {
		t.Errorf("surplus (-want +got):\n%s", diff)
	}
	set.Spec.Replicas = 1
	if diff := cmp.Diff([]string{"train-alone-1", "train-alone-7", "train-group-1-group"}, surplus()); diff != "" {
		t.Errorf("surplus once there is one replica (-want +got):\n%s", diff)
	}
	set.Spec.Template.PodDisruptionBudget = nil
	if got := surplus(); len(got) != 5 {
		t.Errorf("surplus without a config: %v", got)
	}
}

// Whatever a set looks like, each pod is in one budget, and whichever pods of a budget are evicted, none of its cliques has fewer than its
// minimum in any group replica.
func TestNoEvictionTakesAPodGroupBelowItsMinimum(t *testing.T) {
	plantest.ForRandomSets(t, func(t *testing.T, _ *rand.Rand, set *v1alpha1.PodCliqueSet) {
		set.Spec.Template.PodDisruptionBudget = &v1alpha1.PodDisruptionBudgetConfig{}
		observed := plantest.Observed(set)
		var all []*policyv1.PodDisruptionBudget
		names := map[string]bool{}
		for _, config := range observed.Children().DisruptionBudgets {
			all = append(all, plan.Configuration[policyv1.PodDisruptionBudget](config))
			names[*config.Name] = true
		}
		if len(names) != len(all) {
			t.Errorf("%d budgets have %d names", len(all), len(names))
		}
		pods := map[string]int32{}
		spare := map[string]int32{}
		for _, clique := range plantest.Cliques(observed, plantest.AllPods) {
			for id := range clique.Identities() {
				pod := clique.PodsByName()[id.Name]
				budget := budgetOf(t, all, pod)
				if budget == nil {
					continue
				}
				pods[budget.Name]++
				of := clique.Replicas() - clique.MinAvailable()
				if least, ok := spare[budget.Name]; !ok || of < least {
					spare[budget.Name] = of
				}
			}
		}
		for _, budget := range all {
			key := budget.Name
			if allowed := pods[key] - budget.Spec.MinAvailable.IntVal; allowed != spare[key] || pods[key] == 0 {
				t.Errorf("%s allows %d of %d pods to go; %d can", budget.Name, allowed, pods[key], spare[key])
			}
		}
	})
}

// budgetOf is the only budget that a pod is in.
func budgetOf(t *testing.T, all []*policyv1.PodDisruptionBudget, pod *corev1.Pod) (found *policyv1.PodDisruptionBudget) {
	t.Helper()
	for _, budget := range all {
		selector, err := metav1.LabelSelectorAsSelector(budget.Spec.Selector)
		if err != nil {
			t.Fatal(err)
		}
		if !selector.Matches(labels.Set(pod.Labels)) {
			continue
		}
		if found != nil {
			t.Errorf("pod %s is in %s and in %s", pod.Name, found.Name, budget.Name)
		}
		found = budget
	}
	if found == nil {
		t.Errorf("pod %s is in no budget", pod.Name)
	}
	return found
}
