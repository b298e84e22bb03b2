package podclique_test

import (
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
)

// When a failed pod is replaced follows from the pod alone, so that a restart of the operator changes nothing.
func TestFailedPodsAreReplaced(t *testing.T) {
	const never = -1
	ago := func(d time.Duration) metav1.Time { return metav1.NewTime(plantest.Now.Add(-d)) }
	ended := func(after time.Duration) func(*corev1.Pod) {
		return func(pod *corev1.Pod) {
			pod.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, FinishedAt: ago(after)}}}}
		}
	}
	for name, test := range map[string]struct {
		failures int // of predecessors in a row; never without an annotation
		created  time.Duration
		failed   func(*corev1.Pod)
		// again is after what time it is replaced; 0 for now.
		again time.Duration
		// next is what the successor bears.
		next string
	}{
		"the first":                            {never, time.Minute, ended(0), 0, "1"},
		"the second, just now":                 {1, time.Minute, ended(0), time.Second, ""},
		"the second, a second ago":             {1, time.Minute, ended(time.Second), 0, "2"},
		"the third, a second ago":              {2, time.Minute, ended(time.Second), time.Second, ""},
		"the sixth, just now":                  {5, time.Minute, ended(0), 16 * time.Second, ""},
		"the tenth, just now":                  {9, time.Minute, ended(0), 256 * time.Second, ""},
		"the eleventh, just now":               {10, time.Minute, ended(0), 5 * time.Minute, ""},
		"the hundredth, just now":              {99, time.Minute, ended(0), 5 * time.Minute, ""},
		"the hundredth, five minutes ago":      {99, 6 * time.Minute, ended(5 * time.Minute), 0, "100"},
		"after a long life":                    {99, time.Hour, ended(time.Second), 0, "1"},
		"after a life that wasn't long enough": {3, 10 * time.Minute, ended(0), 4 * time.Second, ""},
		"evicted": {2, time.Minute, func(pod *corev1.Pod) {
			pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, LastTransitionTime: ago(time.Second)}}
		}, time.Second, ""},
		"refused by the kubelet as it started": {2, time.Minute, func(pod *corev1.Pod) { pod.Status.StartTime = ptr.To(ago(time.Second)) }, time.Second, ""},
		"nothing says when":                    {2, time.Second, func(*corev1.Pod) {}, time.Second, ""},
		"an annotation that nobody wrote so":   {-7, time.Minute, ended(0), 0, "1"},
		"the clock of its node is ahead":       {never, time.Minute, ended(-time.Hour), 0, "1"},
		"ahead, after others":                  {3, time.Second, ended(-time.Hour), 3 * time.Second, ""},
	} {
		t.Run(name, func(t *testing.T) {
			clique := plantest.Clique(t, plantest.Workers(), "train-worker-0", plantest.AllPods)
			pod := clique.Pods[3]
			pod.CreationTimestamp = ago(test.created)
			pod.Status.Phase = corev1.PodFailed
			if test.failures != never {
				pod.Annotations = map[string]string{v1alpha1.AnnotationFailures: strconv.Itoa(test.failures)}
			}
			test.failed(pod)
			actions := clique.Actions(plantest.Now)
			if actions.Again != test.again || len(actions.Replace) != int(plan.One(test.again == 0)) {
				t.Fatalf("%d are replaced, and it is tried again after %s; want %s", len(actions.Replace), actions.Again, test.again)
			}
			for _, replacement := range actions.Replace {
				successor := replacement.Successor
				if got := successor.Config.Annotations[v1alpha1.AnnotationFailures]; replacement.Failed != pod || *successor.Config.Name != pod.Name ||
					got != test.next || successor.Group != "train-0-group-1" {
					t.Errorf("the successor %s in %s bears %q; want %q", *successor.Config.Name, successor.Group, got, test.next)
				}
			}
		})
	}
}

// Of several that failed, the one that is due first says when to look again.
func TestTheFirstThatIsDueIsLookedAtAgain(t *testing.T) {
	clique := plantest.Clique(t, plantest.Workers(), "train-worker-0", plantest.AllPods)
	for n, failures := range []string{"4", "2", "", "9"} {
		pod := clique.Pods[n]
		pod.CreationTimestamp, pod.Status.Phase = metav1.NewTime(plantest.Now), corev1.PodFailed
		pod.Annotations = map[string]string{v1alpha1.AnnotationFailures: failures}
	}
	if actions := clique.Actions(plantest.Now); actions.Again != 2*time.Second || len(actions.Replace) != 1 {
		t.Errorf("%d are replaced, the rest is looked at after %s", len(actions.Replace), actions.Again)
	}
}

// A successor waits for its group, as any pod does, and its predecessor stays so long.
func TestSuccessorsWaitForTheirGroup(t *testing.T) {
	clique := plantest.Clique(t, plantest.Workers(), "train-worker-0", plantest.AllPods)
	clique.Pods[3].Status.Phase = corev1.PodFailed
	clique.SchedulerGroups = func(string) plan.SchedulerGroup { return plan.SchedulerGroup{Taken: "it is terminating"} }
	if actions := clique.Actions(plantest.Now); len(actions.Replace) > 0 {
		t.Errorf("%s is replaced", actions.Replace[0].Failed.Name)
	}
}

// What counts its predecessors stays on a pod whose labels change.
func TestRelabelKeepsTheFailures(t *testing.T) {
	clique := plantest.Clique(t, plantest.Workers(), "train-worker-0", plantest.AllPods)
	clique.Pods[0].Annotations = map[string]string{v1alpha1.AnnotationFailures: "3"}
	if relabel := clique.Actions(plantest.Now).Relabel; len(relabel) > 0 {
		t.Errorf("%s is relabelled", *relabel[0].Name)
	}
	delete(clique.Pods[0].Labels, v1alpha1.LabelRole)
	relabel := clique.Actions(plantest.Now).Relabel
	if len(relabel) != 1 || relabel[0].Annotations[v1alpha1.AnnotationFailures] != "3" {
		t.Errorf("a pod is relabelled: %v", relabel)
	}
}
