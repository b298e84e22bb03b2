package local

import (
	"path/filepath"
	"testing"

	"grove.io/grove/e2e/cases"
)

// samples has manifests of one PodCliqueSet each, and sample is the complete example of the documentation.
const (
	samples = "../../../samples"
	sample  = samples + "/distributed-training.yaml"
)

func TestDeployment(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Deployment())
}

func TestExample(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Example(sample))
}

func TestSamples(t *testing.T) {
	t.Parallel()
	manifests, err := filepath.Glob(filepath.Join(samples, "*.yaml"))
	if err != nil || len(manifests) == 0 {
		t.Fatalf("%d samples, %v", len(manifests), err)
	}
	for _, manifest := range manifests {
		t.Run(filepath.Base(manifest), func(t *testing.T) { testenv.Test(t, cases.Sample(manifest)) })
	}
}

func TestUsersPods(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.UsersPods())
}

func TestScaleSet(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.ScaleSet())
}

func TestScaleGroup(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.ScaleGroup())
}

func TestScaleClique(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.ScaleClique())
}

func TestScaleMemberClique(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.ScaleMemberClique())
}

func TestAutoscaling(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Autoscaling())
}

func TestAutoscalerConflict(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.AutoscalerConflict())
}

func TestDrift(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Drift())
}

func TestNameConflicts(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.NameConflicts())
}

func TestSetsOfOneName(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.SetsOfOneName())
}

func TestDeletion(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Deletion())
}

func TestPodFailure(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.PodFailure())
}

func TestGangFull(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.GangFull())
}

func TestGangMinimum(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.GangMinimum())
}

func TestGangScale(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.GangScale())
}

func TestGangRivals(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.GangRivals())
}

func TestGangNodeLoss(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.GangNodeLoss())
}

func TestGangPriority(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.GangPriority())
}

func TestGangGate(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.GangGate())
}

func TestGangMetadata(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.GangMetadata())
}

func TestSpread(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Spread())
}

func TestPackWhole(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.PackWhole())
}

func TestPackPart(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.PackPart())
}

func TestDroppedGroups(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.DroppedGroups())
}

func TestStartupOrder(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.StartupOrder())
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Metrics())
}

func TestFieldManagers(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.FieldManagers("registry.k8s.io/pause:3.10"))
}

func TestUnavailable(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Unavailable())
}

func TestPackScaled(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.PackScaled())
}

func TestUsers(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Users())
}

func TestHeirs(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Heirs())
}

func TestForeignRole(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.ForeignRole())
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Completion())
}

func TestTermination(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Termination())
}

func TestRestartPolicy(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.RestartPolicy())
}

func TestRelocation(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Relocation())
}

// Protection holds for the whole cluster, so that it comes before those that run beside others.
func TestProtection(t *testing.T) {
	testenv.Test(t, cases.Protection("../../../deploy/protection"))
}

func TestRollingUpdate(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.RollingUpdate())
}

func TestUpdateInPlace(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.UpdateInPlace())
}

func TestUpdateStrategies(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.UpdateStrategies())
}

func TestRepair(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Repair())
}

func TestLostNodes(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.LostNodes())
}

func TestLostTerminating(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.LostTerminating())
}

func TestEvictions(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Evictions())
}

func TestUpdateOfBroken(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.UpdateOfBroken())
}

func TestUpdateCommands(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.UpdateCommands("../../../docs/updates.md"))
}

func TestUpdateHeldBack(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.UpdateHeldBack())
}

func TestBreaches(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Breaches())
}

func TestAlarms(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Alarms())
}

func TestBreachesOfNodes(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.BreachesOfNodes())
}

func TestHalfGang(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.HalfGang())
}

func TestDescriptions(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Descriptions())
}

func TestPlan(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Plan())
}

func TestFit(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Fit())
}

func TestPlugin(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Plugin())
}
