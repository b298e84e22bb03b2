// Command kind creates a kind cluster with fake GPUs and Grove installed, or deletes it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"grove.io/grove/e2e/cluster"
)

func main() {
	name := flag.String("name", "grove", "the cluster's name")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "Usage: kind [-name NAME] up|down")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *name, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "kind:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, name, what string) error {
	k, err := cluster.NewKind(ctx, name, os.Stderr)
	if err != nil {
		return err
	}
	switch what {
	case "up":
		return up(ctx, k)
	case "down":
		return k.Delete(ctx)
	default:
		return errors.New("say up or down")
	}
}

func up(ctx context.Context, k *cluster.Kind) error {
	if err := k.Create(ctx, ""); err != nil {
		return err
	}
	// kubectl finds the cluster in the user's kubeconfig.
	defer os.Remove(k.Kubeconfig)
	if err := k.Install(ctx, cluster.OperatorImage); err != nil {
		return err
	}
	fmt.Printf("\nGrove runs. Try: kubectl --context kind-%s get pods --namespace grove-system\n", k.Name)
	return nil
}
