package cases

import (
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// podWatch sees every state of a set's pods.
type podWatch struct {
	watch watch.Interface
	done  sync.WaitGroup
	ready map[string]bool
	// played tells that a test plays kubelet for some pods, whose containers may lag behind their specs.
	played bool
	// deleted is how many pods of a name have gone.
	deleted map[string]int
	// broken is what was wrong with the first state that was.
	broken string

	mu sync.Mutex
	// states is how many it saw, and awaited has who waits for how many.
	states  int
	awaited map[int][]chan struct{}
}

// watchPods checks every state of a set's pods, from that where all of those named are ready, by which of them are ready and there to stay.
func (s *scope) watchPods(set string, names []string, wrong func(ready map[string]bool) string) *podWatch {
	s.Helper()
	list, err := s.core.CoreV1().Pods(s.namespace).List(s.ctx, metav1.ListOptions{LabelSelector: ofSet(set)})
	if err != nil {
		s.Fatal(err)
	}
	w := s.newPodWatch(names)
	w.watch, err = s.core.CoreV1().Pods(s.namespace).Watch(s.ctx, metav1.ListOptions{LabelSelector: ofSet(set), ResourceVersion: list.ResourceVersion})
	if err != nil {
		s.Fatal(err)
	}
	w.done.Go(func() {
		for event := range w.watch.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok {
				w.see(event.Type, pod, wrong)
			}
		}
	})
	return w
}

func (s *scope) newPodWatch(names []string) *podWatch {
	w := &podWatch{played: s.Kind == nil, ready: map[string]bool{}, deleted: map[string]int{}, awaited: map[int][]chan struct{}{}}
	for _, name := range names {
		w.ready[name] = true
	}
	return w
}

func (w *podWatch) see(event watch.EventType, pod *corev1.Pod, wrong func(ready map[string]bool) string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.states++
	for _, waiting := range w.awaited[w.states] {
		close(waiting)
	}
	if event == watch.Deleted {
		w.deleted[pod.Name]++
	}
	w.ready[pod.Name] = event != watch.Deleted && w.isUp(pod)
	w.judge(fmt.Sprintf("%s %s", event, pod.Name), wrong)
}

func (w *podWatch) isUp(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && isReady(pod) && (!w.played || hasItsImages(pod))
}

// judge remembers what is wrong with a state, if it is the first that is.
func (w *podWatch) judge(with string, wrong func(ready map[string]bool) string) {
	if says := wrong(w.ready); says != "" && w.broken == "" {
		w.broken = fmt.Sprintf("after %d states, with %s: %s", w.states, with, says)
	}
}

// after is closed once the watch has seen so many states.
func (w *podWatch) after(states int) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	reached := make(chan struct{})
	if w.states >= states {
		close(reached)
	} else {
		w.awaited[states] = append(w.awaited[states], reached)
	}
	return reached
}

// check ends the watch, and fails the test if a state was wrong.
func (w *podWatch) check(s *scope) {
	s.Helper()
	w.watch.Stop()
	w.done.Wait()
	if w.broken != "" || w.states == 0 {
		s.Errorf("of %d states that pods went through, one was wrong: %s", w.states, w.broken)
	}
}
