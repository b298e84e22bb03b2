// Package local runs the end-to-end cases on a local control plane with fake nodes, or on a cluster that exists.
package local

import (
	"context"
	"errors"
	"testing"

	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/e2e/cases"
	"grove.io/grove/e2e/cluster"
	"grove.io/grove/e2e/suites"
)

var testenv types.Environment

// atATime is how many cases run at a time: they wait most of it, so that many of them fit on few processors.
const atATime = 8

func TestMain(m *testing.M) {
	suites.Main(m, &testenv, map[string]suites.Provider{"local": &localProvider{}, "existing": suites.Existing{}}, "local", atATime)
}

// localProvider starts everything, once, for all cases. The operator has the rights and flags that deploy gives it.
type localProvider struct{ local suites.Local }

func (p *localProvider) Start(ctx context.Context, _ string) (*cases.Env, error) {
	if err := p.local.Start(ctx, cluster.Options{Audit: true}); err != nil {
		return nil, err
	}
	if err := p.local.StartInstalled(ctx); err != nil {
		return nil, err
	}
	return p.local.Env(), nil
}

func (p *localProvider) Stop(ctx context.Context, passed bool) error {
	var err error
	if passed && suites.RanAll() {
		err = p.local.CheckRole(ctx)
	}
	return errors.Join(err, p.local.Stop(ctx))
}
