package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/consistency"
)

// calls is a client that records what it is asked, and answers every apply alike. What an API server makes of it is tested with one.
type calls struct {
	mu     sync.Mutex
	made   []string
	answer error
}

func (c *calls) note(words ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made = append(c.made, strings.Join(words, " "))
}

func (c *calls) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	made := c.made
	c.made = nil
	return made
}

func (c *calls) Apply(_ context.Context, config *corev1ac.ServiceAccountApplyConfiguration, _ metav1.ApplyOptions) (*corev1.ServiceAccount, error) {
	words := []string{"apply", *config.Name}
	if config.UID != nil {
		words = append(words, "uid", string(*config.UID))
	}
	if config.ResourceVersion != nil {
		words = append(words, "version", *config.ResourceVersion)
	}
	c.note(words...)
	return &corev1.ServiceAccount{}, c.answer
}

func (c *calls) Get(_ context.Context, name string, _ metav1.GetOptions) (*corev1.ServiceAccount, error) {
	c.note("get", name)
	return nil, apierrors.NewNotFound(schema.GroupResource{}, name)
}

func (c *calls) Delete(_ context.Context, name string, options metav1.DeleteOptions) error {
	words := []string{"delete", name, "uid", string(*options.Preconditions.UID)}
	if options.GracePeriodSeconds != nil {
		words = append(words, "grace", fmt.Sprint(*options.GracePeriodSeconds))
	}
	c.note(words...)
	return nil
}

func account(name string, controller types.UID) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
		Namespace: "ns", Name: name, UID: types.UID(name + "-uid"), ResourceVersion: "5",
		OwnerReferences: []metav1.OwnerReference{{Kind: "PodCliqueSet", Name: "set", UID: controller, Controller: ptr.To(true)}},
	}}
}

func wantedAccount(name string) *corev1ac.ServiceAccountApplyConfiguration {
	return corev1ac.ServiceAccount(name, "ns").WithAutomountServiceAccountToken(false)
}

// recorded is a Kind whose cache has some objects.
func recorded(t *testing.T, cached ...*corev1.ServiceAccount) (*Kind[*corev1.ServiceAccount, *corev1ac.ServiceAccountApplyConfiguration], *calls, Owner) {
	t.Helper()
	store := cache.NewIndexer(cache.MetaNamespaceKeyFunc, nil)
	for _, object := range cached {
		if err := store.Add(object); err != nil {
			t.Fatal(err)
		}
	}
	client := &calls{}
	kind := NewKind("ServiceAccount", "grove-test", &consistency.Tracker{}, store, func(string) *calls { return client }, corev1ac.ExtractServiceAccount)
	return kind, client, Owner{Object: &metav1.ObjectMeta{Namespace: "ns", Name: "set", UID: "owner"}, Kind: "PodCliqueSet", Set: "set"}
}

func TestReplaceDeletesAndThenCreates(t *testing.T) {
	ended := account("a", "owner")
	kind, client, owner := recorded(t, ended)
	err := kind.Replace(t.Context(), owner, []*corev1.ServiceAccount{ended}, []*corev1ac.ServiceAccountApplyConfiguration{wantedAccount("a")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"delete a uid a-uid", "apply a version " + absent}, client.take()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if kind.tracker.Fresh(cache.MetaObjectToName(owner)) {
		t.Error("fresh while the cache has what was deleted")
	}
}

// What terminates isn't deleted again, unless it has to go without whatever runs it.
func TestDeleteNowHurriesWhatTerminates(t *testing.T) {
	ending := account("a", "owner")
	ending.DeletionTimestamp = &metav1.Time{Time: time.Unix(30, 0)}
	kind, client, owner := recorded(t, ending)
	for _, step := range []struct {
		do   func(context.Context, Owner, []*corev1.ServiceAccount) error
		want []string
	}{{kind.Delete, nil}, {kind.DeleteNow, []string{"delete a uid a-uid grace 0"}}} {
		if err := step.do(t.Context(), owner, []*corev1.ServiceAccount{ending}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, client.take()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	}
	if kind.tracker.Fresh(cache.MetaObjectToName(owner)) {
		t.Error("fresh while the cache has what was deleted")
	}
}

// The name isn't free at once where something holds up the end of what was deleted.
func TestReplaceIsTriedAgainWhileTheNameIsTaken(t *testing.T) {
	ended := account("a", "owner")
	kind, client, owner := recorded(t, ended)
	client.answer = apierrors.NewConflict(schema.GroupResource{}, "a", errors.New("it exists"))
	err := kind.Replace(t.Context(), owner, []*corev1.ServiceAccount{ended}, []*corev1ac.ServiceAccountApplyConfiguration{wantedAccount("a")})
	if problems, rest := Problems(err); len(problems) > 0 || !conflicts(rest) {
		t.Errorf("problems %v, error %v; want a conflict", problems, rest)
	}
}

func TestTooLargeForEtcdIsNotSentAgainAtOnce(t *testing.T) {
	kind, client, owner := recorded(t)
	client.answer = tooLargeForEtcd
	for _, want := range [][]string{{"apply a version " + absent}, nil} {
		problems, rest := Problems(kind.Apply(t.Context(), owner, wantedAccount("a")))
		if rest != nil || len(problems) != 1 || problems[0].Reason != v1alpha1.ReasonTooLarge {
			t.Errorf("problems %v, error %v", problems, rest)
		}
		if diff := cmp.Diff(want, client.take()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	}
}

func TestAllReadRemembersRefusals(t *testing.T) {
	live := account("a", "owner")
	kind, client, owner := recorded(t, live)
	client.answer = apierrors.NewForbidden(schema.GroupResource{Resource: "serviceaccounts"}, "a", errors.New("exceeded quota: q"))
	for _, want := range [][]string{{"apply a uid a-uid version 5"}, nil} {
		wanted := []*corev1ac.ServiceAccountApplyConfiguration{wantedAccount("a")}
		problems, rest := Problems(kind.AllRead(t.Context(), owner, wanted, map[string]*corev1.ServiceAccount{"a": live}))
		if rest != nil || len(problems) != 1 || problems[0].Reason != v1alpha1.ReasonForbiddenChild {
			t.Errorf("problems %v, error %v", problems, rest)
		}
		if diff := cmp.Diff(want, client.take()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	}
}

// Two gangs of which each has a part of its pods hold a quota from each other for ever, which nobody sees who reads of one of them alone.
func TestAQuotaIsExplained(t *testing.T) {
	kind, client, owner := recorded(t)
	client.answer = apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "a", errors.New("exceeded quota: q, requested: pods=1, used: pods=4, limited: pods=4"))
	problems, _ := Problems(kind.Apply(t.Context(), owner, wantedAccount("a")))
	if len(problems) != 1 || problems[0].Reason != v1alpha1.ReasonForbiddenChild {
		t.Fatalf("problems %v", problems)
	}
	for _, words := range []string{"used: pods=4, limited: pods=4", "raise the quota, or scale in what uses it", "gangs of which each has a part of their pods hold it from each other"} {
		if !strings.Contains(problems[0].Message, words) {
			t.Errorf("%q doesn't say %q", problems[0].Message, words)
		}
	}
}

// In a namespace that is being deleted nobody has to do anything about what is refused.
func TestATerminatingNamespaceIsNoProblem(t *testing.T) {
	kind, client, owner := recorded(t)
	client.answer = terminatingNamespace()
	if err := kind.Apply(t.Context(), owner, wantedAccount("a")); err != nil {
		t.Error(err)
	}
}

// Children are written by goroutines of their own, where a panic would end the operator for all sets.
func TestAPanicIsAnErrorOfItsChild(t *testing.T) {
	kind, client, owner := recorded(t, account("a", "owner"), account("b", "owner"))
	kind.Immutable = func(_, wanted *corev1ac.ServiceAccountApplyConfiguration) *corev1ac.ServiceAccountApplyConfiguration {
		if *wanted.Name == "a" {
			panic("oh")
		}
		return wanted
	}
	err := kind.All(t.Context(), owner, []*corev1ac.ServiceAccountApplyConfiguration{wantedAccount("a"), wantedAccount("b")})
	if err == nil || !strings.Contains(err.Error(), "panic: oh") {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff([]string{"apply b uid b-uid"}, client.take()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}
