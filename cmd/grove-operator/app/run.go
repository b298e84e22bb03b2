package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/util/retry"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/klog/v2"

	"grove.io/grove/cmd/internal/logging"
	"grove.io/grove/controllers"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

const (
	// leaseName is the name of the lease that the leader holds.
	leaseName = "grove-operator"
	// namespaceFile tells a pod its namespace.
	namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
)

// gcPercent is how far the heap grows until it is collected, in hundredths of what is in use, unless GOGC says otherwise. Go's 100 takes 310 MiB beside
// 10 000 pods; collecting is a sixth of the work of a busy operator, and a third more often with 75.
const gcPercent = 75

var errLeaseLost = errors.New("the lease was lost: another replica leads now, or the API server couldn't be reached")

// Main is the program. What goes wrong before it works is one line on err; from then on it logs there.
func Main(args []string, out, err io.Writer) int {
	options, problem := parse(args, out)
	switch {
	case errors.Is(problem, pflag.ErrHelp):
		return exitOK
	case problem != nil:
		fmt.Fprintf(err, "grove-operator: %v; see grove-operator --help\n", problem)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(klog.NewContext(context.Background(), logging.New(options.LogLevel, options.LogFormat, err)), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if problem := run(ctx, options); problem != nil {
		fmt.Fprintf(err, "grove-operator: %v\n", problem)
		return exitFailure
	}
	return exitOK
}

// run looks after PodCliqueSets until the context ends, or the lease is lost.
func run(ctx context.Context, o Options) error {
	clients, err := connect(o)
	if err != nil {
		return err
	}
	var ready readiness
	servers, stop := newServers(ctx)
	defer stop()
	if err := servers.serve("health", o.HealthAddress, healthHandler(&ready), nil); err != nil {
		return err
	}
	if err := serveMetrics(servers, o, clients.unlimited); err != nil {
		return err
	}

	if err := o.completeInitImage(ctx, clients.kube.CoreV1()); err != nil {
		return err
	}
	operator, err := controllers.New(clients.grove, clients.kube, o.Config)
	if err != nil {
		return err
	}
	defer operator.Stop()
	if err := operator.Start(ctx); err != nil {
		return err
	}
	ready.ready.Store(true)
	if !o.LeaderElect {
		return operator.Run(ctx)
	}
	return lead(ctx, o, clients.unlimited.CoordinationV1(), operator.Run)
}

// serveMetrics serves them to everybody or, over HTTPS, to those whom the API server allows to get them.
func serveMetrics(servers *servers, o Options, kube kubernetes.Interface) error {
	if !o.MetricsAuth {
		return servers.serve("metrics", o.MetricsAddress, metricsHandler(legacyregistry.Handler()), nil)
	}
	secure, err := selfSigned()
	if err != nil {
		return err
	}
	return servers.serve("metrics", o.MetricsAddress, metricsHandler(authorized(kube, legacyregistry.Handler())), secure)
}

// lead calls work once this replica leads, and returns when work has, or when the lease was lost. The lease is released only
// after work has returned, so that two replicas never work at a time.
func lead(ctx context.Context, o Options, leases coordinationv1client.LeasesGetter, work func(context.Context) error) error {
	lock, err := leaseLock(o, leases)
	if err != nil {
		return err
	}
	started := make(chan context.Context, 1)
	// ReleaseOnCancel would also release when renewals fail, while the work still goes on.
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Name:          leaseName,
		Lock:          lock,
		LeaseDuration: o.LeaseDuration,
		RenewDeadline: renewDeadline(o),
		RetryPeriod:   o.LeaseDuration * 2 / 15,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(leading context.Context) { started <- leading },
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return fmt.Errorf("leader election: %w", err)
	}
	electing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		elector.Run(electing)
	}()
	var problem error
	select {
	case leading := <-started:
		klog.FromContext(ctx).Info("Leading", "lease", lock.Describe(), "identity", lock.Identity())
		problem = whileLeading(ctx, leading, work)
	case <-ctx.Done():
	}
	stop()
	<-ended
	if elector.IsLeader() {
		release(ctx, o, lock)
	}
	if problem == nil && ctx.Err() == nil {
		return errLeaseLost
	}
	return problem
}

// leaseLock holds the lease under an identity that no other replica has.
func leaseLock(o Options, leases coordinationv1client.LeasesGetter) (resourcelock.Interface, error) {
	namespace, err := leaseNamespace(o)
	if err != nil {
		return nil, err
	}
	identity := string(uuid.NewUUID())
	if host, err := os.Hostname(); err == nil {
		identity = host + "_" + identity
	}
	return &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Name: leaseName, Namespace: namespace},
		Client:     leases,
		LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
	}, nil
}

// renewDeadline is how long a leader tries to renew its lease before it stops. The rest of the lease's duration is for the work to end.
func renewDeadline(o Options) time.Duration { return o.LeaseDuration * 2 / 3 }

// whileLeading calls work with a context that ends when either of the two does.
func whileLeading(ctx, leading context.Context, work func(context.Context) error) error {
	working, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(leading, stop)()
	return work(working)
}

// release gives up the lease if this replica still holds it, so that another needn't wait until it has run out.
func release(ctx context.Context, o Options, lock resourcelock.Interface) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewDeadline(o))
	defer cancel()
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		held, _, err := lock.Get(ctx)
		if err != nil || held.HolderIdentity != lock.Identity() {
			return err
		}
		now := metav1.Now()
		return lock.Update(ctx, resourcelock.LeaderElectionRecord{
			LeaseDurationSeconds: 1, AcquireTime: now, RenewTime: now, LeaderTransitions: held.LeaderTransitions,
		})
	})
	if err != nil {
		klog.FromContext(ctx).Error(err, "Releasing the lease failed", "lease", lock.Describe())
	}
}

// completeInitImage takes the image of the operator's own pod where the flag gives none.
func (o *Options) completeInitImage(ctx context.Context, core corev1client.PodsGetter) error {
	if o.InitImage != "" {
		return nil
	}
	namespace, err := podNamespace()
	if err != nil {
		return fmt.Errorf("%w; or give --initc-image", err)
	}
	// A pod's host name is its name, unless its podSpec says otherwise.
	name := os.Getenv("POD_NAME")
	if name == "" {
		if name, err = os.Hostname(); err != nil {
			return fmt.Errorf("finding the operator's own pod: %w; give --initc-image", err)
		}
	}
	pod, err := core.Pods(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("finding the image of the operator's own pod: %w; give --initc-image, or set the variable POD_NAME", err)
	}
	o.InitImage = pod.Spec.Containers[0].Image
	for _, container := range pod.Spec.Containers {
		if container.Name == "grove-operator" {
			o.InitImage = container.Image
		}
	}
	return nil
}

// leaseNamespace is what the flag says or else the namespace of the operator's pod.
func leaseNamespace(o Options) (string, error) {
	if o.LeaderElectNamespace != "" {
		return o.LeaderElectNamespace, nil
	}
	namespace, err := podNamespace()
	if err != nil {
		return "", errors.New("leader election needs a namespace outside a cluster: give --leader-elect-namespace, or --leader-elect=false")
	}
	return namespace, nil
}

// podNamespace is the namespace of the operator's pod.
func podNamespace() (string, error) {
	namespace, err := os.ReadFile(namespaceFile)
	if err != nil {
		return "", fmt.Errorf("finding the operator's own namespace: %w", err)
	}
	return strings.TrimSpace(string(namespace)), nil
}
