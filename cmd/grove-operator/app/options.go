// Package app is the grove-operator program: its flags, its life, and what it serves over HTTP.
package app

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"grove.io/grove/cmd/internal/logging"
	"grove.io/grove/controllers"
)

// Options are what the flags say.
type Options struct {
	// Kubeconfig is the path of a kubeconfig file; empty for the credentials of the pod that the operator runs in.
	Kubeconfig string
	// Config is that of the controllers.
	controllers.Config
	// MaxRequestsInFlight bounds the requests, watches aside, that wait for the API server at a time.
	MaxRequestsInFlight int

	// LeaderElect makes replicas of the operator take turns.
	LeaderElect bool
	// LeaderElectNamespace has the lease; empty for the namespace of the pod that the operator runs in.
	LeaderElectNamespace string
	// LeaseDuration is how long a leader that fell silent stays leader.
	LeaseDuration time.Duration

	// HealthAddress and MetricsAddress are where probes and metrics are served; empty for nowhere.
	HealthAddress, MetricsAddress string
	// MetricsAuth serves metrics over HTTPS, and only to those who may get them.
	MetricsAuth         bool
	LogLevel, LogFormat string
}

var backends = []string{controllers.BackendAuto, controllers.BackendKubernetes, controllers.BackendNone}

const usage = `grove-operator turns PodCliqueSets into gangs of pods.

It needs a Kubernetes API server with Grove's CustomResourceDefinitions installed. In a cluster it uses its pod's
credentials; elsewhere give it a kubeconfig file.

Usage:
  grove-operator [flags]

Flags:
`

// parse reads the flags. The error is pflag.ErrHelp where help was asked for and has been printed.
func parse(args []string, out io.Writer) (Options, error) {
	var o Options
	flags := pflag.NewFlagSet("grove-operator", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.StringVar(&o.Kubeconfig, "kubeconfig", "", "path of a kubeconfig `file`; by default the credentials of the operator's pod are used")
	flags.StringArrayVar(&o.Namespaces, "namespace", nil, "look after PodCliqueSets in this `namespace` only; may be repeated (default all namespaces)")
	flags.IntVar(&o.MaxRequestsInFlight, "max-requests-in-flight", 192, "how many requests may wait for the API server at a time, watches aside")
	flags.StringVar(&o.SchedulerBackend, "scheduler-backend", controllers.BackendAuto, "`how` gangs are scheduled: auto (by kube-scheduler, as soon as the API server serves PodGroups), "+
		"kubernetes (the same, or end at once) or none (each pod by itself)")
	flags.StringVar(&o.NetworkTopologyKey, "network-topology-key", corev1.LabelTopologyZone, "node `label` inside of which pack groups without a topologyKey are packed")
	flags.StringVar(&o.InitImage, "initc-image", "", "`image` with grove-initc, the init container of pods that start after others; by default that of the operator's pod")
	flags.DurationVar(&o.LostNodeGrace, "lost-node-grace", time.Minute, "how long a node may be silent (Ready is Unknown) before its pods are deleted without waiting for it, "+
		"so that they come up elsewhere; 0 for ever, which needs no right to watch nodes")
	flags.BoolVar(&o.LeaderElect, "leader-elect", true, "let one of several replicas of the operator work at a time")
	flags.StringVar(&o.LeaderElectNamespace, "leader-elect-namespace", "", "`namespace` of the lease that the leader holds; by default that of the operator's pod")
	flags.DurationVar(&o.LeaseDuration, "leader-elect-lease-duration", 15*time.Second, "how long a leader that fell silent stays leader")
	flags.StringVar(&o.HealthAddress, "health-address", ":8081", "`host:port` where /healthz and /readyz are served; empty for nowhere")
	flags.StringVar(&o.MetricsAddress, "metrics-address", ":8080", "`host:port` where /metrics is served; empty for nowhere")
	flags.BoolVar(&o.MetricsAuth, "metrics-auth", false, "serve metrics over HTTPS, with a certificate made for this run, and only to those whose bearer token the API server allows to get /metrics")
	flags.StringVar(&o.LogLevel, "log-level", "info", "how much is logged: "+strings.Join(logging.Levels, ", "))
	flags.StringVar(&o.LogFormat, "log-format", logging.JSON, "how it is logged: "+strings.Join(logging.Formats, ", "))
	flags.Usage = func() { fmt.Fprint(out, usage, flags.FlagUsagesWrapped(100)) }
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: all settings are flags", flags.Arg(0))
	}
	return o, o.validate()
}

func (o Options) validate() error {
	if !slices.Contains(logging.Levels, o.LogLevel) {
		return fmt.Errorf("--log-level is %q; it can be %s", o.LogLevel, strings.Join(logging.Levels, ", "))
	}
	if !slices.Contains(logging.Formats, o.LogFormat) {
		return fmt.Errorf("--log-format is %q; it can be %s", o.LogFormat, strings.Join(logging.Formats, ", "))
	}
	if !slices.Contains(backends, o.SchedulerBackend) {
		return fmt.Errorf("--scheduler-backend is %q; it can be %s", o.SchedulerBackend, strings.Join(backends, ", "))
	}
	if problems := validation.IsQualifiedName(o.NetworkTopologyKey); len(problems) > 0 {
		return fmt.Errorf("--network-topology-key is %q: %s", o.NetworkTopologyKey, strings.Join(problems, "; "))
	}
	if o.InitImage == "" && o.Kubeconfig != "" {
		return errors.New("--initc-image is needed with --kubeconfig: the image of the init container of pods that start after others")
	}
	if o.MaxRequestsInFlight < 1 {
		return fmt.Errorf("--max-requests-in-flight is %d; it has to be at least 1", o.MaxRequestsInFlight)
	}
	if o.LostNodeGrace != 0 && o.LostNodeGrace < time.Second {
		return fmt.Errorf("--lost-node-grace is %s; it has to be at least 1s, or 0", o.LostNodeGrace)
	}
	if o.LeaseDuration < time.Second {
		return fmt.Errorf("--leader-elect-lease-duration is %s; it has to be at least 1s", o.LeaseDuration)
	}
	for i, namespace := range o.Namespaces {
		if problems := validation.IsDNS1123Label(namespace); len(problems) > 0 {
			return fmt.Errorf("--namespace is %q: %s", namespace, strings.Join(problems, "; "))
		}
		if slices.Contains(o.Namespaces[:i], namespace) {
			return fmt.Errorf("--namespace %s is given twice", namespace)
		}
	}
	return nil
}
