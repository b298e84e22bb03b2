package verbs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/cmd/kubectl-grove/internal/cli"
	"grove.io/grove/cmd/kubectl-grove/internal/live"
	"grove.io/grove/cmd/kubectl-grove/internal/nodes"
	"grove.io/grove/cmd/kubectl-grove/internal/why"
	"grove.io/grove/cmd/kubectl-grove/view"
)

type whyOptions struct {
	env     *cli.Env
	clients *cli.Clients
	output  *cli.Output
	all     bool
}

// Why says why something isn't up.
func Why(env *cli.Env) *cobra.Command {
	o := &whyOptions{env: env}
	cmd := &cobra.Command{
		Use:   "why [SET | PODGANG | POD]",
		Short: "Say why a set, a PodGang or a pod isn't up: the first cause, and what happens next",
		Long: `Say why a set, a PodGang or a pod isn't up: the first cause, from the objects themselves, who waits for whom because of it, and what happens
next and when. Where nodes have no room, it says what stands against which nodes, by the filters of kube-scheduler, and which domain of a
topology comes closest. Without a name it says so of all sets of the namespace, in a line each.

A name may be that of a PodCliqueSet, a PodGang or a pod, which are looked for in this order, or be preceded by its kind: pcs/web, pg/web-0,
pod/web-worker-0-0. A pod needn't exist.

What nodes have can be said only to those who may list nodes and all pods.`,
		Example: `  kubectl grove why web
  kubectl grove why pg/web-1
  kubectl grove why web-worker-1-0-0 -o json

  # All sets of all namespaces, a line each
  kubectl grove why -A`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: env.CompleteSets,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.clients, err = env.Connect(); err != nil {
				return err
			}
			if len(args) == 0 {
				return o.list(cmd.Context())
			}
			if _, err := namespaceFor(o.clients, o.all, args[0]); err != nil {
				return err
			}
			answer, err := o.ask(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if done, err := o.output.Print(env.Out, answer); done {
				return err
			}
			answer.Write(env.Out, env.Now(), env.Palette.Mood)
			return nil
		},
	}
	o.output = cli.AddOutput(cmd)
	cmd.PreRunE = func(*cobra.Command, []string) error { return o.output.Validate() }
	cmd.Flags().BoolVarP(&o.all, "all-namespaces", "A", false, "Say it of the sets of all namespaces")
	return cmd
}

// list says it of all sets, in a line each.
func (o *whyOptions) list(ctx context.Context) error {
	namespace, err := namespaceFor(o.clients, o.all, "")
	if err != nil {
		return err
	}
	views, err := view.LoadAll(ctx, o.clients.Core, o.clients.Grove, namespace)
	if err != nil {
		return err
	}
	answers := []why.Answer{}
	snapshot := sync.OnceValues(func() (nodes.Snapshot, error) { return live.Snapshot(ctx, o.clients.Core) })
	for _, v := range views {
		answers = append(answers, o.finder(ctx, v, snapshot).Set())
	}
	if done, err := o.output.Print(o.env.Out, answers); done {
		return err
	}
	if len(answers) == 0 {
		return noSets(o.env, namespace)
	}
	w := tabwriter.NewWriter(o.env.Out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "NAMESPACE\tNAME\tSTATE\tWHY")
	for _, answer := range answers {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", answer.Namespace, answer.About, answer.State, answer.Words())
	}
	return w.Flush()
}

// ask finds what a name is of, and answers for it.
func (o *whyOptions) ask(ctx context.Context, arg string) (why.Answer, error) {
	kind, name := cli.KindAndName(arg)
	sorts := []struct {
		kinds []string
		ask   func(context.Context, string) (why.Answer, error)
	}{
		{[]string{"pcs", "podcliqueset", "podcliquesets"}, o.askSet},
		{[]string{"pg", "podgang", "podgangs"}, o.askGang},
		{[]string{"pod", "pods", "po"}, o.askPod},
	}
	for _, sort := range sorts {
		if kind != "" && !slices.Contains(sort.kinds, strings.ToLower(kind)) {
			continue
		}
		answer, err := sort.ask(ctx, name)
		if err == nil || !apierrors.IsNotFound(err) || kind != "" {
			return answer, err
		}
	}
	if kind != "" {
		return why.Answer{}, fmt.Errorf("kubectl grove why knows pcs, pg and pod, not %s", kind)
	}
	return why.Answer{}, fmt.Errorf("no PodCliqueSet, no PodGang and no pod of a set is named %q in namespace %q", name, o.clients.Namespace)
}

func (o *whyOptions) load(ctx context.Context, set string) (why.Finder, error) {
	v, err := view.Load(ctx, o.clients.Core, o.clients.Grove, o.clients.Namespace, set)
	if err != nil {
		return why.Finder{}, err
	}
	return o.finder(ctx, v, func() (nodes.Snapshot, error) { return live.Snapshot(ctx, o.clients.Core) }), nil
}

func (o *whyOptions) finder(ctx context.Context, v *view.View, snapshot func() (nodes.Snapshot, error)) why.Finder {
	return why.Finder{
		View:     v,
		Now:      o.env.Now(),
		Snapshot: snapshot,
		Warning:  func(pod *corev1.Pod) string { return o.warning(ctx, pod) },
	}
}

func (o *whyOptions) askSet(ctx context.Context, name string) (why.Answer, error) {
	finder, err := o.load(ctx, name)
	if err != nil {
		return why.Answer{}, err
	}
	return finder.Set(), nil
}

func (o *whyOptions) askGang(ctx context.Context, name string) (why.Answer, error) {
	gang, err := o.clients.Grove.GroveV1alpha1().PodGangs(o.clients.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return why.Answer{}, err
	}
	finder, err := o.load(ctx, gang.Labels[v1alpha1.LabelPodCliqueSet])
	if err != nil {
		return why.Answer{}, err
	}
	return finder.Gang(gang), nil
}

func (o *whyOptions) askPod(ctx context.Context, name string) (why.Answer, error) {
	pod, err := o.clients.Core.CoreV1().Pods(o.clients.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return o.askAbsent(ctx, name, err)
	} else if err != nil {
		return why.Answer{}, err
	}
	set := pod.Labels[v1alpha1.LabelPodCliqueSet]
	if set == "" {
		return why.Answer{}, fmt.Errorf("pod %s isn't one of a PodCliqueSet", name)
	}
	finder, err := o.load(ctx, set)
	if err != nil {
		return why.Answer{}, err
	}
	return finder.Pod(pod), nil
}

// askAbsent finds the set that shall have a pod that doesn't exist.
func (o *whyOptions) askAbsent(ctx context.Context, name string, missing error) (why.Answer, error) {
	views, err := view.LoadAll(ctx, o.clients.Core, o.clients.Grove, o.clients.Namespace)
	if err != nil {
		return why.Answer{}, err
	}
	for _, v := range views {
		if !strings.HasPrefix(name, v.Set.Name+"-") {
			continue
		}
		if answer, found := o.finder(ctx, v, func() (nodes.Snapshot, error) { return live.Snapshot(ctx, o.clients.Core) }).Absent(name); found {
			return answer, nil
		}
	}
	return why.Answer{}, missing
}

// warning is the last warning event about a pod. Events help where they can be read, and nothing depends on them.
func (o *whyOptions) warning(ctx context.Context, pod *corev1.Pod) string {
	events, err := o.clients.Core.CoreV1().Events(pod.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.uid=" + string(pod.UID)})
	if err != nil {
		return ""
	}
	var last *corev1.Event
	for i := range events.Items {
		event := &events.Items[i]
		if event.Type == corev1.EventTypeWarning && event.InvolvedObject.UID == pod.UID && (last == nil || !event.LastTimestamp.Before(&last.LastTimestamp)) {
			last = event
		}
	}
	if last == nil {
		return ""
	}
	return last.Reason + ": " + last.Message
}
