// Package suites has what the end-to-end suites have in common.
package suites

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/signal"
	"syscall"
	"time"

	"grove.io/grove/e2e/cases"
	"grove.io/grove/e2e/cluster"
)

// stopTimeout bounds the clean-up.
const stopTimeout = time.Minute

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
	operators []*cluster.Operator
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

// Env is what cases work with.
func (l *Local) Env() *cases.Env {
	return &cases.Env{
		Config:        l.cluster.RESTConfig(),
		Kubectl:       l.cluster.Kubectl,
		AuditLog:      l.cluster.AuditLog,
		InitProgram:   l.initc,
		StartOperator: l.StartOperator,
	}
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
