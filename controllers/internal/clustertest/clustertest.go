// Package clustertest runs the loops of a controller on a cluster in memory, and tells which calls they make.
package clustertest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubefake "k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/events"

	grovefake "grove.io/grove/apis/client/clientset/versioned/fake"
	"grove.io/grove/apis/client/clientset/versioned/scheme"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/internal/runner"
)

// settled is how long loops run: every first sync is done, a status is written, and what was held is let go.
const settled = 15 * time.Second

// Calls runs loops on a cluster that has some objects, and returns the calls that would change something, each as verb, resource, name and
// what else decides about it, in the order of the alphabet, since many are made at a time. Calls made twice are listed once: the cluster
// takes every call and changes nothing. What an API server makes of the calls is tested with one.
func Calls(t *testing.T, loops func(*cluster.Cluster) []*runner.Loop, objects ...runtime.Object) []string {
	t.Helper()
	made := &calls{}
	synctest.Test(t, func(t *testing.T) {
		var groves, others []runtime.Object
		for _, object := range objects {
			if kinds, _, err := scheme.Scheme.ObjectKinds(object); err == nil && len(kinds) > 0 {
				groves = append(groves, object)
			} else {
				others = append(others, object)
			}
		}
		grove, kube := grovefake.NewSimpleClientset(groves...), kubefake.NewSimpleClientset(others...)
		for _, fake := range []*clienttesting.Fake{&grove.Fake, &kube.Fake} {
			fake.PrependReactor("*", "*", made.take)
		}
		stop := make(chan struct{})
		one, err := cluster.New(grove, kube, events.NewFakeRecorder(1000), metav1.NamespaceAll, stop)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), settled)
		defer cancel()
		var running sync.WaitGroup
		all := loops(one)
		one.Start()
		if err := one.WaitForSync(ctx); err != nil {
			t.Fatal(err)
		}
		for _, loop := range all {
			running.Go(func() {
				if err := loop.Run(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		running.Wait()
		close(stop)
		one.Shutdown()
	})
	slices.Sort(made.made)
	return slices.Compact(made.made)
}

// calls are those that would change something.
type calls struct {
	mu   sync.Mutex
	made []string
}

// take notes a call that would change something, and answers it with an empty object.
func (c *calls) take(action clienttesting.Action) (handled bool, answer runtime.Object, err error) {
	words := []string{action.GetVerb(), action.GetResource().Resource}
	if action.GetSubresource() != "" {
		words[1] += "/" + action.GetSubresource()
	}
	switch action := action.(type) {
	case clienttesting.PatchActionImpl:
		words = append(words, action.GetName())
	case clienttesting.DeleteActionImpl:
		words = append(words, action.GetName(), "uid", string(*action.DeleteOptions.Preconditions.UID))
		if grace := action.DeleteOptions.GracePeriodSeconds; grace != nil {
			words = append(words, "grace", fmt.Sprint(*grace))
		}
	case clienttesting.DeleteCollectionActionImpl:
		words = append(words, action.GetListRestrictions().Labels.String(), action.GetListRestrictions().Fields.String())
	case clienttesting.GetActionImpl, clienttesting.ListActionImpl, clienttesting.WatchActionImpl:
		return false, nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made = append(c.made, strings.TrimSpace(strings.Join(words, " ")))
	return true, nil, nil
}
