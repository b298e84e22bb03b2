package local

import (
	"testing"

	"grove.io/grove/e2e/cases"
)

// sample is the complete example of the documentation.
const sample = "../../../samples/distributed-training.yaml"

func TestDeployment(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Deployment())
}

func TestExample(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.Example(sample))
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

func TestRollingUpdate(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.RollingUpdate())
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

func TestUpdateHeldBack(t *testing.T) {
	t.Parallel()
	testenv.Test(t, cases.UpdateHeldBack())
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
