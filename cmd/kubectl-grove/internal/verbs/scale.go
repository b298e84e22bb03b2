package verbs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/cmd/kubectl-grove/internal/cli"
	"grove.io/grove/cmd/kubectl-grove/internal/rollout"
	"grove.io/grove/cmd/kubectl-grove/internal/scale"
	"grove.io/grove/cmd/kubectl-grove/view"
)

// Scale scales a set and its parts.
func Scale(env *cli.Env) *cobra.Command {
	var request scale.Request
	var replicas int32
	cmd := &cobra.Command{
		Use:   "scale SET [--replicas N] [--group NAME=N] [--clique NAME=N]",
		Short: "Scale cliques and scaling groups by their names in the template, in all replicas of a set at once",
		Long: `Scale cliques and scaling groups by their names in the template: a clique's PodCliques in all replicas of the set, a scaling group as a whole.
It uses the subresource scale, as kubectl scale does for one object. What is scaled so stays until the template's own number changes.

Replicas of the set itself are the very field that a manifest has: leave them out of the manifest from then on.`,
		Example: `  # 5 workers in each slice, in all replicas, and 3 rounds of the group decode
  kubectl grove scale web --clique worker=5 --group decode=3

  # One more replica of everything
  kubectl grove scale web --replicas=3`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: env.CompleteSets,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("replicas") {
				request.Replicas = &replicas
			}
			if request.Replicas == nil && len(request.Groups)+len(request.Cliques) == 0 {
				return errors.New("nothing to scale: say --replicas, --group or --clique")
			}
			return runScale(cmd.Context(), env, cli.SetName(args[0]), request)
		},
	}
	cmd.Flags().Int32Var(&replicas, "replicas", 0, "The new number of replicas of the set")
	cmd.Flags().StringArrayVar(&request.Groups, "group", nil, "A scaling group and its new number of group replicas, such as decode=3; may be repeated")
	cmd.Flags().StringArrayVar(&request.Cliques, "clique", nil, "A clique and its new number of pods in each slice, such as worker=5; may be repeated")
	env.CompleteFlag(cmd, "group", func(set *v1alpha1.PodCliqueSet) []string { return assignable(scale.GroupNames(set)) })
	env.CompleteFlag(cmd, "clique", func(set *v1alpha1.PodCliqueSet) []string { return assignable(rollout.CliqueNames(set)) })
	return cmd
}

func assignable(names []string) []string {
	var all []string
	for _, name := range names {
		all = append(all, name+"=")
	}
	return all
}

func runScale(ctx context.Context, env *cli.Env, name string, request scale.Request) error {
	clients, err := env.Connect()
	if err != nil {
		return err
	}
	v, err := view.Load(ctx, clients.Core, clients.Grove, clients.Namespace, name)
	if err != nil {
		return err
	}
	autoscalers, err := clients.Core.AutoscalingV2().HorizontalPodAutoscalers(clients.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		// Who may scale may not be allowed to see autoscalers: then there is no warning.
		fmt.Fprintf(env.ErrOut, "Warning: autoscalers can't be looked at: %v\n", err)
		autoscalers = &autoscalingv2.HorizontalPodAutoscalerList{}
	}
	steps, err := scale.Steps(v, request, autoscalers.Items)
	if err != nil {
		return err
	}
	for _, step := range steps {
		if err := scaleOne(ctx, clients, step); err != nil {
			return err
		}
		fmt.Fprintf(env.Out, "%s.grove.io/%s scaled from %d to %d\n", strings.ToLower(string(step.Kind)), step.Name, step.From, step.To)
		for _, note := range step.Notes {
			fmt.Fprintf(env.ErrOut, "Warning: %s %s: %s\n", step.Kind, step.Name, note)
		}
	}
	return nil
}

// scaleOne writes to the subresource of one object.
func scaleOne(ctx context.Context, clients *cli.Clients, step scale.Step) error {
	api, namespace := clients.Grove.GroveV1alpha1(), clients.Namespace
	to := &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Name: step.Name, Namespace: namespace}, Spec: autoscalingv1.ScaleSpec{Replicas: step.To}}
	options := metav1.UpdateOptions{FieldManager: fieldManager}
	var err error
	switch step.Kind {
	case scale.Set:
		_, err = api.PodCliqueSets(namespace).UpdateScale(ctx, step.Name, to, options)
	case scale.Group:
		_, err = api.PodCliqueScalingGroups(namespace).UpdateScale(ctx, step.Name, to, options)
	case scale.Clique:
		_, err = api.PodCliques(namespace).UpdateScale(ctx, step.Name, to, options)
	}
	return err
}
