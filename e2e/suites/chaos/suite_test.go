// Package chaos runs what users and failing machines do at random, on a local control plane of its own.
package chaos

import (
	"context"
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/e2e/cases"
	"grove.io/grove/e2e/cluster"
	"grove.io/grove/e2e/suites"
)

var (
	seed     = flag.Uint64("seed", rand.Uint64N(1e6), "what happens; by default another each time")
	duration = flag.Duration("chaos-duration", 30*time.Second, "for how long things happen")
)

var testenv types.Environment

func TestMain(m *testing.M) {
	suites.Main(m, &testenv, map[string]suites.Provider{"local": &provider{}}, "local", 1)
}

// provider starts a cluster without an operator.
type provider struct{ local suites.Local }

func (p *provider) Start(ctx context.Context, _ string) (*cases.Env, error) {
	if err := p.local.Start(ctx, cluster.Options{Audit: true}); err != nil {
		return nil, err
	}
	env := p.local.Env()
	// What is going on when the time is up may take as long again, and what was lost several times in a row five minutes more.
	env.Longer = 2**duration + 5*time.Minute
	return env, nil
}

func (p *provider) Stop(ctx context.Context, _ bool) error { return p.local.Stop(ctx) }

func TestChaos(t *testing.T) { testenv.Test(t, cases.Chaos(*seed, *duration)) }
