// Package kind runs the end-to-end cases that need real kubelets, on a kind cluster of its own with Grove installed from deploy.
package kind

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/e2e/cases"
	"grove.io/grove/e2e/cluster"
	"grove.io/grove/e2e/suites"
)

var testenv types.Environment

// atATime is how many cases run at a time, where they may at all: containers need the processors that they share.
const atATime = 3

// patience is how much longer a case may take here than on fake nodes: metrics of real pods come every ten seconds, and autoscalers look
// every fifteen.
const patience = 3 * time.Minute

func TestMain(m *testing.M) {
	suites.Main(m, &testenv, map[string]suites.Provider{"kind": &provider{}}, "", atATime)
}

// provider creates a cluster, and leaves the user's kubeconfig alone.
type provider struct {
	kind *cluster.Kind
	dir  string
}

func (p *provider) Start(ctx context.Context, _ string) (*cases.Env, error) {
	var err error
	if p.dir, err = os.MkdirTemp("", "grove-kind-"); err != nil {
		return nil, err
	}
	if p.kind, err = cluster.NewKind(ctx, "grove-"+rand.String(5), os.Stderr); err != nil {
		return nil, err
	}
	if err := p.kind.Create(ctx, filepath.Join(p.dir, "kubeconfig")); err != nil {
		return nil, err
	}
	for _, image := range []string{cluster.WorkloadImage, cluster.NextWorkloadImage, cluster.SameWorkloadImage, cluster.NextOperatorImage} {
		if err := p.kind.LoadImage(ctx, image); err != nil {
			return nil, err
		}
	}
	if err := p.kind.Install(ctx, cluster.OperatorImage); err != nil {
		return nil, err
	}
	config, err := p.kind.RESTConfig()
	if err != nil {
		return nil, err
	}
	return &cases.Env{Config: config, Kubectl: p.kind.Kubectl, Image: cluster.WorkloadImage, Kind: p.kind, Longer: patience}, nil
}

// Stop keeps the logs of a run that has failed.
func (p *provider) Stop(ctx context.Context, passed bool) error {
	if p.kind == nil {
		return nil
	}
	var errs []error
	if !passed {
		logs, err := os.MkdirTemp("", "grove-kind-logs-")
		if err == nil {
			err = p.kind.ExportLogs(ctx, logs)
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, p.kind.Delete(ctx), os.RemoveAll(p.dir))...)
}
