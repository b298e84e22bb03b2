package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"grove.io/grove/apis/grove/v1alpha1"
)

// wait watches the PodGang until nothing is missing any more, and says how long that took. The error is that of the context.
func wait(ctx context.Context, client rest.Interface, o options) (string, error) {
	w := &waiter{options: o, logger: klog.FromContext(ctx), began: time.Now(), done: make(chan struct{})}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	gangs := cache.NewFilteredListWatchFromClient(client, "podgangs", o.namespace, func(options *metav1.ListOptions) {
		options.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, o.podGang).String()
	})
	// It lists and watches again after whatever goes wrong, ever more slowly.
	reflector := cache.NewReflectorWithOptions(gangs, &v1alpha1.PodGang{}, w, cache.ReflectorOptions{Name: "podgang"})
	var running sync.WaitGroup
	running.Go(func() { reflector.RunWithContext(watching) })
	defer running.Wait()
	defer stop()
	select {
	case <-w.done:
		message := fmt.Sprintf("waited %s for %s", time.Since(w.began).Round(time.Millisecond), strings.Join(append(o.PodCliques, o.PodGroups...), ", "))
		w.logger.Info("Ready to start", "message", message)
		return message, nil
	case <-ctx.Done():
		return "", fmt.Errorf("ended while waiting for %s", w.last())
	}
}

// waiter is the store that the reflector fills: it keeps nothing but what is missing.
type waiter struct {
	options
	logger klog.Logger
	began  time.Time
	once   sync.Once
	done   chan struct{}

	mu      sync.Mutex
	missing string
}

// see looks at the PodGang, which is nil where there is none, and logs what is missing when that has changed.
func (w *waiter) see(gang *v1alpha1.PodGang) {
	missing := strings.Join(w.Missing(gang), "; ")
	w.mu.Lock()
	changed := missing != w.missing
	w.missing = missing
	w.mu.Unlock()
	switch {
	case missing == "":
		w.once.Do(func() { close(w.done) })
	case changed:
		w.logger.Info("Waiting", "podgang", klog.KRef(w.namespace, w.podGang), "for", missing)
	}
}

func (w *waiter) last() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.missing == "" {
		return "the API server"
	}
	return w.missing
}

func (w *waiter) Add(obj any) error {
	w.see(obj.(*v1alpha1.PodGang))
	return nil
}

func (w *waiter) Update(obj any) error { return w.Add(obj) }

func (w *waiter) Delete(any) error {
	w.see(nil)
	return nil
}

func (w *waiter) Replace(list []any, _ string) error {
	if len(list) == 0 {
		return w.Delete(nil)
	}
	return w.Add(list[0])
}

func (w *waiter) Resync() error { return nil }
