package verbs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/cmd/kubectl-grove/internal/cli"
	"grove.io/grove/cmd/kubectl-grove/internal/rollout"
)

type statusOptions struct {
	env      *cli.Env
	watch    bool
	timeout  time.Duration
	revision int64
}

func rolloutStatus(env *cli.Env) *cobra.Command {
	o := &statusOptions{env: env}
	cmd := onSet(env, &cobra.Command{
		Use:   "status",
		Short: "Wait until the update of a set is over, and say how far it is",
		Long: `Wait until the update of a set is over, and say how far it is. The exit code is 0 once all replicas are updated and available, and 1 if the
update exceeds its progress deadline, or isn't over within --timeout.`,
		Example: `  kubectl grove rollout status web --timeout=10m

  # How far it is now
  kubectl grove rollout status web --watch=false`,
	}, o.run)
	cmd.Flags().BoolVarP(&o.watch, "watch", "w", true, "Watch the status of the rollout until it's done.")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 0, "The length of time to wait before ending watch, zero means never.")
	cmd.Flags().Int64Var(&o.revision, "revision", 0, "Pin to a specific revision for showing its status. Defaults to 0 (last revision).")
	return cmd
}

func (o *statusOptions) run(ctx context.Context, clients *cli.Clients, set *v1alpha1.PodCliqueSet) error {
	if !o.watch {
		_, err := o.tell(ctx, clients, set)
		return err
	}
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.timeout)
		defer cancel()
	}
	api := clients.Grove.GroveV1alpha1().PodCliqueSets(set.Namespace)
	named := fields.OneTermEqualSelector(metav1.ObjectNameField, set.Name).String()
	lw := cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = named
			return api.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = named
			return api.Watch(ctx, options)
		},
	}, clients.Grove)
	said := ""
	_, err := watchtools.UntilWithSync(ctx, lw, &v1alpha1.PodCliqueSet{}, nil, func(event watch.Event) (bool, error) {
		now, ok := event.Object.(*v1alpha1.PodCliqueSet)
		if !ok || now.Name != set.Name {
			return false, nil
		}
		if event.Type == watch.Deleted {
			return false, errors.New("object has been deleted")
		}
		return o.tellOnce(ctx, clients, now, &said)
	})
	if wait.Interrupted(err) && ctx.Err() != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return ctx.Err()
		}
		return errors.New("timed out waiting for the condition")
	}
	return err
}

// tell says how far a set is, and whether there is nothing more to wait for.
func (o *statusOptions) tell(ctx context.Context, clients *cli.Clients, set *v1alpha1.PodCliqueSet) (bool, error) {
	said := ""
	return o.tellOnce(ctx, clients, set, &said)
}

// tellOnce is tell, without what was said last.
func (o *statusOptions) tellOnce(ctx context.Context, clients *cli.Clients, set *v1alpha1.PodCliqueSet, said *string) (bool, error) {
	if err := o.checkRevision(ctx, clients, set); err != nil {
		return false, err
	}
	status := rollout.StatusOf(set)
	if status.Failed != nil {
		return false, status.Failed
	}
	if status.Words != *said {
		fmt.Fprintln(o.env.Out, status.Words)
		*said = status.Words
	}
	return status.Done, nil
}

// checkRevision refuses to wait for another revision than the one that was asked for.
func (o *statusOptions) checkRevision(ctx context.Context, clients *cli.Clients, set *v1alpha1.PodCliqueSet) error {
	if o.revision == 0 || set.Status.ObservedGeneration < set.Generation {
		return nil
	}
	revisions, err := readHistory(ctx, clients, set)
	if err != nil {
		return err
	}
	for _, revision := range revisions {
		if revision.Current && revision.Number != o.revision {
			return fmt.Errorf("desired revision (%d) is different from the running revision (%d)", o.revision, revision.Number)
		}
	}
	return nil
}
