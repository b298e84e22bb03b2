package verbs

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/cmd/kubectl-grove/internal/cli"
	"grove.io/grove/cmd/kubectl-grove/internal/rollout"
)

// fieldManager is whose the fields are that verbs change.
const fieldManager = "kubectl-grove"

// Rollout looks at updates and steers them.
func Rollout(env *cli.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollout",
		Short: "Follow, pause, resume, undo or repeat the update of a set, and show its history",
		Long: `Follow, pause, resume, undo or repeat the update of a set, and show its history.

An update begins when a podSpec in the set's template changes, as by kubectl apply.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(rolloutStatus(env), pause(env), resume(env), undo(env), restart(env), history(env))
	return cmd
}

// onSet makes a command on one set: it is read, and run decides.
func onSet(env *cli.Env, cmd *cobra.Command, run func(ctx context.Context, clients *cli.Clients, set *v1alpha1.PodCliqueSet) error) *cobra.Command {
	cmd.Use += " SET"
	cmd.Args = cobra.ExactArgs(1)
	cmd.ValidArgsFunction = env.CompleteSets
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		clients, err := env.Connect()
		if err != nil {
			return err
		}
		set, err := clients.Grove.GroveV1alpha1().PodCliqueSets(clients.Namespace).Get(cmd.Context(), cli.SetName(args[0]), metav1.GetOptions{})
		if err != nil {
			return err
		}
		return run(cmd.Context(), clients, set)
	}
	return cmd
}

// patchSet changes a set.
func patchSet(ctx context.Context, clients *cli.Clients, set *v1alpha1.PodCliqueSet, kind types.PatchType, patch []byte) error {
	_, err := clients.Grove.GroveV1alpha1().PodCliqueSets(set.Namespace).Patch(ctx, set.Name, kind, patch, metav1.PatchOptions{FieldManager: fieldManager})
	return err
}

// done says what was done to a set, as kubectl does.
func done(env *cli.Env, set *v1alpha1.PodCliqueSet, what string) error {
	_, err := fmt.Fprintf(env.Out, "podcliqueset.grove.io/%s %s\n", set.Name, what)
	return err
}

func pause(env *cli.Env) *cobra.Command {
	return onSet(env, &cobra.Command{
		Use:   "pause",
		Short: "Stop an update where it is, until it is resumed",
		Long: `Stop an update where it is, until it is resumed: no more pods are replaced. Pods that are lost meanwhile come back, in replicas that the update
has begun with of the new template. A set that is paused before its template is edited replaces nothing until it is resumed.`,
		Example: `  kubectl grove rollout pause web`,
	}, func(ctx context.Context, clients *cli.Clients, set *v1alpha1.PodCliqueSet) error {
		if set.Spec.UpdateStrategy.Paused {
			return fmt.Errorf("podcliquesets.grove.io %q is already paused", set.Name)
		}
		if err := patchSet(ctx, clients, set, types.MergePatchType, []byte(`{"spec":{"updateStrategy":{"paused":true}}}`)); err != nil {
			return err
		}
		return done(env, set, "paused")
	})
}

func resume(env *cli.Env) *cobra.Command {
	return onSet(env, &cobra.Command{
		Use:     "resume",
		Short:   "Let an update go on that was paused",
		Example: `  kubectl grove rollout resume web`,
	}, func(ctx context.Context, clients *cli.Clients, set *v1alpha1.PodCliqueSet) error {
		if !set.Spec.UpdateStrategy.Paused {
			return fmt.Errorf("podcliquesets.grove.io %q is not paused", set.Name)
		}
		if err := patchSet(ctx, clients, set, types.MergePatchType, []byte(`{"spec":{"updateStrategy":{"paused":false}}}`)); err != nil {
			return err
		}
		return done(env, set, "resumed")
	})
}

func restart(env *cli.Env) *cobra.Command {
	var cliques []string
	cmd := onSet(env, &cobra.Command{
		Use:   "restart",
		Short: "Replace all pods of a set, or of some cliques, step by step as an update does",
		Example: `  # All pods
  kubectl grove rollout restart web

  # Those of two cliques
  kubectl grove rollout restart web --clique worker --clique leader`,
	}, func(ctx context.Context, clients *cli.Clients, set *v1alpha1.PodCliqueSet) error {
		if set.Spec.UpdateStrategy.Paused {
			return fmt.Errorf("podcliquesets.grove.io %q can't restart while it is paused (run rollout resume first)", set.Name)
		}
		patch, err := rollout.Restart(set, cliques, env.Now().UTC().Format(time.RFC3339))
		if err != nil {
			return err
		}
		if err := patchSet(ctx, clients, set, patch.Type(), patch.JSON()); err != nil {
			return err
		}
		return done(env, set, "restarted")
	})
	cmd.Flags().StringArrayVar(&cliques, "clique", nil, "Restart only this clique; may be repeated")
	env.CompleteFlag(cmd, "clique", rollout.CliqueNames)
	return cmd
}

func undo(env *cli.Env) *cobra.Command {
	var number int64
	cmd := onSet(env, &cobra.Command{
		Use:   "undo",
		Short: "Bring back an earlier template",
		Long: `Bring back an earlier template: the one before today's, or that of a revision. Only cliques whose podSpec differs are changed, and pods that
are of it still, or already, are left alone. Replicas and everything else in the set stay as they are.`,
		Example: `  # The template before today's
  kubectl grove rollout undo web

  # That of a revision which kubectl grove rollout history shows
  kubectl grove rollout undo web --to-revision=3`,
	}, func(ctx context.Context, clients *cli.Clients, set *v1alpha1.PodCliqueSet) error {
		revisions, err := readHistory(ctx, clients, set)
		if err != nil {
			return err
		}
		to, err := rollout.Find(set.Name, revisions, number)
		if err != nil {
			return err
		}
		patch, cliques := rollout.Undo(set, to)
		if len(cliques) == 0 {
			return done(env, set, fmt.Sprintf("skipped rollback (current template already matches revision %d)", to.Number))
		}
		if err := patchSet(ctx, clients, set, patch.Type(), patch.JSON()); err != nil {
			return err
		}
		if set.Spec.UpdateStrategy.Paused {
			fmt.Fprintf(env.ErrOut, "The update is paused: pods are replaced after kubectl grove rollout resume %s\n", set.Name)
		}
		return done(env, set, fmt.Sprintf("rolled back to revision %d (%s)", to.Number, strings.Join(cliques, ", ")))
	})
	cmd.Flags().Int64Var(&number, "to-revision", 0, "The revision to bring back. Default to 0 (last revision).")
	return cmd
}
