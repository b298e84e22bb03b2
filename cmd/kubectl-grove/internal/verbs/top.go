package verbs

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/cmd/kubectl-grove/internal/cli"
	"grove.io/grove/cmd/kubectl-grove/internal/top"
	"grove.io/grove/cmd/kubectl-grove/view"
)

type topOptions struct {
	env       *cli.Env
	output    *cli.Output
	all, pods bool
}

// Top shows what pods use.
func Top(env *cli.Env) *cobra.Command {
	o := &topOptions{env: env}
	cmd := &cobra.Command{
		Use:   "top [SET]",
		Short: "Show how much CPU and memory the pods of a set use, by clique",
		Long: `Show how much CPU and memory the pods of a set use, by clique, over all of its replicas. Percentages are of what the pods request. It needs
metrics.k8s.io, which metrics-server serves. Without a name it shows all sets of the namespace.`,
		Example: `  kubectl grove top web

  # Each pod
  kubectl grove top web --pods`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: env.CompleteSets,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), cli.SetName(append(args, "")[0]))
		},
	}
	o.output = cli.AddOutput(cmd)
	cmd.PreRunE = func(*cobra.Command, []string) error { return o.output.Validate() }
	cmd.Flags().BoolVar(&o.pods, "pods", false, "Show each pod")
	cmd.Flags().BoolVarP(&o.all, "all-namespaces", "A", false, "Show the sets of all namespaces")
	return cmd
}

func (o *topOptions) run(ctx context.Context, name string) error {
	clients, err := o.env.Connect()
	if err != nil {
		return err
	}
	namespace, err := namespaceFor(clients, o.all, name)
	if err != nil {
		return err
	}
	views, err := view.LoadSome(ctx, clients.Core, clients.Grove, namespace, name)
	if err != nil {
		return err
	}
	metrics, err := clients.Metrics.MetricsV1beta1().PodMetricses(namespace).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.LabelPodCliqueSet})
	switch {
	case apierrors.IsNotFound(err):
		return errors.New("this cluster doesn't serve metrics.k8s.io: install metrics-server")
	case apierrors.IsServiceUnavailable(err):
		return fmt.Errorf("metrics.k8s.io is registered, and what serves it doesn't answer: look at metrics-server: %w", err)
	case err != nil:
		return err
	}
	uses := []top.Use{}
	for _, v := range views {
		uses = append(uses, top.Of(v, metrics.Items, o.pods)...)
	}
	if done, err := o.output.Print(o.env.Out, uses); done {
		return err
	}
	if len(views) == 0 {
		return noSets(o.env, namespace)
	}
	return top.Write(o.env.Out, uses, o.all, o.pods)
}
