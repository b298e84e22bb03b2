// Package quiet runs the end-to-end cases that start operators of their own and count their requests, one after the other, on
// a local control plane with an audit log.
package quiet

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/e2e/cases"
	"grove.io/grove/e2e/suites"
)

// sample is the complete example of the documentation.
const sample = "../../../samples/distributed-training.yaml"

var (
	seed    = flag.Uint64("seed", rand.Uint64N(1e6), "when the operator is killed during updates; by default otherwise each time")
	updates = flag.Int("interrupted-updates", 1, "during how many updates the operator is killed")
)

// autoscalingPage is the documentation of autoscaling.
const autoscalingPage = "../../../docs/autoscaling.md"

var testenv types.Environment

func TestMain(m *testing.M) {
	longer := func() time.Duration { return time.Duration(*updates) * 2 * time.Minute }
	suites.Main(m, &testenv, map[string]suites.Provider{"local": &suites.Alone{Longer: longer}}, "local", 1)
}

func TestQuietness(t *testing.T)      { testenv.Test(t, cases.Quietness(sample)) }
func TestInvalidChild(t *testing.T)   { testenv.Test(t, cases.InvalidChild()) }
func TestNamespaces(t *testing.T)     { testenv.Test(t, cases.Namespaces()) }
func TestLeaderElection(t *testing.T) { testenv.Test(t, cases.LeaderElection()) }
func TestPromptness(t *testing.T)     { testenv.Test(t, cases.Promptness()) }

func TestTerminationAfterRestart(t *testing.T) { testenv.Test(t, cases.TerminationAfterRestart()) }

func TestAutoscalingByMetrics(t *testing.T) {
	testenv.Test(t, cases.AutoscalingByMetrics())
}

func TestUpgradeToUpdates(t *testing.T)  { testenv.Test(t, cases.UpgradeToUpdates()) }
func TestUpdateInterrupted(t *testing.T) { testenv.Test(t, cases.UpdateInterrupted(*seed, *updates)) }

func TestRefusedProbe(t *testing.T) { testenv.Test(t, cases.RefusedProbe()) }
func TestSpreadAlone(t *testing.T)  { testenv.Test(t, cases.SpreadAlone()) }
func TestTooLarge(t *testing.T)     { testenv.Test(t, cases.TooLarge()) }

func TestAutoscalingByKEDA(t *testing.T) { testenv.Test(t, cases.AutoscalingByKEDA(autoscalingPage)) }

func TestScaledReplicas(t *testing.T) { testenv.Test(t, cases.ScaledReplicas()) }
