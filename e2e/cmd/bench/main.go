// Command bench measures Grove beside a plain Deployment, on a Kubernetes control plane with fake nodes on this machine. Times
// hold for the machine; ratios and numbers of requests can be compared.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"grove.io/grove/apis/client/clientset/versioned"
	"grove.io/grove/e2e/cluster"
)

const (
	// runTimeout bounds a run; one needs nine minutes, and what the update of many replicas takes, one after the other; scale needs less than an hour.
	runTimeout = 2 * time.Hour
	// stopTimeout bounds the clean-up.
	stopTimeout = time.Minute
	// namespace has everything that is measured.
	namespace = metav1.NamespaceDefault
)

func main() {
	b := &bench{
		parts:  slices.DeleteFunc(slices.Clone(parts), func(part string) bool { return part == scalePart }),
		sizes:  []int{1000, 3000, 10000},
		shapes: shapes,
	}
	flag.StringVar(&b.operatorPath, "operator", "bin/grove-operator", "the operator's binary")
	flag.StringVar(&b.initPath, "initc", "bin/grove-initc", "the binary of init containers")
	flag.BoolVar(&b.raiseLimits, "raise-limits", false, "lift the client rate limits of kube-controller-manager and kube-scheduler, so that they throttle nothing")
	flag.Func("parts", "measure these only, of "+strings.Join(parts, ",")+" (default: all but "+scalePart+")", someOf(parts, &b.parts))
	flag.Func("shapes", "in what shape the part "+scalePart+" asks for pods, of "+strings.Join(shapes, ",")+" (default: all)", someOf(shapes, &b.shapes))
	flag.Func("sizes", "how many pods the part "+scalePart+" asks for, multiples of 10 in ascending order (default 1000,3000,10000)", b.setSizes)
	flag.StringVar(&b.backend, "scheduler-backend", "auto", "the operator's --scheduler-backend: none leaves each pod to itself, as those of a Deployment are")
	flag.StringVar(&b.auditCopy, "audit-log", "", "keep the API server's audit log in this file")
	flag.IntVar(&b.updateReplicas, "update-replicas", 100, "how many replicas of 10 pods the set has that is updated")
	flag.BoolVar(&b.check, "check", false, "fail if a figure misses its target")
	flag.Parse()
	klog.SetLogger(logr.Discard()) // watches that are opened anew are nobody's concern

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	if err := errors.Join(b.run(ctx), b.stop()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// someOf reads a flag whose value is one or more words of a list.
func someOf(list []string, words *[]string) func(value string) error {
	return func(value string) error {
		*words = strings.Split(value, ",")
		for _, word := range *words {
			if !slices.Contains(list, word) {
				return fmt.Errorf("%q is none of %s", word, strings.Join(list, ","))
			}
		}
		return nil
	}
}

// setSizes reads the flag -sizes.
func (b *bench) setSizes(value string) error {
	b.sizes = nil
	for number := range strings.SplitSeq(value, ",") {
		size, err := strconv.Atoi(number)
		if err != nil || size <= 0 || size%smallPods != 0 {
			return fmt.Errorf("%q is no multiple of %d", number, smallPods)
		}
		b.sizes = append(b.sizes, size)
	}
	if !slices.IsSorted(b.sizes) {
		return errors.New("they aren't in ascending order")
	}
	return nil
}

// bench is a cluster with an operator, and what is measured on it.
type bench struct {
	operatorPath string
	initPath     string
	raiseLimits  bool
	backend      string
	check        bool
	auditCopy    string
	parts        []string
	// sizes and shapes are those of the part scale.
	sizes  []int
	shapes []string
	// updateReplicas is how many replicas the set has that is updated.
	updateReplicas int

	cluster  *cluster.Cluster
	operator *cluster.Operator
	core     kubernetes.Interface
	grove    versioned.Interface
	seen     *seen
	report   report
}

func (b *bench) run(ctx context.Context) error {
	if err := b.start(ctx); err != nil {
		return err
	}
	// What was measured before something failed, or before the time was up, took long, and is told all the same.
	err := errors.Join(b.measure(ctx), b.measureTotals())
	fmt.Println()
	b.report.print(os.Stdout, b.raiseLimits)
	if err != nil {
		return err
	}
	if b.check && b.report.missed() {
		return errors.New("a figure misses its target")
	}
	return nil
}

// start brings up the cluster, nodes with room to spare, and the operator.
func (b *bench) start(ctx context.Context) error {
	var err error
	b.cluster, err = cluster.Start(ctx, cluster.Options{Audit: true, StockClientLimits: !b.raiseLimits, Progress: os.Stdout})
	if err != nil {
		return err
	}
	if err := b.cluster.AddNodes(ctx, b.fleet().Nodes()...); err != nil {
		return err
	}
	if err := b.cluster.InstallCRDs(ctx); err != nil {
		return err
	}
	if err := b.startOperator(ctx); err != nil {
		return err
	}
	config := b.cluster.RESTConfig()
	if b.core, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if b.grove, err = versioned.NewForConfig(config); err != nil {
		return err
	}
	b.seen, err = watchAll(ctx, config, b.core)
	return err
}

// fleet has room for twice the pods that exist at a time and, at the sizes of the part scale, for a quarter more than there are.
func (b *bench) fleet() cluster.Fleet {
	fleet := cluster.DefaultFleet()
	fleet.NodesPerRack = 5
	if slices.Contains(b.parts, scalePart) {
		rack := int(fleet.Capacity.Pods().Value()) * fleet.Zones * fleet.RacksPerZone // pods on one node of each
		fleet.NodesPerRack = max(fleet.NodesPerRack, slices.Max(b.sizes)*5/4/rack+1)
	}
	return fleet
}

// briefLease is how long the lease lasts at the sizes of the part scale: a leader that doesn't come to renew it beside its work ends, and the run fails.
const briefLease = 3 * time.Second

// startOperator starts an operator in place of the one that was there, if any.
func (b *bench) startOperator(ctx context.Context) (err error) {
	flags := []string{"--scheduler-backend=" + b.backend}
	if slices.Contains(b.parts, scalePart) {
		flags = append(flags, "--leader-elect=true", "--leader-elect-namespace="+namespace, "--leader-elect-lease-duration="+briefLease.String())
	}
	b.operator, err = b.cluster.StartOperator(ctx, b.operatorPath, flags...)
	return err
}

// stop ends whatever has been started.
func (b *bench) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var errs []error
	if b.operator != nil {
		errs = append(errs, b.operator.Stop(ctx))
	}
	if b.cluster != nil {
		errs = append(errs, b.keepAuditLog(), b.cluster.Stop(ctx))
	}
	return errors.Join(errs...)
}

// keepAuditLog copies the audit log to where the user wants it: it ends with the cluster.
func (b *bench) keepAuditLog() error {
	if b.auditCopy == "" {
		return nil
	}
	from, err := os.Open(b.cluster.AuditLog)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.Create(b.auditCopy)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}
