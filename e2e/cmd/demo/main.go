// Command demo shows Grove at work on this machine: it starts a Kubernetes control plane with fake GPU nodes, runs the
// operator against it, applies a sample, and shows how it comes up.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"grove.io/grove/e2e/cluster"
)

// stopTimeout bounds the clean-up.
const stopTimeout = time.Minute

func main() {
	oneshot := flag.Bool("oneshot", false, "exit once everything is ready, instead of waiting for ctrl-C")
	operator := flag.String("operator", "bin/grove-operator", "the operator's binary")
	sample := flag.String("sample", "samples/distributed-training.yaml", "a file with one PodCliqueSet for the namespace default")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	d := &demo{operatorPath: *operator, sample: *sample, oneshot: *oneshot}
	if err := errors.Join(d.run(ctx), d.stop()); err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

type demo struct {
	operatorPath, sample string
	oneshot              bool

	cluster  *cluster.Cluster
	operator *cluster.Operator
}

func (d *demo) run(ctx context.Context) error {
	name, err := d.bringUp(ctx)
	if err != nil {
		return unlessInterrupted(ctx, err)
	}
	if d.oneshot {
		return nil
	}
	d.printHints(name)
	select {
	case <-ctx.Done():
		return nil
	case <-d.operator.Exited():
		return errors.New("the operator has exited")
	}
}

// bringUp starts everything, applies the sample, waits until it is ready and returns its name.
func (d *demo) bringUp(ctx context.Context) (string, error) {
	if err := d.start(ctx); err != nil {
		return "", err
	}
	fmt.Printf("\n$ kubectl apply --server-side -f %s\n", d.sample)
	out, err := d.cluster.Kubectl(ctx, "apply", "--server-side", "-f", d.sample)
	if err != nil {
		return "", err
	}
	fmt.Println(out)
	name, err := d.cluster.Kubectl(ctx, "get", "-f", d.sample, "-o", "jsonpath={.metadata.name}")
	if err != nil {
		return "", err
	}
	return name, d.watch(ctx, name)
}

// unlessInterrupted says that err comes from ctrl-C, where it does.
func unlessInterrupted(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted before everything was ready")
	}
	return err
}

// start brings up everything that the sample needs.
func (d *demo) start(ctx context.Context) error {
	fleet := cluster.DefaultFleet()
	nodes := fleet.Nodes()
	gpus := fleet.Capacity[cluster.ResourceGPU]
	steps := []struct {
		what string
		run  func() error
	}{
		{"Kubernetes started: etcd, kube-apiserver, kube-controller-manager, kube-scheduler", func() (err error) {
			d.cluster, err = cluster.Start(ctx, cluster.Options{Progress: os.Stdout})
			return err
		}},
		{fmt.Sprintf("%d fake nodes added: %d zones of %d racks, %s GPUs in each node", len(nodes), fleet.Zones, fleet.RacksPerZone, gpus.String()),
			func() error { return d.cluster.AddNodes(ctx, nodes...) }},
		{"Grove's CustomResourceDefinitions installed", func() error { return d.cluster.InstallCRDs(ctx) }},
		{"Grove's operator started", func() (err error) {
			d.operator, err = d.cluster.StartOperator(ctx, d.operatorPath)
			return err
		}},
	}
	for _, step := range steps {
		started := time.Now()
		if err := step.run(); err != nil {
			return err
		}
		fmt.Printf("%5.1fs  %s\n", time.Since(started).Seconds(), step.what)
	}
	return nil
}

// printHints tells how to look further.
func (d *demo) printHints(name string) {
	fmt.Printf(`
Everything is ready. In another terminal:

  export KUBECONFIG=%[1]s
  export PATH=%[2]s:$PATH

  kubectl get grove                                        # the four kinds of Grove
  kubectl get podcliqueset %[3]s -o yaml
  kubectl get podclique,podgang,svc -l grove.io/podcliqueset=%[3]s
  kubectl get pods -o wide -l grove.io/podcliqueset=%[3]s
  kubectl describe podcliqueset %[3]s
  kubectl scale podcliqueset %[3]s --replicas=3
  kubectl delete podcliqueset %[3]s

The operator's log is %[4]s
Press ctrl-C here to stop the cluster and remove all of its files.
`, d.cluster.Kubeconfig, d.cluster.BinDir, name, d.operator.Log)
}

// stop ends whatever has been started.
func (d *demo) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var err error
	if d.operator != nil {
		err = d.operator.Stop(ctx)
	}
	if d.cluster != nil {
		err = errors.Join(err, d.cluster.Stop(ctx))
		fmt.Println("\nThe operator and the cluster are stopped, their files removed.")
	}
	return err
}
