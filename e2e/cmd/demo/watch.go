package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"grove.io/grove/apis/client/clientset/versioned"
)

const (
	// watchPeriod is how often the picture is renewed.
	watchPeriod = 200 * time.Millisecond
	// watchTimeout is how long the sample may take until it is ready; it needs seconds.
	watchTimeout = 3 * time.Minute
)

// watch shows the set until it is ready. The error says what is not.
func (d *demo) watch(ctx context.Context, name string) error {
	core, err := kubernetes.NewForConfig(d.cluster.RESTConfig())
	if err != nil {
		return err
	}
	grove, err := versioned.NewForConfig(d.cluster.RESTConfig())
	if err != nil {
		return err
	}
	var last *view
	screen := &screen{started: time.Now(), redraw: term.IsTerminal(int(os.Stdout.Fd()))}
	err = wait.PollUntilContextTimeout(ctx, watchPeriod, watchTimeout, true, func(ctx context.Context) (bool, error) {
		select {
		case <-d.operator.Exited():
			return false, errors.New("the operator has exited")
		default:
		}
		v, err := look(ctx, core, grove, metav1.NamespaceDefault, name)
		if err != nil {
			return false, err
		}
		last = v
		screen.show(v)
		return v.ready(), nil
	})
	if err != nil && last != nil {
		return fmt.Errorf("not everything is ready: %w\n%s", err, last.whatIsMissing())
	}
	return err
}

// screen shows views: on a terminal it redraws a tree in place, elsewhere it appends a line for every change.
type screen struct {
	started time.Time
	redraw  bool
	lines   int
	last    string
}

func (s *screen) show(v *view) {
	if s.redraw {
		s.drawTree(v)
	} else if summary := v.summary(); summary != s.last {
		fmt.Printf("%5.1fs  %s\n", time.Since(s.started).Seconds(), summary)
		s.last = summary
	}
	if v.ready() && !s.redraw {
		fmt.Println(strings.Join(v.tree(), "\n"))
	}
}

func (s *screen) drawTree(v *view) {
	const up, clear = "\x1b[%dA", "\x1b[J"
	if s.lines > 0 {
		fmt.Printf(up, s.lines)
	}
	lines := append(v.tree(), fmt.Sprintf("%.1fs", time.Since(s.started).Seconds()))
	fmt.Println(clear + strings.Join(lines, "\n"))
	s.lines = len(lines)
}

// whatIsMissing names the conditions that are not as they should be and the pods that are not ready.
func (v *view) whatIsMissing() string {
	lines := []string{v.summary()}
	for _, condition := range v.set.Status.Conditions {
		lines = append(lines, fmt.Sprintf("condition %s=%s (%s): %s", condition.Type, condition.Status, condition.Reason, condition.Message))
	}
	for _, group := range v.groups {
		if isIncomplete(group) {
			lines = append(lines, fmt.Sprintf("PodCliqueScalingGroup %s: %d of %d replicas available", group.Name, group.Status.AvailableReplicas, *group.Spec.Replicas))
		}
	}
	for i := range v.pods {
		if pod := &v.pods[i]; !isReady(pod) {
			lines = append(lines, fmt.Sprintf("pod %s is %s: %s", pod.Name, pod.Status.Phase, whyNotScheduled(pod)))
		}
	}
	return strings.Join(lines, "\n")
}

func whyNotScheduled(pod *corev1.Pod) string {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status != corev1.ConditionTrue {
			return "not scheduled: " + condition.Message
		}
	}
	return "scheduled to " + pod.Spec.NodeName
}
