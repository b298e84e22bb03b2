package podclique_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/controllers/plan/plantest"
)

// A node that rejects pods as soon as they are bound, or a container that ends as soon as it starts, makes no storm: of one pod, at most 10
// are created in a minute, however often somebody looks, and none is forgotten.
func TestPodsThatFailAtOnceMakeNoStorm(t *testing.T) {
	const step = 10 * time.Millisecond
	for name, fail := range map[string]func(pod *corev1.Pod, at metav1.Time){
		"rejected by the kubelet": func(pod *corev1.Pod, at metav1.Time) {
			pod.Status = corev1.PodStatus{Phase: corev1.PodFailed, Reason: "UnexpectedAdmissionError", StartTime: &at}
		},
		"a container ended, restartPolicy Never": func(pod *corev1.Pod, at metav1.Time) {
			pod.Spec.RestartPolicy = corev1.RestartPolicyNever
			pod.Status = corev1.PodStatus{Phase: corev1.PodFailed, StartTime: &at, ContainerStatuses: []corev1.ContainerStatus{{
				Name: "main", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, StartedAt: at, FinishedAt: at}},
			}}}
		},
		"evicted by the kubelet": func(pod *corev1.Pod, at metav1.Time) {
			pod.Status = corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", StartTime: &at, Conditions: []corev1.PodCondition{{
				Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "TerminationByKubelet", LastTransitionTime: at,
			}}}
		},
		"nothing says when": func(pod *corev1.Pod, _ metav1.Time) { pod.Status.Phase = corev1.PodFailed },
	} {
		t.Run(name, func(t *testing.T) {
			clique := plantest.Clique(t, plantest.Workers(), "train-alone-0", nil)
			var created []time.Duration
			for since := time.Duration(0); since < time.Minute; since += step {
				now := plantest.Now.Add(since)
				actions := clique.Actions(now)
				made := actions.Create
				for _, replacement := range actions.Replace {
					made = append(made, replacement.Successor)
				}
				if len(made) == 0 && actions.Again == 0 {
					t.Fatalf("nobody looks again after %s, when created at %v", since, created)
				}
				if len(made) == 0 {
					continue
				}
				created = append(created, since)
				clique.Pods = plantest.PodsOf(made)
				// What the API server and kubelets write has whole seconds.
				at := metav1.NewTime(now.Truncate(time.Second))
				clique.Pods[0].CreationTimestamp = at
				fail(clique.Pods[0], at)
			}
			if len(created) < 5 || len(created) > 10 {
				t.Errorf("created %d times: %v", len(created), created)
			}
		})
	}
}

// What a kubelet restarts in place is no failed pod, and one that ended well isn't made again, as users of restartPolicy know them.
func TestRestartPolicies(t *testing.T) {
	const always, onFailure, never = corev1.RestartPolicyAlways, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever
	ended := func(code int32) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, FinishedAt: metav1.NewTime(plantest.Now)}}
	}
	for name, test := range map[string]struct {
		policy   corev1.RestartPolicy
		phase    corev1.PodPhase
		state    corev1.ContainerState
		replaced bool
	}{
		"Always, ended badly, about to be restarted":    {always, corev1.PodRunning, ended(1), false},
		"Always, ended well, about to be restarted":     {always, corev1.PodRunning, ended(0), false},
		"OnFailure, ended badly, about to be restarted": {onFailure, corev1.PodRunning, ended(1), false},
		"OnFailure, ended well":                         {onFailure, corev1.PodSucceeded, ended(0), false},
		"OnFailure, evicted":                            {onFailure, corev1.PodFailed, ended(137), true},
		"Never, ended badly":                            {never, corev1.PodFailed, ended(1), true},
		"Never, ended well":                             {never, corev1.PodSucceeded, ended(0), false},
		"Never, one of two ended badly":                 {never, corev1.PodRunning, ended(1), false},
	} {
		t.Run(name, func(t *testing.T) {
			clique := plantest.Clique(t, plantest.Workers(), "train-alone-0", plantest.AllPods)
			pod := clique.Pods[0]
			pod.CreationTimestamp, pod.Spec.RestartPolicy = metav1.NewTime(plantest.Now.Add(-time.Minute)), test.policy
			pod.Status = corev1.PodStatus{Phase: test.phase, ContainerStatuses: []corev1.ContainerStatus{{Name: "main", State: test.state, Started: ptr.To(false)}}}
			actions := clique.Actions(plantest.Now)
			if replaced := len(actions.Replace) == 1; replaced != test.replaced || len(actions.Create)+len(actions.Delete)+len(actions.Relabel) > 0 {
				t.Errorf("replaced: %v; actions %+v", replaced, actions)
			}
		})
	}
}
