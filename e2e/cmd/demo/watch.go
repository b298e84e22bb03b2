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
	"grove.io/grove/cmd/kubectl-grove/tree"
	"grove.io/grove/cmd/kubectl-grove/view"
	"grove.io/grove/controllers/plan"
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
	var last *view.View
	screen := &tree.Screen{Out: os.Stdout, Live: term.IsTerminal(int(os.Stdout.Fd())), Paint: tree.Plain}
	err = wait.PollUntilContextTimeout(ctx, watchPeriod, watchTimeout, true, func(ctx context.Context) (bool, error) {
		select {
		case <-d.operator.Exited():
			return false, errors.New("the operator has exited")
		default:
		}
		v, err := view.Load(ctx, core, grove, metav1.NamespaceDefault, name)
		if err != nil {
			return false, err
		}
		last = v
		screen.Show([]*view.View{v}, time.Now())
		return v.Ready(), nil
	})
	if err != nil && last != nil {
		return fmt.Errorf("not everything is ready: %w\n%s", err, whatIsMissing(last))
	}
	if err == nil && !screen.Live {
		fmt.Println(strings.Join(tree.Lines([]tree.Node{tree.Of(last)}, time.Now(), tree.Plain), "\n"))
	}
	return err
}

// whatIsMissing names the conditions that are not as they should be and the pods that are not ready.
func whatIsMissing(v *view.View) string {
	lines := []string{tree.Summary(v)}
	for _, condition := range v.Set.Status.Conditions {
		lines = append(lines, fmt.Sprintf("condition %s=%s (%s): %s", condition.Type, condition.Status, condition.Reason, condition.Message))
	}
	for _, group := range v.Groups {
		if view.Incomplete(group) {
			lines = append(lines, fmt.Sprintf("PodCliqueScalingGroup %s: %d of %d replicas available", group.Name, group.Status.AvailableReplicas, *group.Spec.Replicas))
		}
	}
	for _, pod := range v.Pods {
		if !plan.Lives(pod) || !plan.IsReady(pod) {
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
