package verbs

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"grove.io/grove/cmd/kubectl-grove/internal/cli"
	"grove.io/grove/cmd/kubectl-grove/internal/fit"
	"grove.io/grove/cmd/kubectl-grove/internal/live"
	"grove.io/grove/cmd/kubectl-grove/internal/manifest"
	"grove.io/grove/cmd/kubectl-grove/internal/simulation"
)

// Fit tells whether what files ask for would be placed now.
func Fit(env *cli.Env) *cobra.Command {
	o := &fitOptions{fileOptions{env: env}}
	cmd := &cobra.Command{
		Use:   "fit -f FILE",
		Short: "Tell whether a set would be placed now, unit by unit, or what is lacking",
		Long: `Tell whether a set would be placed now, on the nodes as they are and beside the pods that are there, or what is lacking where.

The set is tried as if it were applied and nothing of it were left to be replaced: pods of it that stay keep their places, and those that go leave theirs. A
unit (the base of a replica, or a group replica above its scaling group's minAvailable) is placed all or nothing. Where it has to be inside
one domain of a topology key, each domain is tried. Base units come first, then scaled ones, then pods above minAvailable one by one. Several sets
are tried one after the other.

Looked at are resources (extended ones, init containers, sidecars and overhead included), the number of pods of a node, taints, cordons, node selectors and
affinity, host ports, pod affinity and anti-affinity, and required topology spread. Left out are volumes, claims of dynamic resource allocation,
quota, preemption, and whatever else only a scheduler knows. Where several nodes or domains would do, which one is taken is a guess.

Exit codes: 0 if every unit fits or is placed already, 1 if one doesn't, or after an error.`,
		Example: `  # Is there room for this set?
  kubectl grove fit -f web.yaml

  # What do its scaled units lack?
  kubectl grove fit -f web.yaml -o json | jq '.sets[].units[] | select(.state == "lacks")'`,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	o.addFileFlags(cmd)
	return cmd
}

type fitOptions struct{ fileOptions }

// fits is the output of fit as JSON or YAML.
type fits struct {
	Sets []fit.Fit `json:"sets"`
}

func (o *fitOptions) run(cmd *cobra.Command) error {
	clients, documents, err := o.open(cmd)
	if err != nil {
		return err
	}
	all, fitting, err := o.try(cmd.Context(), clients, documents)
	if err != nil {
		return err
	}
	if done, err := o.output.Print(o.env.Out, all); err != nil {
		return err
	} else if !done {
		for _, one := range all.Sets {
			one.Text(o.env.Out, o.env.Palette)
		}
	}
	if !fitting {
		return cli.Code(1)
	}
	return nil
}

// try places the sets, one after the other.
func (o *fitOptions) try(ctx context.Context, clients *cli.Clients, documents []manifest.Document) (all fits, fitting bool, err error) {
	worlds := make([]*simulation.World, len(documents))
	refused := make([]string, len(documents))
	var there []*simulation.World
	for i, document := range documents {
		if worlds[i], refused[i], err = o.atRest(ctx, clients, document); err != nil {
			return all, false, err
		}
		if worlds[i] != nil {
			there = append(there, worlds[i])
		}
	}
	snapshot, err := live.Snapshot(ctx, clients.Core)
	if err != nil {
		return all, false, err
	}
	cluster := fit.NewCluster(snapshot, there)
	fitting = true
	for i, document := range documents {
		one := fit.Fit{Namespace: document.GetNamespace(), Name: document.GetName(), Refused: refused[i]}
		if worlds[i] != nil {
			one = cluster.Place(worlds[i])
		}
		fitting = fitting && one.Fits
		all.Sets = append(all.Sets, one)
	}
	return all, fitting, nil
}

// mostSteps bounds how long a set may take to come to rest.
const mostSteps = 10_000

// atRest is the world of a set once nothing is left to be done to it; nil if it is refused, which words say.
func (o *fitOptions) atRest(ctx context.Context, clients *cli.Clients, document manifest.Document) (w *simulation.World, refused string, err error) {
	found, err := o.look(ctx, clients, document)
	if err != nil || found.Set == nil {
		return nil, found.Refused, err
	}
	w = simulation.New(found.observed, found.pods, o.scheduling(), o.env.Now())
	w.Change(found.Set)
	if _, ended := w.Run(mostSteps); !ended {
		return nil, "", fmt.Errorf("PodCliqueSet %s isn't updated after %d steps: it can't be told what it comes to", document.GetName(), mostSteps)
	}
	return w, "", nil
}
