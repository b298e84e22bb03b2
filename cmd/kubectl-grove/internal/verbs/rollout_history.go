package verbs

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/cmd/kubectl-grove/internal/cli"
	"grove.io/grove/cmd/kubectl-grove/internal/rollout"
	"grove.io/grove/cmd/kubectl-grove/view"
)

func history(env *cli.Env) *cobra.Command {
	var number int64
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Show the earlier templates of a set, and what changed with each",
		Long:  `Show the earlier templates of a set that are kept (spec.revisionHistoryLimit), the oldest first, and what changed with each.`,
		Example: `  kubectl grove rollout history web

  # The podSpecs of a revision
  kubectl grove rollout history web --revision=3`,
	}
	output := cli.AddOutput(cmd)
	cmd.PreRunE = func(*cobra.Command, []string) error { return output.Validate() }
	cmd.Flags().Int64Var(&number, "revision", 0, "See the details, including podSpecs, of the revision specified")
	return onSet(env, cmd, func(ctx context.Context, clients *cli.Clients, set *v1alpha1.PodCliqueSet) error {
		revisions, err := readHistory(ctx, clients, set)
		if err != nil {
			return err
		}
		if number == 0 {
			if done, err := output.Print(env.Out, revisions); done {
				return err
			}
			return writeHistory(env, set, revisions)
		}
		revision, err := rollout.Find(set.Name, revisions, number)
		if err != nil {
			return err
		}
		if done, err := output.Print(env.Out, revision); done {
			return err
		}
		return writeRevision(env.Out, set, revision)
	})
}

// readHistory reads what is recorded of a set's templates.
func readHistory(ctx context.Context, clients *cli.Clients, set *v1alpha1.PodCliqueSet) ([]rollout.Revision, error) {
	list, err := clients.Core.AppsV1().ControllerRevisions(set.Namespace).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.LabelPodCliqueSet + "=" + set.Name})
	if err != nil {
		return nil, err
	}
	var records []*appsv1.ControllerRevision
	for i := range list.Items {
		records = append(records, &list.Items[i])
	}
	return rollout.History(set, records), nil
}

func writeHistory(env *cli.Env, set *v1alpha1.PodCliqueSet, revisions []rollout.Revision) error {
	fmt.Fprintf(env.Out, "podcliqueset.grove.io/%s\n", set.Name)
	w := tabwriter.NewWriter(env.Out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "REVISION\tAGE\tCHANGE")
	for _, revision := range revisions {
		change := strings.Join(revision.Changes, "; ")
		if change == "" {
			change = "<none>"
		}
		if revision.Current {
			change += " (current)"
		}
		fmt.Fprintf(w, "%d\t%s\t%s\n", revision.Number, view.Age(env.Now().Sub(revision.Created.Time)), change)
	}
	return w.Flush()
}

func writeRevision(w io.Writer, set *v1alpha1.PodCliqueSet, revision rollout.Revision) error {
	fmt.Fprintf(w, "podcliqueset.grove.io/%s with revision #%d\n", set.Name, revision.Number)
	data, err := yaml.Marshal(map[string]any{"cliques": revision.Cliques})
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}
