package startup

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"grove.io/grove/apis/grove/v1alpha1"
)

func TestArgsAreRead(t *testing.T) {
	order := Order{PodGroup: "s-w-0-1", PodCliques: []string{"s-a-0", "s-b-0"}, PodGroups: []string{"s-l-0-1"}}
	var read Order
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	read.AddFlags(flags)
	if err := flags.Parse(order.Args()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(order, read); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
}

func TestMissing(t *testing.T) {
	const own, ownScaled = "s-w-0-0", "s-w-0-2"
	spec := v1alpha1.PodGangSpec{
		PodGroups: []v1alpha1.PodGroup{
			{Name: "s-a-0", PodCliqueName: "s-a-0", MinReplicas: 2},
			{Name: "s-l-0-0", PodCliqueName: "s-l-0", MinReplicas: 1},
			{Name: own, PodCliqueName: "s-w-0", MinReplicas: 1},
			{Name: "s-l-0-1", PodCliqueName: "s-l-0", MinReplicas: 1},
			{Name: "s-w-0-1", PodCliqueName: "s-w-0", MinReplicas: 1},
		},
		ScaledGroups: []v1alpha1.ScaledGroup{{Name: "s-0-x-2", PodGroups: []v1alpha1.PodGroup{
			{Name: "s-l-0-2", PodCliqueName: "s-l-0", MinReplicas: 1},
			{Name: ownScaled, PodCliqueName: "s-w-0", MinReplicas: 1},
		}}},
	}
	ready := func(counts map[string]int32) *v1alpha1.PodGang {
		gang := &v1alpha1.PodGang{Spec: spec}
		for name, n := range counts {
			gang.Status.PodGroups = append(gang.Status.PodGroups, v1alpha1.PodGroupStatus{Name: name, Ready: n})
		}
		return gang
	}
	for name, test := range map[string]struct {
		order Order
		gang  *v1alpha1.PodGang
		want  []string
	}{
		"no gang":              {Order{PodGroup: own, PodCliques: []string{"s-a-0"}}, nil, []string{"the PodGang doesn't exist"}},
		"a gang of earlier":    {Order{PodGroup: "s-w-0-3", PodCliques: []string{"s-a-0"}}, ready(nil), []string{"the PodGang doesn't have the pod group s-w-0-3 yet"}},
		"no status":            {Order{PodGroup: own, PodCliques: []string{"s-a-0"}}, ready(nil), []string{"s-a-0: 0 of 2 pods ready"}},
		"too few":              {Order{PodGroup: own, PodCliques: []string{"s-a-0"}}, ready(map[string]int32{"s-a-0": 1}), []string{"s-a-0: 1 of 2 pods ready"}},
		"enough":               {Order{PodGroup: own, PodCliques: []string{"s-a-0"}}, ready(map[string]int32{"s-a-0": 2}), nil},
		"one that is off":      {Order{PodGroup: own, PodCliques: []string{"s-off-0"}}, ready(nil), nil},
		"base, not the scaled": {Order{PodGroup: "s-a-0", PodCliques: []string{"s-l-0"}}, ready(map[string]int32{"s-l-0-0": 1}), []string{"s-l-0-1: 0 of 1 pods ready"}},
		"all of the base":      {Order{PodGroup: "s-a-0", PodCliques: []string{"s-l-0"}}, ready(map[string]int32{"s-l-0-0": 1, "s-l-0-1": 1}), nil},
		"not its siblings":     {Order{PodGroup: ownScaled, PodGroups: []string{"s-l-0-2"}}, ready(map[string]int32{"s-l-0-2": 1}), nil},
		"its own group":        {Order{PodGroup: ownScaled, PodGroups: []string{"s-l-0-2"}}, ready(map[string]int32{"s-l-0-0": 1}), []string{"s-l-0-2: 0 of 1 pods ready"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.order.Missing(test.gang)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
