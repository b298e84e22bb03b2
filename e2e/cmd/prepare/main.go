// Command prepare makes sure that the local control plane is in the cache, and says in which directory.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"grove.io/grove/e2e/kubebuild"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	bin, err := kubebuild.ControlPlane(ctx, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "controlplane:", err)
		os.Exit(1)
	}
	fmt.Println("The local Kubernetes control plane is in", bin)
}
