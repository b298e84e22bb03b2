package cases

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
)

// followPods is watchPods until the end of the test, whatever the API server goes through. States that pass while it is away aren't seen.
func (s *scope) followPods(set string, names []string, wrong func(ready map[string]bool) string) *podWatch {
	s.Helper()
	w := s.newPodWatch(names)
	ctx, stop := context.WithCancel(s.ctx)
	w.done.Go(func() {
		wait.UntilWithContext(ctx, func(ctx context.Context) { s.follow(ctx, w, set, wrong) }, pollPeriod)
	})
	s.Cleanup(func() {
		stop()
		w.done.Wait()
	})
	return w
}

// follow lists pods and watches them until the watch ends, as it does with the API server.
func (s *scope) follow(ctx context.Context, w *podWatch, set string, wrong func(ready map[string]bool) string) {
	selector := ofSet(set) + ",!" + labelForeign
	list, err := s.core.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return
	}
	w.replace(list.Items, wrong)
	events, err := s.core.CoreV1().Pods(s.namespace).Watch(ctx, metav1.ListOptions{LabelSelector: selector, ResourceVersion: list.ResourceVersion})
	if err != nil {
		return
	}
	defer events.Stop()
	for event := range events.ResultChan() {
		pod, ok := event.Object.(*corev1.Pod)
		if !ok {
			return
		}
		w.see(event.Type, pod, wrong)
	}
}

// replace sees a state of all pods at once.
func (w *podWatch) replace(pods []corev1.Pod, wrong func(ready map[string]bool) string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.states++
	for name := range w.ready {
		w.ready[name] = false
	}
	for i := range pods {
		w.ready[pods[i].Name] = w.isUp(&pods[i])
	}
	w.judge("a list", wrong)
}

// sofar is how many states were seen, and what was wrong with the first that was. It is told once.
func (w *podWatch) sofar() (states int, broken string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	states, broken = w.states, w.broken
	w.broken = ""
	return states, broken
}
