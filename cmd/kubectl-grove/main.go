// Command kubectl-grove is a plugin of kubectl: with it on the PATH, `kubectl grove` shows PodCliqueSets as trees, says in words why one
// waits, and changes them with care.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"grove.io/grove/cmd/kubectl-grove/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	env := cli.NewEnv(os.Stdin, os.Stdout, os.Stderr)
	os.Exit(cli.Exit(env.ErrOut, newRoot(env).ExecuteContext(ctx)))
}
