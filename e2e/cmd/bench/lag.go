package main

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/cache"

	"grove.io/grove/apis/grove/v1alpha1"
)

// lag is how long PodGangs take to say that they are scheduled, as one watcher of both sees it. No gang's name may be used
// twice at a time.
type lag struct {
	mu        sync.Mutex
	lastBound map[string]time.Time // by PodGang: when the last of its pods was seen bound to a node
	scheduled map[string]time.Time
	bound     map[string]bool // by pod
}

func newLag() *lag {
	l := &lag{}
	l.reset()
	return l
}

// reset forgets what was seen.
func (l *lag) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lastBound, l.scheduled, l.bound = map[string]time.Time{}, map[string]time.Time{}, map[string]bool{}
}

// follow adds what two informers see, before they run.
func (l *lag) follow(pods, podGangs cache.SharedIndexInformer) error {
	if _, err := pods.AddEventHandler(onChange(l.seePod)); err != nil {
		return err
	}
	_, err := podGangs.AddEventHandler(onChange(l.seePodGang))
	return err
}

func onChange(see func(obj any)) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{AddFunc: see, UpdateFunc: func(_, after any) { see(after) }}
}

func (l *lag) seePod(obj any) {
	pod := obj.(*corev1.Pod)
	gang, ok := pod.Labels[v1alpha1.LabelPodGang]
	l.mu.Lock()
	defer l.mu.Unlock()
	if ok && pod.Spec.NodeName != "" && !l.bound[pod.Name] {
		l.bound[pod.Name] = true
		l.lastBound[gang] = time.Now()
	}
}

func (l *lag) seePodGang(obj any) {
	gang := obj.(*v1alpha1.PodGang)
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, seen := l.scheduled[gang.Name]; !seen && meta.IsStatusConditionTrue(gang.Status.Conditions, v1alpha1.ConditionScheduled) {
		l.scheduled[gang.Name] = time.Now()
	}
}

// median is that of all PodGangs that were seen scheduled. One that was seen before its pods were counts as no lag.
func (l *lag) median() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lags []time.Duration
	for gang, at := range l.scheduled {
		lags = append(lags, max(0, at.Sub(l.lastBound[gang])))
	}
	if len(lags) == 0 {
		return 0
	}
	return median(lags)
}
