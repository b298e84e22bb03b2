package suites

import (
	"context"
	"time"

	"grove.io/grove/e2e/cases"
	"grove.io/grove/e2e/cluster"
)

// Alone provides a local cluster without an operator, whose cases start their own and run one at a time.
type Alone struct {
	// Longer is how much longer than others its cases may take, once flags are read.
	Longer func() time.Duration

	local Local
}

// Start starts the cluster.
func (a *Alone) Start(ctx context.Context, _ string) (*cases.Env, error) {
	if err := a.local.Start(ctx, cluster.Options{Audit: true}); err != nil {
		return nil, err
	}
	env := a.local.Env()
	env.Longer = a.Longer()
	return env, nil
}

// Stop stops it.
func (a *Alone) Stop(ctx context.Context, _ bool) error { return a.local.Stop(ctx) }
