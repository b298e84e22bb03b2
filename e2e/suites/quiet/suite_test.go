// Package quiet runs the end-to-end cases that start operators of their own and count their requests, one after the other, on
// a local control plane with an audit log.
package quiet

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"

	"sigs.k8s.io/e2e-framework/pkg/env"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/e2e/cases"
	"grove.io/grove/e2e/cluster"
	"grove.io/grove/e2e/suites"
)

// sample is the complete example of the documentation.
const sample = "../../../samples/distributed-training.yaml"

var testenv types.Environment

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("e2e: skipped by -short: needs a cluster")
		return 0, nil
	}
	ctx, cancel := suites.Context()
	defer cancel()
	var local suites.Local
	defer func() { err = errors.Join(err, local.Stop(context.WithoutCancel(ctx))) }()
	if err := local.Start(ctx, cluster.Options{Audit: true}); err != nil {
		return 1, err
	}
	if testenv, err = env.NewWithContext(cases.NewContext(ctx, local.Env()), envconf.New()); err != nil {
		return 1, err
	}
	testenv.BeforeEachFeature(cases.InNamespace)
	return testenv.Run(m), nil
}

func TestQuietness(t *testing.T)      { testenv.Test(t, cases.Quietness(sample)) }
func TestInvalidChild(t *testing.T)   { testenv.Test(t, cases.InvalidChild()) }
func TestNamespaces(t *testing.T)     { testenv.Test(t, cases.Namespaces()) }
func TestLeaderElection(t *testing.T) { testenv.Test(t, cases.LeaderElection()) }
