package podcliqueset_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/plan/podcliqueset"
)

// autoscaled is a set named train of 2 replicas, whose standalone clique and whose scaling group are autoscaled.
func autoscaled(clique, group v1alpha1.AutoScalingConfig) *v1alpha1.PodCliqueSet {
	set := plantest.Workers()
	set.Spec.Template.Cliques[2].Spec.AutoScalingConfig = &clique
	set.Spec.Template.PodCliqueScalingGroups[0].ScaleConfig = &group
	return set
}

// described has statuses that say how the children are scaled.
func described(set *v1alpha1.PodCliqueSet) podcliqueset.Set {
	w := plantest.NewWorld(set, plantest.Ready)
	w.Settle()
	return w.Set
}

// live has the autoscalers, too.
func live(observed podcliqueset.Set) podcliqueset.Set {
	observed.Autoscalers = plantest.Live(observed.Object, observed.Children()).Autoscalers
	return observed
}

func TestAutoscalers(t *testing.T) {
	metrics := []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
		Name:   corev1.ResourceCPU,
		Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: ptr.To[int32](70)},
	}}}
	behavior := &autoscalingv2.HorizontalPodAutoscalerBehavior{
		ScaleDown: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: ptr.To[int32](60)},
	}
	set := autoscaled(
		v1alpha1.AutoScalingConfig{MinReplicas: ptr.To[int32](2), MaxReplicas: 4, Metrics: metrics, Behavior: behavior},
		v1alpha1.AutoScalingConfig{MaxReplicas: 9})
	got := live(described(set)).Autoscalers
	want := map[string]autoscalingv2.HorizontalPodAutoscalerSpec{
		"train-group": {
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "grove.io/v1alpha1", Kind: "PodCliqueScalingGroup", Name: "train-group"},
			MinReplicas:    ptr.To[int32](1), MaxReplicas: 9,
		},
	}
	for _, name := range []string{"train-alone-0", "train-alone-1"} {
		want[name] = autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "grove.io/v1alpha1", Kind: "PodClique", Name: name},
			MinReplicas:    ptr.To[int32](2), MaxReplicas: 4, Metrics: metrics, Behavior: behavior,
		}
	}
	specs := map[string]autoscalingv2.HorizontalPodAutoscalerSpec{}
	for name, autoscaler := range got {
		specs[name] = autoscaler.Spec
		if !metav1.IsControlledBy(autoscaler, set) || autoscaler.Labels[v1alpha1.LabelPodCliqueSet] != "train" || autoscaler.Labels[v1alpha1.LabelManagedBy] != v1alpha1.ManagedBy {
			t.Errorf("%s isn't marked as the set's: %+v", name, autoscaler.ObjectMeta)
		}
	}
	if diff := cmp.Diff(want, specs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The API server fills empty rules, so that they would seem to differ from what was applied.
func TestRulesThatSayNothingAreLeftOut(t *testing.T) {
	type behavior = autoscalingv2.HorizontalPodAutoscalerBehavior
	said := &autoscalingv2.HPAScalingRules{SelectPolicy: ptr.To(autoscalingv2.DisabledPolicySelect)}
	nothing := &autoscalingv2.HPAScalingRules{Policies: []autoscalingv2.HPAScalingPolicy{}}
	for name, test := range map[string]struct{ asked, want *behavior }{
		"not asked":        {nil, nil},
		"nothing":          {&behavior{}, nil},
		"empty rules":      {&behavior{ScaleUp: nothing, ScaleDown: &autoscalingv2.HPAScalingRules{}}, nil},
		"one":              {&behavior{ScaleDown: said}, &behavior{ScaleDown: said}},
		"one and an empty": {&behavior{ScaleUp: nothing, ScaleDown: said}, &behavior{ScaleDown: said}},
		"both":             {&behavior{ScaleUp: said, ScaleDown: said}, &behavior{ScaleUp: said, ScaleDown: said}},
	} {
		t.Run(name, func(t *testing.T) {
			set := autoscaled(v1alpha1.AutoScalingConfig{MaxReplicas: 4, Behavior: test.asked}, v1alpha1.AutoScalingConfig{MaxReplicas: 4})
			if diff := cmp.Diff(test.want, live(described(set)).Autoscalers["train-alone-0"].Spec.Behavior); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFloors(t *testing.T) {
	for name, test := range map[string]struct {
		asked         *int32
		minAvailable  int32
		want          int32
		raised        string
		ofScalingTeam bool
	}{
		"not asked":             {nil, 1, 1, "", false},
		"not asked, raised":     {nil, 3, 3, "", false},
		"asked":                 {ptr.To[int32](4), 3, 4, "", false},
		"below the minimum":     {ptr.To[int32](2), 3, 3, "autoscalers go down to minAvailable and no further; clique alone: minReplicas is 2, and minAvailable 3", false},
		"below a group's":       {ptr.To[int32](1), 2, 2, "autoscalers go down to minAvailable and no further; scaling group group: minReplicas is 1, and minAvailable 2", true},
		"0, which turns it off": {ptr.To[int32](0), 3, 0, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			asked := v1alpha1.AutoScalingConfig{MinReplicas: test.asked, MaxReplicas: 9}
			set, target := autoscaled(asked, v1alpha1.AutoScalingConfig{MaxReplicas: 9}), "train-alone-0"
			if test.ofScalingTeam {
				set, target = autoscaled(v1alpha1.AutoScalingConfig{MaxReplicas: 9}, asked), "train-group"
				set.Spec.Template.PodCliqueScalingGroups[0].MinAvailable = &test.minAvailable
			} else {
				set.Spec.Template.Cliques[2].Spec.Replicas = ptr.To[int32](5)
				set.Spec.Template.Cliques[2].Spec.MinAvailable = &test.minAvailable
			}
			observed := live(described(set))
			if got := *observed.Autoscalers[target].Spec.MinReplicas; got != test.want {
				t.Errorf("the floor is %d, want %d", got, test.want)
			}
			message := ""
			if condition := meta.FindStatusCondition(set.Status.Conditions, v1alpha1.ConditionAutoscalingFloorRaised); condition != nil {
				message = condition.Message
			}
			if message != test.raised {
				t.Errorf("the set says %q, want %q", message, test.raised)
			}
		})
	}
}

// kube-controller-manager warns of a target whose status has no selector yet.
func TestAutoscalersWaitForSelectors(t *testing.T) {
	set := autoscaled(v1alpha1.AutoScalingConfig{MaxReplicas: 4}, v1alpha1.AutoScalingConfig{MaxReplicas: 4})
	if got := plantest.Observed(set).Children().Autoscalers; len(got) > 0 {
		t.Errorf("%s is applied ahead of its target's selector", *got[0].Name)
	}
	observed := live(described(set))
	observed.PodCliques["train-alone-1"].Status = v1alpha1.PodCliqueStatus{}
	if got := observed.Children().Autoscalers; len(got) != 3 {
		t.Errorf("%d autoscalers of 3 stay: a PodClique that was made again has no status yet", len(got))
	}
}

func TestAutoscalersThatGo(t *testing.T) {
	all := func() podcliqueset.Set {
		return live(described(autoscaled(v1alpha1.AutoScalingConfig{MaxReplicas: 4}, v1alpha1.AutoScalingConfig{MaxReplicas: 4})))
	}
	for name, test := range map[string]struct {
		change func(observed podcliqueset.Set)
		want   []string
	}{
		"nothing":                   {func(podcliqueset.Set) {}, nil},
		"one clique isn't any more": {func(s podcliqueset.Set) { s.Object.Spec.Template.Cliques[2].Spec.AutoScalingConfig = nil }, []string{"train-alone-0", "train-alone-1"}},
		"nor the scaling group":     {func(s podcliqueset.Set) { s.Object.Spec.Template.PodCliqueScalingGroups[0].ScaleConfig = nil }, []string{"train-group"}},
		"a replica goes":            {func(s podcliqueset.Set) { s.Object.Spec.Replicas = 1 }, []string{"train-alone-1"}},
		"it is going already": {func(s podcliqueset.Set) {
			s.Object.Spec.Replicas = 1
			s.Autoscalers["train-alone-1"].DeletionTimestamp = &metav1.Time{}
		}, nil},
		"it is somebody else's": {func(s podcliqueset.Set) {
			s.Object.Spec.Replicas = 1
			s.Autoscalers["train-alone-1"].OwnerReferences = nil
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			observed := all()
			test.change(observed)
			var got []string
			for _, autoscaler := range observed.Removals().Autoscalers {
				got = append(got, autoscaler.Name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
