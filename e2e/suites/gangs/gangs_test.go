// Package gangs runs the end-to-end cases on control planes that can do less for gangs than others, one after the other.
package gangs

import (
	"context"
	"testing"

	"sigs.k8s.io/e2e-framework/pkg/env"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/e2e/cases"
	"grove.io/grove/e2e/cluster"
	"grove.io/grove/e2e/suites"
)

func TestGangsWithoutTopology(t *testing.T) {
	on(t, cluster.GangsFlat, cases.GangFull(), cases.WeakTopology())
}

func TestGangsNotServed(t *testing.T) { on(t, cluster.GangsNone, cases.NoGangs()) }

// on runs features on a cluster of their own.
func on(t *testing.T, gangs cluster.GangSupport, features ...types.Feature) {
	if testing.Short() {
		t.Skip("needs a cluster")
	}
	ctx, cancel := suites.Context()
	defer cancel()
	var local suites.Local
	t.Cleanup(func() {
		if err := local.Stop(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
	if err := local.Start(ctx, cluster.Options{Gangs: gangs}); err != nil {
		t.Fatal(err)
	}
	if _, err := local.StartOperator(ctx); err != nil {
		t.Fatal(err)
	}
	testenv, err := env.NewWithContext(cases.NewContext(ctx, local.Env()), envconf.New())
	if err != nil {
		t.Fatal(err)
	}
	testenv.BeforeEachFeature(cases.InNamespace)
	testenv.Test(t, features...)
}
