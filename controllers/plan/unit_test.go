package plan_test

import (
	"testing"

	"k8s.io/utils/ptr"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// A frontend, and two scaling groups: decode, whose scaled unit waits for GPUs, and prefill.
func releasingGang() *v1alpha1.PodGang {
	return &v1alpha1.PodGang{
		ObjectMeta: metav1.ObjectMeta{Name: "s-0"},
		Spec: v1alpha1.PodGangSpec{
			PodGroups: []v1alpha1.PodGroup{
				podGroup("front", 1, "", 0), podGroup("decode-0", 2, "s-decode", 0), podGroup("prefill-0", 1, "s-prefill", 0),
			},
			ScaledGroups: []v1alpha1.ScaledGroup{
				{Name: "s-0-decode-1", PodGroups: []v1alpha1.PodGroup{podGroup("decode-1", 2, "s-decode", 1)}},
				{Name: "s-0-decode-2", PodGroups: []v1alpha1.PodGroup{podGroup("decode-2", 2, "s-decode", 2)}},
				{Name: "s-0-prefill-1", PodGroups: []v1alpha1.PodGroup{podGroup("prefill-1", 1, "s-prefill", 1)}},
			},
		},
	}
}

// scheduledGroups says which pod groups have how many pods scheduled.
func scheduledGroups(gang *v1alpha1.PodGang, scheduled map[string]int32) *v1alpha1.PodGang {
	for name, n := range scheduled {
		gang.Status.PodGroups = append(gang.Status.PodGroups, v1alpha1.PodGroupStatus{Name: name, Scheduled: n})
	}
	return gang
}

func TestReleased(t *testing.T) {
	base := plan.Membership{Unit: "s-0", Base: true}
	surplus := func(m plan.Membership) plan.Membership { m.Surplus = true; return m }
	scaled := plan.Membership{Unit: "s-0-decode-1"}
	beginning := scheduledGroups(releasingGang(), map[string]int32{"front": 1, "decode-0": 1, "prefill-0": 1})
	placed := scheduledGroups(releasingGang(), map[string]int32{"front": 1, "decode-0": 2, "prefill-0": 1, "prefill-1": 1})
	existed := scheduledGroups(releasingGang(), nil)
	existed.Status.PodGroups = []v1alpha1.PodGroupStatus{{Name: "front", Created: 3}, {Name: "decode-1", Created: 1}}
	const waitsForBase = "waits until gang unit s-0 is scheduled"
	for name, test := range map[string]struct {
		gang         *v1alpha1.PodGang
		podGroup     string
		index        int32
		membership   plan.Membership
		scalingGroup string
		want         string
	}{
		"base, no gang":    {nil, "front", 0, base, "", ""},
		"base":             {beginning, "decode-0", 1, base, "s-decode", ""},
		"surplus, no gang": {nil, "front", 1, surplus(base), "", "waits until the PodGang has the pod group front"},
		"surplus of a standalone clique, base waits":          {beginning, "front", 1, surplus(base), "", waitsForBase},
		"surplus of a standalone clique, a scaled unit waits": {placed, "front", 1, surplus(base), "", ""},
		"surplus of a member, base waits":                     {beginning, "decode-0", 2, surplus(base), "s-decode", waitsForBase},
		"surplus of a member, a scaled unit of its waits":     {placed, "decode-0", 2, surplus(base), "s-decode", "waits until gang unit s-0-decode-1 is scheduled"},
		"surplus of a scaled unit that waits":                 {placed, "decode-1", 2, surplus(scaled), "s-decode", "waits until gang unit s-0-decode-1 is scheduled"},
		"surplus of a member, others' scaled units wait":      {placed, "prefill-0", 1, surplus(base), "s-prefill", ""},
		"scaled, base waits":                                  {beginning, "decode-1", 0, scaled, "s-decode", waitsForBase},
		"scaled, base is placed":                              {placed, "decode-1", 0, scaled, "s-decode", ""},
		"scaled, behind one that waits":                       {placed, "decode-2", 0, plan.Membership{Unit: "s-0-decode-2"}, "s-decode", ""},
		"scaled, the gang doesn't know it yet":                {placed, "decode-3", 0, plan.Membership{Unit: "s-0-decode-3"}, "s-decode", "waits until the PodGang has the pod group decode-3"},
		"surplus that existed, base waits":                    {existed, "front", 2, surplus(base), "", ""},
		"surplus that never existed, base waits":              {existed, "front", 3, surplus(base), "", waitsForBase},
		"scaled that existed, base waits":                     {existed, "decode-1", 0, scaled, "s-decode", ""},
		"scaled that never existed, base waits":               {existed, "decode-1", 1, scaled, "s-decode", waitsForBase},
	} {
		t.Run(name, func(t *testing.T) {
			got := plan.ReleasedBy(test.gang).Waits(plan.PodIdentity{PodGroup: test.podGroup, Index: test.index}, test.membership, test.scalingGroup)
			if got != test.want {
				t.Errorf("it %q; want %q", got, test.want)
			}
		})
	}
}

func TestReleasedChanges(t *testing.T) {
	of := func(scheduled map[string]int32) plan.Released {
		return plan.ReleasedBy(scheduledGroups(releasingGang(), scheduled))
	}
	more := releasingGang()
	more.Spec.ScaledGroups = append(more.Spec.ScaledGroups, v1alpha1.ScaledGroup{Name: "s-0-prefill-2", PodGroups: []v1alpha1.PodGroup{podGroup("prefill-2", 1, "s-prefill", 2)}})
	base := map[string]int32{"front": 1, "decode-0": 2, "prefill-0": 1}
	for name, test := range map[string]struct {
		before, after plan.Released
		want          bool
	}{
		"nothing":              {of(base), of(base), false},
		"one more of a unit":   {of(map[string]int32{"front": 1}), of(map[string]int32{"front": 1, "decode-0": 1}), false},
		"the base is placed":   {of(nil), of(base), true},
		"the base is lost":     {of(base), of(nil), true},
		"the first scaled one": {of(base), of(map[string]int32{"front": 1, "decode-0": 2, "prefill-0": 1, "decode-1": 2}), true},
		"a gang appears":       {plan.ReleasedBy(nil), of(nil), true},
		"a pod group appears":  {of(nil), plan.ReleasedBy(more), true},
	} {
		if got := test.after.Changed(test.before); got != test.want {
			t.Errorf("%s: changed is %v", name, got)
		}
	}
}

func TestRaised(t *testing.T) {
	for _, test := range []struct{ replicas, minAvailable, want int32 }{{0, 3, 0}, {1, 3, 3}, {3, 3, 3}, {5, 3, 5}} {
		if got := plan.Raised(test.replicas, test.minAvailable); got != test.want {
			t.Errorf("%d replicas with minAvailable %d are %d, want %d", test.replicas, test.minAvailable, got, test.want)
		}
	}
	podClique := &v1alpha1.PodClique{Spec: v1alpha1.AppliedPodCliqueSpec{Replicas: ptr.To[int32](1), MinAvailable: ptr.To[int32](2)}}
	if got := plan.CliqueReplicas(podClique); got != 2 {
		t.Errorf("a PodClique of 1, which needs 2, has %d", got)
	}
	scalingGroup := &v1alpha1.PodCliqueScalingGroup{Spec: v1alpha1.PodCliqueScalingGroupSpec{Replicas: ptr.To[int32](1), MinAvailable: ptr.To[int32](2)}}
	if got := plan.ScalingGroupReplicas(scalingGroup); got != 2 {
		t.Errorf("a scaling group of 1, which needs 2, has %d", got)
	}
}
