// Command grove-initc is the first init container of pods that start after others of their gang: it ends well once those are
// ready, as the PodGang says.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/cmd/internal/logging"
	"grove.io/grove/controllers/startup"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

const usage = `grove-initc waits until other pods of its PodGang are ready. Grove puts it into pods that start after others.

Usage:
  grove-initc [flags]

Flags:
`

type options struct {
	startup.Order
	kubeconfig, namespace, podGang, terminationMessagePath string
}

func main() { os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr)) }

// Main is the program. It logs on err.
func Main(args []string, out, err io.Writer) int {
	o, problem := parse(args, out)
	switch {
	case errors.Is(problem, pflag.ErrHelp):
		return exitOK
	case problem != nil:
		fmt.Fprintf(err, "grove-initc: %v\n", problem)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(klog.NewContext(context.Background(), logging.New("info", logging.JSON, err)), os.Interrupt, syscall.SIGTERM)
	defer stop()
	message, problem := run(ctx, o)
	if problem != nil {
		message = problem.Error()
	}
	if o.terminationMessagePath != "" {
		// Without it kubectl describe says less, and nothing else is lost.
		if problem := os.WriteFile(o.terminationMessagePath, []byte(message+"\n"), 0o644); problem != nil {
			klog.FromContext(ctx).Info("No termination message could be written", "err", problem)
		}
	}
	if problem != nil {
		klog.FromContext(ctx).Error(problem, "Ended")
		return exitFailure
	}
	return exitOK
}

func parse(args []string, out io.Writer) (options, error) {
	var o options
	flags := pflag.NewFlagSet("grove-initc", pflag.ContinueOnError)
	flags.SortFlags = false
	o.AddFlags(flags)
	flags.StringVar(&o.namespace, "namespace", os.Getenv(startup.EnvNamespace), "the pod's `namespace` (default $"+startup.EnvNamespace+")")
	flags.StringVar(&o.podGang, "podgang", os.Getenv(startup.EnvPodGang), "the pod's `PodGang` (default $"+startup.EnvPodGang+")")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "path of a kubeconfig `file`; by default the credentials of the pod are used")
	flags.StringVar(&o.terminationMessagePath, "termination-message-path", "/dev/termination-log", "`file` that gets a line on how it ended; empty for none")
	flags.Usage = func() { fmt.Fprint(out, usage, flags.FlagUsagesWrapped(100)) }
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q: all settings are flags", flags.Arg(0))
	case o.namespace == "" || o.podGang == "" || o.PodGroup == "":
		return o, errors.New("--namespace, --podgang and --pod-group are needed")
	}
	return o, nil
}

// run waits, and says what for.
func run(ctx context.Context, o options) (string, error) {
	config, err := clientConfig(o.kubeconfig)
	if err != nil {
		return "", err
	}
	// The generated clientset would link all of Kubernetes' types, and the program has to be small.
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return "", err
	}
	config.UserAgent = "grove-initc"
	config.APIPath, config.GroupVersion = "/apis", &v1alpha1.SchemeGroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return "", fmt.Errorf("the API server can't be used: %w", err)
	}
	return wait(ctx, client, o)
}

func clientConfig(kubeconfig string) (*rest.Config, error) {
	if kubeconfig != "" {
		return clientcmd.BuildConfigFromFlags("", kubeconfig)
	}
	config, err := rest.InClusterConfig()
	if errors.Is(err, rest.ErrNotInCluster) {
		return nil, errors.New("not running in a cluster: give --kubeconfig")
	}
	return config, err
}
