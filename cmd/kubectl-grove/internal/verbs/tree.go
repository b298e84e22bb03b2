// Package verbs has the commands of kubectl grove: each asks the cluster, lets a package of its own decide what is to be said or done, and
// says or does it.
package verbs

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"grove.io/grove/cmd/kubectl-grove/internal/cli"
	"grove.io/grove/cmd/kubectl-grove/tree"
	"grove.io/grove/cmd/kubectl-grove/view"
)

type treeOptions struct {
	env    *cli.Env
	output *cli.Output
	watch  bool
	all    bool
	lean   bool
}

// Tree shows sets as trees.
func Tree(env *cli.Env) *cobra.Command {
	o := &treeOptions{env: env}
	cmd := &cobra.Command{
		Use:   "tree [SET]",
		Short: "Show a set as a tree: its replicas, scaling groups, cliques and pods",
		Long: `Show a set as a tree: its replicas (PodGangs), scaling groups, cliques and pods, with how many pods are ready of how many there shall be,
where they are, and since when they are as they are. Without a name it shows all sets of the namespace.`,
		Example: `  # A set, with all of its pods
  kubectl grove tree web

  # The same, live, until ctrl-C; on a terminal it is redrawn in place, elsewhere each change is a line
  kubectl grove tree web -w

  # All sets of all namespaces, without their pods
  kubectl grove tree -A --pods=false`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: env.CompleteSets,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), cli.SetName(append(args, "")[0]))
		},
	}
	o.output = cli.AddOutput(cmd)
	pods := cmd.Flags().Bool("pods", true, "Show pods and not only what they belong to")
	cmd.Flags().BoolVarP(&o.watch, "watch", "w", false, "Go on, and show what changes")
	cmd.Flags().BoolVarP(&o.all, "all-namespaces", "A", false, "Show the sets of all namespaces")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		o.lean = !*pods
		return o.output.Validate()
	}
	return cmd
}

func (o *treeOptions) run(ctx context.Context, name string) error {
	clients, err := o.env.Connect()
	if err != nil {
		return err
	}
	namespace, err := namespaceFor(clients, o.all, name)
	if err != nil {
		return err
	}
	look := func(ctx context.Context) ([]*view.View, error) {
		return view.LoadSome(ctx, clients.Core, clients.Grove, namespace, name)
	}
	if o.watch {
		return o.follow(ctx, look)
	}
	views, err := look(ctx)
	if err != nil {
		return err
	}
	nodes := o.nodes(views)
	if done, err := o.output.Print(o.env.Out, nodes); done {
		return err
	}
	if len(nodes) == 0 {
		return noSets(o.env, namespace)
	}
	for _, line := range tree.Lines(nodes, o.env.Now(), o.env.Palette.Mood) {
		fmt.Fprintln(o.env.Out, line)
	}
	return nil
}

func (o *treeOptions) nodes(views []*view.View) []tree.Node {
	nodes := []tree.Node{}
	for _, v := range views {
		node := tree.Of(v)
		if o.lean {
			node = node.Lean()
		}
		if o.all {
			node.Name += " in " + v.Set.Namespace
		}
		nodes = append(nodes, node)
	}
	return nodes
}

// leastPeriod is how often a live tree is renewed at most; each look takes a tenth of the time at most, so that a large set costs the API server
// no more than a small one.
const leastPeriod, restPerLook = time.Second, 9

func (o *treeOptions) follow(ctx context.Context, look func(context.Context) ([]*view.View, error)) error {
	screen := &tree.Screen{Out: o.env.Out, Live: o.env.Live, Paint: o.env.Palette.Mood}
	for {
		began := time.Now()
		views, err := look(ctx)
		if err != nil {
			return err
		}
		screen.Show(views, o.env.Now())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(max(leastPeriod, restPerLook*time.Since(began))):
		}
	}
}

// namespaceFor is the namespace that a verb looks into; empty for all.
func namespaceFor(clients *cli.Clients, all bool, name string) (string, error) {
	switch {
	case all && name != "":
		return "", fmt.Errorf("a set can't be retrieved by name across all namespaces: say -n NAMESPACE instead of -A")
	case all:
		return "", nil
	default:
		return clients.Namespace, nil
	}
}

// noSets says that there are none, as kubectl does.
func noSets(env *cli.Env, namespace string) error {
	if namespace == "" {
		fmt.Fprintln(env.ErrOut, "No PodCliqueSets found")
	} else {
		fmt.Fprintf(env.ErrOut, "No PodCliqueSets found in %s namespace.\n", namespace)
	}
	return nil
}
