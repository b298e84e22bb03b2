// Package chaos runs what users, failing machines, networks and control planes do at random, on a local control plane of its own.
package chaos

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/e2e/cases"
	"grove.io/grove/e2e/suites"
)

var (
	seed     = flag.Uint64("seed", rand.Uint64N(1e6), "what happens; by default another each time")
	duration = flag.Duration("chaos-duration", 30*time.Second, "for how long things happen")
)

var testenv types.Environment

func TestMain(m *testing.M) {
	// What is going on when the time is up may take as long again, and what was lost several times in a row five minutes more; an operator
	// whose clock can be wrong is built, and the last one has to come to rest.
	longer := func() time.Duration { return 2**duration + 8*time.Minute }
	suites.Main(m, &testenv, map[string]suites.Provider{"local": &suites.Alone{Longer: longer}}, "local", 1)
}

func TestChaos(t *testing.T) { testenv.Test(t, cases.Chaos(*seed, *duration)) }
