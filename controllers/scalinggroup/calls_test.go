package scalinggroup_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/runtime"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/internal/clustertest"
	"grove.io/grove/controllers/internal/runner"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/scalinggroup"
)

func TestCalls(t *testing.T) {
	for name, test := range map[string]struct {
		change func(w *plantest.World)
		want   []string
	}{
		"told already": {func(*plantest.World) {}, nil},
		"not told yet": {func(w *plantest.World) {
			w.ScalingGroups["train-group"].Status = v1alpha1.PodCliqueScalingGroupStatus{}
		}, []string{"patch podcliquescalinggroups/status train-group"}},
		"a gang was lost": {func(w *plantest.World) { w.PodGangs["train-0"].Status = v1alpha1.PodGangStatus{} }, []string{"patch podcliquescalinggroups/status train-group"}},
		"there is no set": {func(w *plantest.World) {
			w.Object.UID = "another"
			w.ScalingGroups["train-group"].Status = v1alpha1.PodCliqueScalingGroupStatus{}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := plantest.NewWorld(plantest.Workers(), plantest.Ready)
			w.Settle()
			test.change(w)
			objects := []runtime.Object{w.Object, w.ScalingGroups["train-group"]}
			for _, podGang := range w.PodGangs {
				objects = append(objects, podGang)
			}
			loops := func(one *cluster.Cluster) []*runner.Loop { return scalinggroup.New(one, &apply.Pace{}) }
			if diff := cmp.Diff(test.want, clustertest.Calls(t, loops, objects...), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}
