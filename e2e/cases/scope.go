// Package cases holds what the end-to-end tests of Grove check, for suites to run on whatever cluster they provide. Each
// case is an e2e-framework feature that works in a namespace of its own, so that all of them can run at once.
package cases

import (
	"context"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/client/clientset/versioned"
	"grove.io/grove/e2e/cluster"
)

// Env is what a suite gives to the cases that it runs.
type Env struct {
	// Config is for clients with all rights.
	Config *rest.Config
	// Kubectl runs kubectl with the same rights, and returns what it wrote to stdout.
	Kubectl func(ctx context.Context, args ...string) (string, error)
	// Shell runs a script by bash, where kubectl has the same rights, and returns what it wrote to stdout.
	Shell func(ctx context.Context, script string) (string, error)
	// Plugin runs kubectl grove in the same way; nil where there is none. An exit code other than 0 is an *exec.ExitError.
	Plugin func(ctx context.Context, args ...string) (string, error)
	// AuditLog is the path of the API server's audit log, for cases that count requests.
	AuditLog string
	// InitProgram is the path of grove-initc, for cases that run it as the kubelet would.
	InitProgram string
	// MetricsURL is where an operator beside the cluster serves its metrics.
	MetricsURL string
	// Image is what pods run whose containers have to run, too.
	Image string
	// Kind is the cluster, where it is one of real kubelets.
	Kind *cluster.Kind
	// StartOperator runs an operator with flags until it is stopped, for cases that need operators of their own.
	StartOperator func(ctx context.Context, flags ...string) (*cluster.Operator, error)
	// StartSkewed is StartOperator for one whose clock is ahead by some time, or behind if that is negative.
	StartSkewed func(ctx context.Context, ahead time.Duration, flags ...string) (*cluster.Operator, error)
	// StartEarlier runs the operator as it was at a commit until it is stopped; cluster.ErrNoCommit if the repository doesn't have it.
	StartEarlier func(ctx context.Context, commit string) (*cluster.Operator, error)
	// KillControlPlane and StartControlPlane end the control plane but for etcd as a crash would, and start it again, for cases that
	// have it alone.
	KillControlPlane  func(ctx context.Context) error
	StartControlPlane func(ctx context.Context) error
	// Longer is how much longer than others a feature may take.
	Longer time.Duration
}

// featureTimeout bounds a feature. It is generous, since many share a machine.
const featureTimeout = 4 * time.Minute

// namespacePrefix begins the name of each case's namespace, and those of the nodes that it adds.
const namespacePrefix = "grove-e2e"

type envKey struct{}

// NewContext returns a context that carries env to the cases.
func NewContext(ctx context.Context, env *Env) context.Context {
	return context.WithValue(ctx, envKey{}, env)
}

// scope is what a step of a case works with.
type scope struct {
	*testing.T
	*Env
	ctx       context.Context
	namespace string
	core      kubernetes.Interface
	grove     versioned.Interface
	dynamic   dynamic.Interface
}

// step makes an e2e-framework function of one that works in a scope.
func step(run func(s *scope)) features.Func {
	return func(ctx context.Context, t *testing.T, cfg *envconf.Config) context.Context {
		run(newScope(ctx, t, cfg))
		return ctx
	}
}

func newScope(ctx context.Context, t *testing.T, cfg *envconf.Config) *scope {
	env, ok := ctx.Value(envKey{}).(*Env)
	if !ok {
		t.Fatal("the suite has not called cases.NewContext")
	}
	return &scope{
		T:         t,
		Env:       env,
		ctx:       ctx,
		namespace: cfg.Namespace(),
		core:      kubernetes.NewForConfigOrDie(env.Config),
		grove:     versioned.NewForConfigOrDie(env.Config),
		dynamic:   dynamic.NewForConfigOrDie(env.Config),
	}
}

// InNamespace gives each feature a deadline and a namespace of its own, deletes the namespace at the end of the test, and
// prints what is in it if the test has failed. Suites register it by BeforeEachFeature.
func InNamespace(ctx context.Context, cfg *envconf.Config, t *testing.T, _ types.Feature) (context.Context, error) {
	cfg.WithNamespace(envconf.RandomName(namespacePrefix, 16))
	s := newScope(ctx, t, cfg)
	ctx, cancel := context.WithTimeout(ctx, featureTimeout+s.Longer)
	t.Cleanup(cancel)
	s.ctx = ctx
	return ctx, s.createNamespace()
}

// createNamespace creates the scope's namespace, and has it deleted at the end of the test.
func (s *scope) createNamespace() error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
	if _, err := s.core.CoreV1().Namespaces().Create(s.ctx, namespace, metav1.CreateOptions{}); err != nil {
		return err
	}
	s.Cleanup(func() {
		s.ctx = context.WithoutCancel(s.ctx)
		if s.Failed() {
			s.dump()
		}
		if err := s.core.CoreV1().Namespaces().Delete(s.ctx, s.namespace, metav1.DeleteOptions{}); err != nil {
			s.Errorf("delete namespace %s: %v", s.namespace, err)
		}
		if err := s.deleteNodes(); err != nil {
			s.Errorf("delete the nodes of %s: %v", s.namespace, err)
		}
	})
	return nil
}

// dump prints the objects and events of the namespace.
func (s *scope) dump() {
	for _, args := range [][]string{
		{"get", "podcliquesets,podcliques,podcliquescalinggroups,podgangs,all,endpointslices,serviceaccounts,roles,rolebindings", "-o", "wide", "--show-labels"},
		{"get", "grove", "-o", "yaml"},
		{"get", "podgroups.scheduling.k8s.io", "-o", "yaml"},
		{"get", "nodes", "--selector", labelTest + "=" + s.namespace, "--show-labels"},
		{"get", "events", "--sort-by=.metadata.creationTimestamp"},
	} {
		out, err := s.kubectl(args...)
		s.Logf("kubectl %q in %s (error: %v):\n%s", args, s.namespace, err, out)
	}
}

// kubectl runs kubectl in the scope's namespace.
func (s *scope) kubectl(args ...string) (string, error) {
	return s.Kubectl(s.ctx, append([]string{"--namespace", s.namespace}, args...)...)
}

// mustKubectl fails the test unless kubectl succeeds.
func (s *scope) mustKubectl(args ...string) string {
	s.Helper()
	out, err := s.kubectl(args...)
	if err != nil {
		s.Fatal(err)
	}
	return out
}

// tokenOf is a token of an account of the scope's namespace.
func (s *scope) tokenOf(account string) string {
	s.Helper()
	token, err := s.core.CoreV1().ServiceAccounts(s.namespace).CreateToken(s.ctx, account, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		s.Fatal(err)
	}
	return token.Status.Token
}

// inAnotherNamespace returns a scope that works in a new namespace, which goes at the end of the step.
func (s *scope) inAnotherNamespace() *scope {
	s.Helper()
	other := *s
	other.namespace = envconf.RandomName(namespacePrefix, 16)
	if err := other.createNamespace(); err != nil {
		s.Fatal(err)
	}
	return &other
}
