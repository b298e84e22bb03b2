package metrics

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/component-base/metrics/testutil"

	"grove.io/grove/apis/grove/v1alpha1"
)

func storeOf(t *testing.T, phases ...v1alpha1.PodGangPhase) cache.Store {
	t.Helper()
	store := cache.NewStore(cache.MetaNamespaceKeyFunc)
	for i, phase := range phases {
		gang := &v1alpha1.PodGang{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: fmt.Sprint(i)}, Status: v1alpha1.PodGangStatus{Phase: phase}}
		if err := store.Add(gang); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

func checkGangs(t *testing.T, failed, pending, running, starting, succeeded int) {
	t.Helper()
	err := testutil.GatherAndCompare(legacyregistry.DefaultGatherer, strings.NewReader(fmt.Sprintf(`
# HELP grove_podgangs [ALPHA] PodGangs by their phase, in the cache of the replica that leads; 0 for each phase in the others.
# TYPE grove_podgangs gauge
grove_podgangs{phase="Failed"} %d
grove_podgangs{phase="Pending"} %d
grove_podgangs{phase="Running"} %d
grove_podgangs{phase="Starting"} %d
grove_podgangs{phase="Succeeded"} %d
`, failed, pending, running, starting, succeeded)), "grove_podgangs")
	if err != nil {
		t.Error(err)
	}
}

func TestGangsAreCountedByPhaseWhileTheOperatorRuns(t *testing.T) {
	checkGangs(t, 0, 0, 0, 0, 0)
	one := CountGangs(storeOf(t, "", v1alpha1.PodGangPending, v1alpha1.PodGangRunning, v1alpha1.PodGangRunning, v1alpha1.PodGangSucceeded))
	checkGangs(t, 0, 2, 2, 0, 1)
	other := CountGangs(storeOf(t, v1alpha1.PodGangRunning, v1alpha1.PodGangFailed, v1alpha1.PodGangStarting))
	checkGangs(t, 1, 2, 3, 1, 1)
	one()
	checkGangs(t, 1, 0, 1, 1, 0)
	other()
	checkGangs(t, 0, 0, 0, 0, 0)
}
