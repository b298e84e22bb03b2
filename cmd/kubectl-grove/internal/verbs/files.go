package verbs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"grove.io/grove/cmd/kubectl-grove/internal/cli"
	"grove.io/grove/cmd/kubectl-grove/internal/dryrun"
	"grove.io/grove/cmd/kubectl-grove/internal/live"
	"grove.io/grove/cmd/kubectl-grove/internal/manifest"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/podcliqueset"
)

// fileOptions are those of verbs that look at what a file would do.
type fileOptions struct {
	env         *cli.Env
	output      *cli.Output
	files       []string
	dryRun      dryrun.Options
	serverSide  bool
	topologyKey string
}

// addFileFlags gives a command the flags of kubectl apply that say what is applied, and how.
func (o *fileOptions) addFileFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVarP(&o.files, "filename", "f", nil, "File or directory that has the sets; - is stdin. May be given several times")
	cobra.CheckErr(cmd.MarkFlagRequired("filename"))
	cobra.CheckErr(cmd.MarkFlagFilename("filename", "yaml", "yml", "json"))
	flags.BoolVar(&o.serverSide, "server-side", false, "Look at what kubectl apply with or without --server-side would do; by default as the set was applied last, and server-side for a new one")
	flags.BoolVar(&o.dryRun.ForceConflicts, "force-conflicts", false, "Take over fields that others own, as kubectl apply --server-side --force-conflicts does")
	flags.StringVar(&o.dryRun.FieldManager, "field-manager", "kubectl", "Who applies server-side")
	flags.StringVar(&o.topologyKey, "network-topology-key", corev1.LabelTopologyZone, "The operator's flag of this name: the node label inside of which pack groups without a topologyKey are packed")
	o.output = cli.AddOutput(cmd)
	cmd.Args = cobra.NoArgs
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if cmd.Flags().Changed("server-side") {
			o.dryRun.ServerSide = &o.serverSide
		}
		return o.output.Validate()
	}
}

// scheduling is a scheduler that can do all that a set may ask for.
func (o *fileOptions) scheduling() plan.Scheduling {
	return plan.Scheduling{Gangs: true, Topology: true, Composite: true, NetworkTopologyKey: o.topologyKey}
}

// open connects to the cluster, and reads the sets that are in the files.
func (o *fileOptions) open(cmd *cobra.Command) (*cli.Clients, []manifest.Document, error) {
	clients, err := o.env.Connect()
	if err != nil {
		return nil, nil, err
	}
	documents, err := o.sets(cmd, clients)
	return clients, documents, err
}

// sets reads the files, and gives each set its namespace. What isn't a set is passed over with a line.
func (o *fileOptions) sets(cmd *cobra.Command, clients *cli.Clients) ([]manifest.Document, error) {
	documents, err := manifest.Read(o.env.In, o.files)
	if err != nil {
		return nil, err
	}
	var sets []manifest.Document
	for _, d := range documents {
		if !d.IsSet() {
			fmt.Fprintf(o.env.ErrOut, "passed over: %s %s of %s\n", d.GetKind(), d.GetName(), d.From)
			continue
		}
		switch {
		case d.GetName() == "":
			return nil, fmt.Errorf("a PodCliqueSet of %s has no metadata.name", d.From)
		case d.GetNamespace() == "":
			d.SetNamespace(clients.Namespace)
		case cmd.Flags().Changed("namespace") && d.GetNamespace() != clients.Namespace:
			return nil, fmt.Errorf("PodCliqueSet %s of %s is of namespace %s, and not of %s: leave out -n, or pass -n %s", d.GetName(), d.From,
				d.GetNamespace(), clients.Namespace, d.GetNamespace())
		}
		sets = append(sets, d)
	}
	if len(sets) == 0 {
		return nil, errors.New("no PodCliqueSet in " + strings.Join(o.files, ", "))
	}
	return sets, nil
}

// seen is what a dry run made of a set, and what there is of it.
type seen struct {
	dryrun.Result
	// observed are its children as they are; for a new set nothing but the set.
	observed podcliqueset.Set
	pods     []*corev1.Pod
}

// look tries a set in a dry run, and reads what there is of it.
func (o *fileOptions) look(ctx context.Context, clients *cli.Clients, document manifest.Document) (seen, error) {
	result, err := dryrun.Apply(ctx, clients.Grove.GroveV1alpha1().PodCliqueSets(document.GetNamespace()), document, o.dryRun)
	found := seen{Result: result, observed: podcliqueset.Set{Object: result.Set}}
	if err == nil && result.Live != nil {
		found.observed, found.pods, err = live.Observe(ctx, clients.Core, clients.Grove, document.GetNamespace(), document.GetName())
	}
	return found, err
}
