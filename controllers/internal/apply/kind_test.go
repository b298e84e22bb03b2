package apply

import (
	"context"
	"errors"
	"flag"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"

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

func TestApplyCreatesThenSendsNothing(t *testing.T) {
	a := newAccounts(t)
	if sent, problems := a.apply(); sent != "PATCH" || problems != nil {
		t.Errorf("sent %q, problems %v", sent, problems)
	}
	a.seen()
	if sent, _ := a.apply(); sent != "" {
		t.Errorf("sent %q for a child that is as it should be", sent)
	}
	if !a.tracker.Fresh(cache.MetaObjectToName(a.owner)) {
		t.Error("the cache has seen the write, and isn't fresh")
	}
}

// The cache may not have what was just created. Finding that out costs a refused write and a read, and changes nothing.
func TestApplyBehindTheCache(t *testing.T) {
	a := newAccounts(t)
	a.apply()
	before := a.get()
	a.Cache = cache.NewIndexer(cache.MetaNamespaceKeyFunc, nil)
	if _, problems := a.apply(); problems != nil {
		t.Errorf("problems %v", problems)
	}
	if after := a.get(); after.ResourceVersion != before.ResourceVersion {
		t.Error("the child was changed")
	}
}

func TestEditsAreTakenBack(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(*corev1.ServiceAccount)
		sent string
	}{
		"a field":             {func(s *corev1.ServiceAccount) { s.AutomountServiceAccountToken = ptr.To(true) }, "PATCH"},
		"a field removed":     {func(s *corev1.ServiceAccount) { s.AutomountServiceAccountToken = nil }, "PATCH"},
		"a label":             {func(s *corev1.ServiceAccount) { s.Labels[v1alpha1.LabelPodCliqueSet] = "other" }, "PATCH"},
		"the label of caches": {func(s *corev1.ServiceAccount) { delete(s.Labels, v1alpha1.LabelManagedBy) }, "PATCH PATCH"},
		"all managed fields":  {func(s *corev1.ServiceAccount) { s.ManagedFields = []metav1.ManagedFieldsEntry{{}} }, "PATCH"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccounts(t)
			a.apply()
			want := a.get()
			a.edit(test.edit)
			a.seen()
			if sent, problems := a.apply(); sent != test.sent || problems != nil {
				t.Errorf("sent %q, problems %v; want %q", sent, problems, test.sent)
			}
			got := a.get()
			if diff := cmp.Diff([]any{want.Labels, want.AutomountServiceAccountToken, want.UID}, []any{got.Labels, got.AutomountServiceAccountToken, got.UID}); diff != "" {
				t.Errorf("not put back (-want +got):\n%s", diff)
			}
		})
	}
}

// What was read may be older than what the cache has by now. It must not be written over.
func TestWhatIsRepeatedIsAppliedToWhatWasRead(t *testing.T) {
	a := newAccounts(t)
	a.apply()
	read := map[string]*corev1.ServiceAccount{"child": a.get()}
	a.edit(func(s *corev1.ServiceAccount) { s.AutomountServiceAccountToken = ptr.To(true) })
	a.seen()
	changed := a.wanted().WithAutomountServiceAccountToken(false).WithAnnotations(map[string]string{"new": "1"})
	err := a.AllRead(t.Context(), a.owner, []*corev1ac.ServiceAccountApplyConfiguration{changed}, read)
	if !conflicts(err) {
		t.Errorf("error %v, want a conflict", err)
	}
	read["child"] = a.get()
	if err := a.AllRead(t.Context(), a.owner, []*corev1ac.ServiceAccountApplyConfiguration{a.wanted()}, read); err != nil {
		t.Error(err)
	}
}

func conflicts(err error) bool {
	var all utilerrors.Aggregate
	return errors.As(err, &all) && len(all.Errors()) == 1 && apierrors.IsConflict(all.Errors()[0])
}

func TestWhatOthersAddStays(t *testing.T) {
	a := newAccounts(t)
	a.apply()
	a.edit(func(s *corev1.ServiceAccount) {
		s.Labels["mine"] = "1"
		s.Annotations = map[string]string{"mine": "1"}
		s.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "mine"}}
	})
	a.seen()
	if sent, problems := a.apply(); sent != "" || problems != nil {
		t.Errorf("sent %q, problems %v", sent, problems)
	}
}

func TestNameConflicts(t *testing.T) {
	controller := func(kind, name string, uid types.UID) metav1.OwnerReference {
		return metav1.OwnerReference{APIVersion: "v1", Kind: kind, Name: name, UID: uid, Controller: ptr.To(true)}
	}
	ours := map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelPodCliqueSet: "set"}
	otherSet := map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelPodCliqueSet: "other"}
	for name, test := range map[string]struct {
		labels  map[string]string
		owners  []metav1.OwnerReference
		problem string
		taken   bool
	}{
		"nobody's": {problem: "ServiceAccount child exists and isn't controlled by anything; delete it, or give the PodCliqueSet another name"},
		"a controller's": {owners: []metav1.OwnerReference{controller("Deployment", "web", "1")},
			problem: "ServiceAccount child exists and is controlled by Deployment web; give that or the PodCliqueSet another name"},
		"another set's": {labels: otherSet, owners: []metav1.OwnerReference{controller("PodCliqueSet", "other", "1")},
			problem: "ServiceAccount child exists and is controlled by PodCliqueSet other; give that or the PodCliqueSet another name"},
		"a predecessor's":    {labels: ours, owners: []metav1.OwnerReference{controller("PodCliqueSet", "set", "before")}},
		"an orphan":          {labels: ours, taken: true},
		"another set's left": {labels: otherSet, problem: "ServiceAccount child exists and isn't controlled by anything; delete it, or give the PodCliqueSet another name"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccounts(t)
			before := a.create(test.labels, test.owners...)
			a.seen()
			_, problems := a.apply()
			var want []plan.Problem
			if test.problem != "" {
				want = []plan.Problem{{Reason: v1alpha1.ReasonNameConflict, Message: test.problem}}
			}
			if diff := cmp.Diff(want, problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			after := a.get()
			if touched := after.ResourceVersion != before.ResourceVersion; touched != test.taken {
				t.Errorf("touched: %v", touched)
			}
			if taken := metav1.IsControlledBy(after, a.owner); taken != test.taken {
				t.Errorf("taken: %v", taken)
			}
		})
	}
}

// While a set is deleted and its children are orphaned, the cache may have it as if nothing had happened.
func TestNothingIsAdoptedByAnOwnerThatGoes(t *testing.T) {
	for name, owner := range map[string]*metav1.ObjectMeta{
		"going":    {UID: "owner", DeletionTimestamp: &metav1.Time{}},
		"replaced": {UID: "another"},
		"gone":     nil,
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccounts(t)
			a.owner.Live = func(context.Context) (metav1.Object, error) {
				if owner == nil {
					return nil, apierrors.NewNotFound(schema.GroupResource{}, "set")
				}
				return owner, nil
			}
			before := a.create(map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelPodCliqueSet: "set"})
			a.seen()
			if sent, problems := a.apply(); sent != "" || problems != nil {
				t.Errorf("sent %q, problems %v", sent, problems)
			}
			if after := a.get(); after.ResourceVersion != before.ResourceVersion {
				t.Error("the orphan was touched")
			}
		})
	}
}

// An object that is on its way out may still have the name for long, and nobody tells when it goes unless it is labelled.
func TestNamesThatWillBeFree(t *testing.T) {
	for name, test := range map[string]struct {
		owners  []metav1.OwnerReference
		problem bool
	}{
		"somebody else's": {problem: true},
		"ours":            {owners: []metav1.OwnerReference{{APIVersion: "v1", Kind: "PodCliqueSet", Name: "set", UID: "owner", Controller: ptr.To(true)}}},
		"a predecessor's": {owners: []metav1.OwnerReference{{APIVersion: "v1", Kind: "PodCliqueSet", Name: "set", UID: "before", Controller: ptr.To(true)}}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccounts(t)
			a.create(nil, test.owners...)
			a.edit(func(s *corev1.ServiceAccount) { s.Finalizers = []string{"example.com/slow"} })
			if err := a.kube.CoreV1().ServiceAccounts(a.namespace).Delete(t.Context(), "child", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			problems, err := Problems(a.Kind.Apply(t.Context(), a.owner, a.wanted()))
			if got := len(problems) > 0; got != test.problem {
				t.Errorf("problems %v", problems)
			}
			if again := apierrors.IsConflict(err); again == test.problem {
				t.Errorf("tried again soon: %v (%v)", again, err)
			}
		})
	}
}

func TestWhatWasRefusedIsNotSentAgain(t *testing.T) {
	a := newAccounts(t)
	a.create(nil)
	if sent, problems := a.apply(); sent == "" || len(problems) != 1 {
		t.Errorf("sent %q, problems %v", sent, problems)
	}
	if sent, problems := a.apply(); sent != "" || len(problems) != 1 {
		t.Errorf("again, sent %q, problems %v", sent, problems)
	}
	changed := a.wanted().WithAnnotations(map[string]string{"new": "1"})
	if _, err := Problems(a.Kind.Apply(t.Context(), a.owner, changed)); err != nil {
		t.Error(err)
	}
	if sent := a.writes.take(); sent == "" {
		t.Error("sent nothing though the child has changed")
	}
}

func TestWhatTheAPIServerRefusesIsAProblem(t *testing.T) {
	a := newAccounts(t)
	invalid := a.wanted().WithLabels(map[string]string{"no good": ""})
	problems, err := Problems(a.Kind.Apply(t.Context(), a.owner, invalid))
	if err != nil || len(problems) != 1 || problems[0].Reason != v1alpha1.ReasonInvalidChild || !strings.Contains(problems[0].Message, `"no good"`) {
		t.Errorf("problems %v, error %v", problems, err)
	}
}

// What the caller repeats of what it has read is remembered to be refused, too.
func TestWhatWasRefusedIsNotSentAgainAsRead(t *testing.T) {
	a := newAccounts(t)
	a.apply()
	read := map[string]*corev1.ServiceAccount{"child": a.get()}
	a.writes.take()
	for _, sent := range []string{"PATCH", ""} {
		invalid := a.wanted().WithLabels(map[string]string{"no good": ""})
		problems, err := Problems(a.AllRead(t.Context(), a.owner, []*corev1ac.ServiceAccountApplyConfiguration{invalid}, read))
		if got := a.writes.take(); got != sent || len(problems) != 1 || err != nil {
			t.Errorf("sent %q, want %q; problems %v, error %v", got, sent, problems, err)
		}
	}
}

func TestReplace(t *testing.T) {
	a := newAccounts(t)
	a.apply()
	before := a.get()
	a.writes.take()
	if err := a.Replace(t.Context(), a.owner, []*corev1.ServiceAccount{before}, []*corev1ac.ServiceAccountApplyConfiguration{a.wanted()}); err != nil {
		t.Fatal(err)
	}
	if sent := a.writes.take(); sent != "DELETE PATCH" {
		t.Errorf("sent %q", sent)
	}
	after := a.get()
	if after.UID == before.UID {
		t.Error("the child wasn't replaced")
	}
	// Another has the name by now: it isn't taken for the one that ended.
	if err := a.Replace(t.Context(), a.owner, []*corev1.ServiceAccount{before}, []*corev1ac.ServiceAccountApplyConfiguration{a.wanted()}); err != nil {
		t.Error(err)
	}
	if again := a.get(); again.UID != after.UID {
		t.Error("the successor was replaced, too")
	}
}

// What serves the successor of its owner is taken over, even while it is being deleted.
func TestInherited(t *testing.T) {
	for name, inherited := range map[string]bool{"inherited": true, "left alone": false} {
		t.Run(name, func(t *testing.T) {
			a := newAccounts(t)
			a.Inherited = inherited
			predecessors := metav1.OwnerReference{APIVersion: "v1", Kind: "PodCliqueSet", Name: "set", UID: "before", Controller: ptr.To(true)}
			a.create(map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelPodCliqueSet: "set"}, predecessors)
			a.edit(func(s *corev1.ServiceAccount) { s.Finalizers = []string{"example.com/slow"}; s.OwnerReferences = nil })
			if err := a.kube.CoreV1().ServiceAccounts(a.namespace).Delete(t.Context(), "child", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			a.seen()
			_, problems := a.apply()
			if taken := metav1.IsControlledBy(a.get(), a.owner); taken != inherited || problems != nil {
				t.Errorf("taken over: %v; problems %v", taken, problems)
			}
		})
	}
}

func TestTooLargeIsAProblem(t *testing.T) {
	for what, err := range map[string]error{
		"etcd":           apierrors.NewInternalError(errors.New("etcdserver: request is too large")),
		"etcd's client":  apierrors.NewInternalError(errors.New("rpc error: code = ResourceExhausted desc = trying to send message larger than max (2 vs. 1)")),
		"the API server": apierrors.NewRequestEntityTooLargeError("limit is 3145728"),
	} {
		if !isTooLarge(err) {
			t.Errorf("what %s says isn't recognised: %v", what, err)
		}
	}
	if isTooLarge(nil) || isTooLarge(apierrors.NewInternalError(errors.New("etcdserver: leader changed"))) {
		t.Error("any error is taken for one that says that an object is too large")
	}
}

func TestDelete(t *testing.T) {
	a := newAccounts(t)
	a.apply()
	account := a.get()
	other := account.DeepCopy()
	other.UID = "a successor"
	terminating := account.DeepCopy()
	terminating.DeletionTimestamp = &metav1.Time{}
	for _, step := range []struct {
		name   string
		object *corev1.ServiceAccount
		sent   string
		gone   bool
	}{
		{"of another UID", other, "DELETE", false},
		{"that is being deleted", terminating, "", false},
		{"that exists", account, "DELETE", true},
		{"that is gone", account, "DELETE", true},
	} {
		a.writes.take()
		if err := a.Kind.Delete(t.Context(), a.owner, []*corev1.ServiceAccount{step.object}); err != nil {
			t.Errorf("deleting an object %s: %v", step.name, err)
		}
		if sent := a.writes.take(); sent != step.sent {
			t.Errorf("deleting an object %s sent %q, want %q", step.name, sent, step.sent)
		}
		list, err := a.kube.CoreV1().ServiceAccounts(a.namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=child"})
		if err != nil {
			t.Fatal(err)
		}
		if gone := len(list.Items) == 0; gone != step.gone {
			t.Errorf("deleting an object %s: gone is %v", step.name, gone)
		}
	}
}
