package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
)

func TestShape(t *testing.T) {
	zone := []corev1.TopologySpreadConstraint{{TopologyKey: "zone", WhenUnsatisfiable: corev1.DoNotSchedule}}
	softZone := []corev1.TopologySpreadConstraint{{TopologyKey: "zone", WhenUnsatisfiable: corev1.ScheduleAnyway}}
	group := func(key string, required bool, cliques ...string) plan.Pack {
		return plan.Pack{Key: key, Required: required, PodCliques: cliques}
	}
	flat := plan.Scheduling{Gangs: true, Topology: true}
	for name, test := range map[string]struct {
		plan.Topology
		plan.Scheduling
		scaled bool
		want   string
		weaker string
	}{
		"nothing asked":                     {plan.Topology{}, plantest.Everything, false, `one group ""`, ""},
		"spread":                            {plan.Topology{Spread: zone}, plantest.Everything, false, `one group "zone"`, ""},
		"spread, a scaled unit":             {plan.Topology{Spread: zone}, plantest.Everything, true, `one group ""`, ""},
		"spread, if possible":               {plan.Topology{Spread: softZone}, plantest.Everything, false, `one group ""`, ""},
		"spread, no topology":               {plan.Topology{Spread: zone}, plan.Scheduling{Gangs: true}, false, `one group ""`, "one zone for all"},
		"pack, if possible":                 {plan.Topology{Packs: []plan.Pack{group("rack", false, "a", "b")}}, plantest.Everything, false, `one group ""`, ""},
		"pack all":                          {plan.Topology{Packs: []plan.Pack{group("rack", true, "a", "b")}}, flat, false, `one group "rack"`, ""},
		"pack all, a scaled unit of one":    {plan.Topology{Packs: []plan.Pack{group("rack", true, "a")}}, flat, true, `one group "rack"`, ""},
		"pack others, a scaled unit":        {plan.Topology{Packs: []plan.Pack{group("rack", true, "b")}}, plantest.Everything, true, `one group ""`, ""},
		"pack some":                         {plan.Topology{Packs: []plan.Pack{group("rack", true, "a")}}, plantest.Everything, false, `"" over a: "rack"`, ""},
		"pack some, no composites":          {plan.Topology{Packs: []plan.Pack{group("rack", true, "a")}}, flat, false, `one group ""`, "one rack for the pods of a"},
		"pack all and spread":               {plan.Topology{Spread: zone, Packs: []plan.Pack{group("rack", true, "a", "b")}}, plantest.Everything, false, `"zone" over a b: "rack"`, ""},
		"pack all and spread, no composite": {plan.Topology{Spread: zone, Packs: []plan.Pack{group("rack", true, "a", "b")}}, flat, false, `one group "rack"`, "one zone for all"},
		"two packs":                         {plan.Topology{Packs: []plan.Pack{group("rack", true, "a"), group("host", true, "b")}}, plantest.Everything, false, `"" over a: "rack" b: "host"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			podCliques := []string{"a", "b"}
			if test.scaled {
				podCliques = podCliques[:1]
			}
			shape := test.Shape(!test.scaled, podCliques, test.Scheduling)
			if diff := cmp.Diff(test.want, drawn(shape)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			weaker := test.Weaker(!test.scaled, podCliques, shape)
			if (test.weaker == "") != (len(weaker) == 0) || !strings.Contains(strings.Join(weaker, "; "), test.weaker) {
				t.Errorf("weaker: %q; want %q", weaker, test.weaker)
			}
		})
	}
}

// A replica that has to be inside of one zone has its packs inside of it, too.
func TestPacksOfTheKeyThatReplicasAreSpreadOver(t *testing.T) {
	set := plantest.Workers()
	pack := func(key string, cliques ...string) v1alpha1.NetworkPackGroupConfig {
		return v1alpha1.NetworkPackGroupConfig{CliqueNames: cliques, TopologyKey: key, WhenUnsatisfiable: corev1.DoNotSchedule}
	}
	set.Spec.Template.SchedulingPolicyConfig = &v1alpha1.SchedulingPolicyConfig{NetworkPackGroups: []v1alpha1.NetworkPackGroupConfig{
		pack("zone", "worker"), pack("host", "lead"),
	}}
	for when, want := range map[corev1.UnsatisfiableConstraintAction][]string{
		corev1.DoNotSchedule:  {"host"},
		corev1.ScheduleAnyway: {"zone", "host"},
	} {
		set.Spec.ReplicaSpreadConstraints = []corev1.TopologySpreadConstraint{{TopologyKey: "zone", WhenUnsatisfiable: when}}
		var got []string
		for _, p := range plan.TemplateOf(set).Topology(0, plantest.Everything).Packs {
			got = append(got, p.Key)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: packs (-want +got):\n%s", when, diff)
		}
	}
}

// drawn writes a shape down.
func drawn(s plan.Shape) string {
	if !s.Composite() {
		return fmt.Sprintf("one group %q", s.Key)
	}
	text := fmt.Sprintf("%q over", s.Key)
	for _, part := range s.Parts {
		text += fmt.Sprintf(" %s: %q", strings.Join(part.PodCliques, " "), part.Key)
	}
	return text
}

// What the pods of a gang that runs name decides its shape, whatever is discovered today.
func TestSchedulingOfAGangThatRuns(t *testing.T) {
	pod := func(group string) *corev1.Pod {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.LabelPodGang: "s-0"}}}
		if group != "" {
			pod.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &group}
		}
		return pod
	}
	ending := func(pod *corev1.Pod) *corev1.Pod {
		pod.DeletionTimestamp = ptr.To(metav1.NewTime(plantest.Now))
		return pod
	}
	const key = "rack"
	none := plan.Scheduling{Reason: v1alpha1.ReasonNotServed, Message: "why", NetworkTopologyKey: key}
	plain := plan.Scheduling{Gangs: true, NetworkTopologyKey: key}
	flat := plan.Scheduling{Gangs: true, Topology: true, NetworkTopologyKey: key}
	for name, test := range map[string]struct {
		found plan.Scheduling
		pods  []*corev1.Pod
		want  plan.Scheduling
	}{
		"no pods":                                  {plantest.Everything, nil, plantest.Everything},
		"pods without groups":                      {plantest.Everything, []*corev1.Pod{pod("")}, plantest.Everything},
		"no pods, nothing is found":                {none, nil, none},
		"one group, nothing is found any more":     {none, []*corev1.Pod{pod("s-0")}, plain},
		"one group, composites are found since":    {plantest.Everything, []*corev1.Pod{pod("s-0")}, flat},
		"parts, composites aren't found any more":  {flat, []*corev1.Pod{pod("s-0.pack-0"), pod("s-0.rest")}, plantest.Everything},
		"parts, nothing is found any more":         {none, []*corev1.Pod{pod("s-0.rest")}, plantest.Everything},
		"parts of pods that are on their way out":  {flat, []*corev1.Pod{ending(pod("s-0.rest"))}, flat},
		"a scaled unit of one group alone":         {plantest.Everything, []*corev1.Pod{pod("s-0-g-1")}, plantest.Everything},
		"a scaled unit, nothing is found any more": {none, []*corev1.Pod{pod("s-0-g-1")}, plain},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.found.For(test.pods)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
