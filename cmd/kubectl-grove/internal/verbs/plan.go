package verbs

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"grove.io/grove/cmd/kubectl-grove/internal/cli"
	"grove.io/grove/cmd/kubectl-grove/internal/forecast"
	"grove.io/grove/cmd/kubectl-grove/internal/manifest"
)

// changed is the exit code where applying would change something: kubectl diff has 1 for it, which here is an error's.
const changed cli.Code = 2

type planOptions struct {
	fileOptions
	steps int
}

// Plan tells what applying files would do.
func Plan(env *cli.Env) *cobra.Command {
	o := &planOptions{fileOptions: fileOptions{env: env}}
	cmd := &cobra.Command{
		Use:   "plan -f FILE",
		Short: "Tell what applying a set would do: to its fields, its children and, step by step, its pods",
		Long: `Tell what applying a set would do, and change nothing.

The API server is asked in a dry run, so that what it would refuse is told, as are fields that others own. What follows is computed by
the operator's own planners from the set's objects as they are: which children are created, changed and deleted, which replicas stay as somebody
has scaled them, and which pods are deleted, created and replaced, step by step, with what stays ready meanwhile.

It is taken for granted that every new pod is placed and becomes ready ("kubectl grove fit" tells whether it would be placed), that the operator is of
the same version as this program, and that nothing else happens.

Exit codes: 0 if nothing would change, 2 if something would, 1 after an error or if the set is refused.`,
		Example: `  # What would this change do?
  kubectl grove plan -f web.yaml

  # The same of what a tool prints, with every step
  kustomize build . | kubectl grove plan -f - --steps=0`,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	o.addFileFlags(cmd)
	cmd.Flags().IntVar(&o.steps, "steps", 20, "How many steps are shown; 0 for all")
	return cmd
}

// forecasts is the output of plan as JSON or YAML.
type forecasts struct {
	Sets []forecast.Forecast `json:"sets"`
}

func (o *planOptions) run(cmd *cobra.Command) error {
	clients, documents, err := o.open(cmd)
	if err != nil {
		return err
	}
	var all forecasts
	fails, changes := false, false
	for _, document := range documents {
		f, err := o.foretell(cmd.Context(), clients, document)
		if err != nil {
			return err
		}
		all.Sets = append(all.Sets, f)
		fails = fails || f.Fails()
		changes = changes || f.Changes()
	}
	if done, err := o.output.Print(o.env.Out, all); err != nil {
		return err
	} else if !done {
		for i, f := range all.Sets {
			if i > 0 {
				fmt.Fprintln(o.env.Out)
			}
			f.Text(o.env.Out, o.env.Palette, o.steps)
		}
	}
	switch {
	case fails:
		return cli.Code(1)
	case changes:
		return changed
	default:
		return nil
	}
}

func (o *planOptions) foretell(ctx context.Context, clients *cli.Clients, document manifest.Document) (forecast.Forecast, error) {
	found, err := o.look(ctx, clients, document)
	if err != nil {
		return forecast.Forecast{}, err
	}
	f := forecast.Of(found.Result, found.observed, found.pods, o.scheduling(), o.env.Now())
	f.Namespace, f.Name = document.GetNamespace(), document.GetName()
	return f, nil
}
