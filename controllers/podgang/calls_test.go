package podgang_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/internal/clustertest"
	"grove.io/grove/controllers/internal/runner"
	"grove.io/grove/controllers/internal/scheduler"
	"grove.io/grove/controllers/plan/plantest"
	plangang "grove.io/grove/controllers/plan/podgang"
	"grove.io/grove/controllers/podgang"
)

// told is a scheduler that notes which units it is told of.
type told struct {
	scheduler.None
	mu    sync.Mutex
	units []string
}

func (s *told) Write(_ context.Context, _ apply.Owner, placements []plangang.Placement, _ plangang.Names) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.units = nil
	for _, placement := range placements {
		s.units = append(s.units, placement.Name)
	}
	return nil
}

func TestCalls(t *testing.T) {
	outdate := func(pod *corev1.Pod) { pod.Labels[v1alpha1.LabelPodTemplateHash] = "old" }
	for name, test := range map[string]struct {
		change func(w *plantest.World)
		want   []string
		units  []string
	}{
		"as it should be": {func(*plantest.World) {}, nil, []string{"train-0", "train-0-group-1"}},
		"outdated pods": {func(w *plantest.World) { outdate(w.Pod(t, "train-alone-0-0")); outdate(w.Pod(t, "train-lead-0-1-0")) },
			// The scaling group is first, and its group replica goes with all pods that are outdated.
			[]string{"delete pods train-lead-0-1-0 uid uid-of-train-lead-0-1-0"}, []string{"train-0", "train-0-group-1"}},
		"no set": {func(w *plantest.World) { w.Object.UID = "another" }, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := plantest.NewWorld(plantest.Workers(), plantest.Ready)
			w.GiveTurn(0)
			w.Settle()
			test.change(w)
			objects := []runtime.Object{w.Object, w.PodGangs["train-0"], w.ScalingGroups["train-group"]}
			for _, clique := range w.Cliques {
				if clique.Object.Labels[v1alpha1.LabelPodGang] != "train-0" {
					continue
				}
				objects = append(objects, clique.Object)
				for _, pod := range clique.Pods {
					pod.UID = types.UID("uid-of-" + pod.Name)
					objects = append(objects, pod)
				}
			}
			backend := &told{}
			loops := func(one *cluster.Cluster) []*runner.Loop { return podgang.New(one, backend, &apply.Pace{}) }
			got := clustertest.Calls(t, loops, objects...)
			got = slices.DeleteFunc(got, func(call string) bool { return call == "patch podgangs/status train-0" })
			if diff := cmp.Diff(test.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.units, backend.units, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("the scheduler was told of (-want +got):\n%s", diff)
			}
		})
	}
}
