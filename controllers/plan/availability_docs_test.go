package plan_test

import (
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/controllers/plan/plantest"
)

// Each row of the table in docs/availability.md is a pod here, of which it says the truth.
func TestDocumentedCounts(t *testing.T) {
	pods := documentedPods()
	page, err := os.ReadFile("../../docs/availability.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| A pod that | is bound | counts | is up |\n|---|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "| "), " | ")
		state, known := pods[cells[0]]
		if !known || len(cells) != 4 {
			t.Errorf("no pod for the row %q", line)
			continue
		}
		delete(pods, cells[0])
		clique := plantest.Clique(t, plantest.Workers(), "train-alone-0", plantest.AllPods)
		state(clique.Pods[0])
		counts := clique.Counts()["train-alone-0"]
		for n, is := range []int32{counts.Scheduled, counts.Available, counts.Up()} {
			if says := cells[n+1]; says != yes(is > 0) && says != "as Kubernetes says" {
				t.Errorf("a pod that %s: %q is in column %d, and it is %q", cells[0], says, n+1, yes(is > 0))
			}
		}
	}
	for row := range pods {
		t.Errorf("the page has no row %q", row)
	}
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

// documentedPods has a pod for each row of the page.
func documentedPods() map[string]plantest.State {
	// with is a pod as podWith makes it, whose condition Ready is as a kubelet has it.
	with := func(policy corev1.RestartPolicy, phase corev1.PodPhase, ready corev1.ConditionStatus, statuses statusOf) plantest.State {
		return func(pod *corev1.Pod) {
			like := podWith(policy, phase, statuses)
			pod.Spec, pod.Status = like.Spec, like.Status
			pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}
		}
	}
	const always, never, pending, running = corev1.RestartPolicyAlways, corev1.RestartPolicyNever, corev1.PodPending, corev1.PodRunning
	waits := statusOf{"main": waiting, "other": waiting}
	return map[string]plantest.State{
		"is pending": plantest.Pending,
		"is scheduled, pulls images or runs init containers": with(always, pending, "False", waits),
		"has an init container that fails":                   with(always, pending, "False", statusOf{"main": waiting, "other": waiting, "load": crashed}),
		"is starting: its containers haven't passed their startup probes yet": with(always, running, "False", statusOf{
			"main": starting, "other": starting, "load": endedWell, "proxy": ready}),
		"is ready":                          plantest.Ready,
		"runs, and a container isn't ready": with(always, running, "False", statusOf{"main": unready, "other": ready}),
		"has containers that are all ready, and isn't ready itself (a readiness gate)": with(always, running, "False", statusOf{"main": ready, "other": ready}),
		"is crash-looping, or starts again after a container's end":                    with(always, running, "False", statusOf{"main": crashed, "other": ready}),
		"has a container that ended with 0 and isn't to be restarted, beside running ones": with(never, running, "True", statusOf{
			"main": endedWell, "other": ready}),
		"has a container that ended with another code, beside running ones": with(never, running, "False", statusOf{"main": endedBadly, "other": ready}),
		"has a sidecar that isn't ready, or has ended, while its containers run": with(never, running, "False", statusOf{
			"main": ready, "other": ready, "proxy": endedWell}),
		"has a sidecar that is being stopped since all containers ended well": with(never, running, "False", statusOf{
			"main": endedWell, "other": endedWell, "proxy": killedByEnd}),
		"succeeded": plantest.Succeeded,
		"failed":    failed,
		"was evicted by its kubelet (it failed), until its successor is there": func(pod *corev1.Pod) {
			failed(pod)
			pod.Status.Reason = "Evicted"
		},
		"is terminating: deleted, evicted by a drain, or preempted by the scheduler": func(pod *corev1.Pod) {
			plantest.Terminating(pod)
			disrupted(pod, corev1.PodReasonPreemptionByScheduler)
		},
		"is on a node that is silent: kube-controller-manager makes it unready, and the kubelet's last word on containers stands": func(pod *corev1.Pod) {
			plantest.Ready(pod)
			pod.Status.Conditions[0].Status = corev1.ConditionFalse
		},
		"is on a lost node, and was deleted": func(pod *corev1.Pod) {
			plantest.Terminating(pod)
			pod.DeletionGracePeriodSeconds = ptr.To[int64](0)
		},
	}
}
