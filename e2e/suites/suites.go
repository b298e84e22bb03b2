// Package suites has what the end-to-end suites have in common.
package suites

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/e2e-framework/pkg/env"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/e2e/cases"
	"grove.io/grove/e2e/cluster"
)

// stopTimeout bounds the clean-up.
const stopTimeout = time.Minute

// Provider is where a suite runs.
type Provider interface {
	// Start returns what the cases work with. The path of a kubeconfig may be empty.
	Start(ctx context.Context, kubeconfig string) (*cases.Env, error)
	// Stop ends what Start began, after tests that have all passed or not.
	Stop(ctx context.Context, passed bool) error
}

// Main runs the tests of a suite where the flag -provider says, at most some at a time, and exits. It is called by TestMain, and
// sets the environment that the tests use. Without a usual provider nothing is run unless one is chosen.
func Main(m *testing.M, testenv *types.Environment, providers map[string]Provider, usual string, atATime int) {
	code, err := run(m, testenv, providers, usual, atATime)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func run(m *testing.M, testenv *types.Environment, providers map[string]Provider, usual string, atATime int) (code int, err error) {
	known := strings.Join(slices.Sorted(maps.Keys(providers)), ", ")
	name := flag.String("provider", usual, "where to run: "+known)
	cfg, err := envconf.NewFromFlags()
	if err != nil {
		return 1, err
	}
	if testing.Short() {
		fmt.Println("e2e: skipped by -short: needs a cluster")
		return 0, nil
	}
	if *name == "" {
		fmt.Println("e2e: skipped: -provider can be " + known)
		return 0, nil
	}
	provider, ok := providers[*name]
	if !ok {
		return 1, fmt.Errorf("unknown -provider %q: it can be %s", *name, known)
	}
	ctx, cancel := Context()
	defer cancel()
	defer func() { err = errors.Join(err, provider.Stop(context.WithoutCancel(ctx), code == 0 && err == nil)) }()
	given, err := provider.Start(ctx, cfg.KubeconfigFile())
	if err != nil {
		return 1, err
	}
	if *testenv, err = env.NewWithContext(cases.NewContext(ctx, given), cfg); err != nil {
		return 1, err
	}
	(*testenv).BeforeEachFeature(cases.InNamespace)
	if err := flag.Set("test.parallel", fmt.Sprint(atATime)); err != nil {
		return 1, err
	}
	return (*testenv).Run(m), nil
}

// Context ends on ctrl-C, on SIGTERM, and a little before `go test -timeout` would kill the process, so that the cases
// fail with what they were waiting for, and the cluster is stopped.
func Context() (context.Context, context.CancelFunc) {
	const reserve = 30 * time.Second
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	timeout := flag.Lookup("test.timeout").Value.(flag.Getter).Get().(time.Duration)
	if timeout <= reserve {
		return ctx, stop
	}
	ctx, cancel := context.WithTimeout(ctx, timeout-reserve)
	return ctx, func() { cancel(); stop() }
}

// Local is a local cluster with fake nodes, Grove's CRDs, and operators with the race detector.
type Local struct {
	cluster   *cluster.Cluster
	binary    string
	initc     string
	plugin    func() (string, error)
	skewed    func() (string, error)
	operators []*cluster.Operator
	// installed is the operator that StartInstalled has started.
	installed *cluster.Operator
}

// Start starts the cluster, without an operator.
func (l *Local) Start(ctx context.Context, opts cluster.Options) (err error) {
	opts.Progress = os.Stderr
	if l.cluster, err = cluster.Start(ctx, opts); err != nil {
		return err
	}
	if err := l.cluster.AddNodes(ctx, cluster.DefaultFleet().Nodes()...); err != nil {
		return err
	}
	if err := l.cluster.InstallCRDs(ctx); err != nil {
		return err
	}
	if l.initc, err = l.cluster.Build(ctx, cluster.InitProgram, false); err != nil {
		return err
	}
	// Few suites have a case that runs it.
	l.plugin = sync.OnceValues(func() (string, error) { return l.cluster.Build(ctx, cluster.PluginProgram, false) })
	l.skewed = sync.OnceValues(func() (string, error) { return l.cluster.BuildSkewed(ctx) })
	l.binary, err = l.cluster.Build(ctx, cluster.OperatorProgram, true)
	return err
}

// StartOperator runs an operator until it is stopped, at the latest with the cluster.
func (l *Local) StartOperator(ctx context.Context, flags ...string) (*cluster.Operator, error) {
	operator, err := l.cluster.StartOperator(ctx, l.binary, flags...)
	if err != nil {
		return nil, err
	}
	l.operators = append(l.operators, operator)
	return operator, nil
}

// StartSkewed runs an operator whose clock is ahead by some time, or behind, until it is stopped, at the latest with the cluster.
func (l *Local) StartSkewed(ctx context.Context, ahead time.Duration, flags ...string) (*cluster.Operator, error) {
	binary, err := l.skewed()
	if err != nil {
		return nil, err
	}
	operator, err := l.cluster.StartSkewedOperator(ctx, binary, ahead, flags...)
	if err != nil {
		return nil, err
	}
	l.operators = append(l.operators, operator)
	return operator, nil
}

// StartEarlier runs the operator as it was at a commit until it is stopped, at the latest with the cluster. The error is
// cluster.ErrNoCommit where the repository doesn't have the commit.
func (l *Local) StartEarlier(ctx context.Context, commit string) (*cluster.Operator, error) {
	binary, err := l.cluster.BuildAt(ctx, cluster.OperatorProgram, commit)
	if err != nil {
		return nil, err
	}
	operator, err := l.cluster.StartOperator(ctx, binary)
	if err != nil {
		return nil, err
	}
	l.operators = append(l.operators, operator)
	return operator, nil
}

// StartInstalled installs what deploy has, and runs an operator with the rights and the flags that it has there. The Deployment's
// pods do nothing on fake nodes.
func (l *Local) StartInstalled(ctx context.Context) error {
	if err := l.cluster.Install(ctx); err != nil {
		return err
	}
	kubeconfig, err := l.cluster.KubeconfigOf(ctx, cluster.OperatorNamespace, cluster.OperatorName)
	if err != nil {
		return err
	}
	l.installed, err = l.StartOperator(ctx, "--kubeconfig="+kubeconfig, "--leader-elect", "--leader-elect-namespace="+cluster.OperatorNamespace, "--metrics-auth",
		"--lost-node-grace="+cases.LostNodeGrace.String())
	return err
}

// CheckRole returns an error unless the operator that StartInstalled has started used all of its rights.
func (l *Local) CheckRole(ctx context.Context) error { return checkRole(ctx, l.cluster) }

// RanAll tells whether flags have left out no test.
func RanAll() bool {
	return flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == ""
}

// Env is what cases work with.
func (l *Local) Env() *cases.Env {
	env := &cases.Env{
		Config:            l.cluster.RESTConfig(),
		Kubectl:           l.cluster.Kubectl,
		Shell:             l.cluster.Shell,
		AuditLog:          l.cluster.AuditLog,
		InitProgram:       l.initc,
		Plugin:            l.runPlugin,
		StartOperator:     l.StartOperator,
		StartSkewed:       l.StartSkewed,
		StartEarlier:      l.StartEarlier,
		KillControlPlane:  l.cluster.KillControlPlane,
		StartControlPlane: l.cluster.StartControlPlane,
	}
	if l.installed != nil {
		env.MetricsURL = "https://" + l.installed.MetricsAddress + "/metrics"
	}
	return env
}

// runPlugin builds the kubectl plugin, once, and runs it.
func (l *Local) runPlugin(ctx context.Context, args ...string) (string, error) {
	path, err := l.plugin()
	if err != nil {
		return "", err
	}
	return l.cluster.Run(ctx, path, args...)
}

// Stop reports what an operator did wrong, too: a data race, or an end other than a graceful one.
func (l *Local) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	var errs []error
	for _, operator := range l.operators {
		errs = append(errs, operator.Stop(ctx))
	}
	if l.cluster != nil {
		errs = append(errs, l.cluster.Stop(ctx))
	}
	return errors.Join(errs...)
}
