package apply

import (
	"context"
	"flag"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/consistency"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/e2e/cluster"
)

const manager = "grove-test"

// accounts writes ServiceAccounts, which need no more of a cluster than the API server, in a namespace of their own.
type accounts struct {
	*testing.T
	*Kind[*corev1.ServiceAccount, *corev1ac.ServiceAccountApplyConfiguration]
	kube      kubernetes.Interface
	tracker   *consistency.Tracker
	namespace string
	owner     Owner
	writes    *writes
}

// writes records the requests that change something, as method and path.
type writes struct {
	mu   sync.Mutex
	sent []string
}

func (w *writes) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		if request.Method != http.MethodGet {
			w.mu.Lock()
			w.sent = append(w.sent, request.Method)
			w.mu.Unlock()
		}
		return next.RoundTrip(request)
	})
}

func (w *writes) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := strings.Join(w.sent, " ")
	w.sent = nil
	return taken
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

// apiServer is shared by the tests of this package.
var apiServer *cluster.Cluster

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	if flag.Parse(); testing.Short() {
		return m.Run()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	var err error
	if apiServer, err = cluster.Start(ctx, cluster.Options{APIServerOnly: true, Progress: os.Stderr}); err != nil {
		println(err.Error())
		return 1
	}
	defer func() { _ = apiServer.Stop(context.WithoutCancel(ctx)) }()
	return m.Run()
}

func newAccounts(t *testing.T) *accounts {
	t.Helper()
	if testing.Short() {
		t.Skip("needs an API server")
	}
	t.Parallel()
	config := rest.CopyConfig(apiServer.RESTConfig())
	setup := kubernetes.NewForConfigOrDie(config)
	namespace, err := setup.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "apply-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	sent := &writes{}
	config.Wrap(sent.wrap)
	kube := kubernetes.NewForConfigOrDie(config)
	factory := informers.NewSharedInformerFactoryWithOptions(setup, 0, informers.WithNamespace(namespace.Name),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) {
			o.LabelSelector = labels.Set{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}.String()
		}))
	informer := factory.Core().V1().ServiceAccounts().Informer()
	stop := make(chan struct{})
	factory.Start(stop)
	t.Cleanup(func() { close(stop); factory.Shutdown() })
	factory.WaitForCacheSync(stop)
	owner := &metav1.ObjectMeta{Namespace: namespace.Name, Name: "set", UID: "owner"}
	tracker := &consistency.Tracker{}
	return &accounts{
		T: t, kube: setup, namespace: namespace.Name, writes: sent,
		owner:   Owner{Object: owner, Kind: "PodCliqueSet", Set: "set", Live: func(context.Context) (metav1.Object, error) { return owner, nil }},
		tracker: tracker,
		Kind:    NewKind("ServiceAccount", manager, tracker, informer.GetIndexer(), kube.CoreV1().ServiceAccounts, corev1ac.ExtractServiceAccount),
	}
}

func (a *accounts) wanted() *corev1ac.ServiceAccountApplyConfiguration {
	return corev1ac.ServiceAccount("child", a.namespace).
		WithLabels(map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelPodCliqueSet: "set"}).
		WithAutomountServiceAccountToken(false).
		WithOwnerReferences(reference("PodCliqueSet", "set", "owner"))
}

func reference(kind, name string, uid types.UID) *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().WithAPIVersion("v1").WithKind(kind).WithName(name).WithUID(uid).WithController(true)
}

// apply applies what is wanted, and returns what was written and what only a user can mend.
func (a *accounts) apply() (sent string, problems []plan.Problem) {
	a.Helper()
	problems, err := Problems(a.Kind.Apply(a.Context(), a.owner, a.wanted()))
	if err != nil {
		a.Fatal(err)
	}
	return a.writes.take(), problems
}

// create makes the child as somebody else would.
func (a *accounts) create(labels map[string]string, owners ...metav1.OwnerReference) *corev1.ServiceAccount {
	a.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "child", Labels: labels, OwnerReferences: owners}}
	account, err := a.kube.CoreV1().ServiceAccounts(a.namespace).Create(a.Context(), account, metav1.CreateOptions{})
	if err != nil {
		a.Fatal(err)
	}
	return account
}

func (a *accounts) get() *corev1.ServiceAccount {
	a.Helper()
	account, err := a.kube.CoreV1().ServiceAccounts(a.namespace).Get(a.Context(), "child", metav1.GetOptions{})
	if err != nil {
		a.Fatal(err)
	}
	return account
}

// edit changes the child as kubectl edit would.
func (a *accounts) edit(change func(*corev1.ServiceAccount)) {
	a.Helper()
	account := a.get()
	change(account)
	if _, err := a.kube.CoreV1().ServiceAccounts(a.namespace).Update(a.Context(), account, metav1.UpdateOptions{}); err != nil {
		a.Fatal(err)
	}
}

// seen waits until the cache has the child as it is now, or doesn't have it if it isn't labelled as Grove's.
func (a *accounts) seen() {
	a.Helper()
	account := a.get()
	err := wait.PollUntilContextTimeout(a.Context(), time.Millisecond, 10*time.Second, true, func(context.Context) (bool, error) {
		obj, exists, err := a.Cache.GetByKey(cache.MetaObjectToName(account).String())
		if account.Labels[v1alpha1.LabelManagedBy] != v1alpha1.ManagedBy {
			return !exists, err
		}
		return exists && obj.(*corev1.ServiceAccount).ResourceVersion == account.ResourceVersion, err
	})
	if err != nil {
		a.Fatalf("the cache doesn't see the child: %v", err)
	}
}
