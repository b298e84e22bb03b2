package cases

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
)

// peersGoWithin is how soon the peers of a rank are deleted after its process has ended. Both times are whole seconds.
const peersGoWithin = 2 * time.Second

// RankExits checks, with real containers, that a rank whose process ends takes its group replica along at once, and nothing else.
func RankExits() types.Feature {
	group := func(g string) []string {
		return append(podNames("job-lead-0-"+g, 1), podNames("job-worker-0-"+g, 2)...)
	}
	return features.New("a rank exits").
		Assess("and its peers go with it", step(func(s *scope) {
			set := newSet("job", 1, newRealClique("front", 1, 1), newRealClique("lead", 1, 1), newRealClique("worker", 2, 2))
			team := newGroup("team", 2, 1, "lead", "worker")
			team.RestartPolicy = v1alpha1.RestartPolicyRecreateGroup
			set.Spec.Template.PodCliqueScalingGroups = []v1alpha1.PodCliqueScalingGroupConfig{team}
			s.apply(set)
			all := slices.Concat(podNames("job-front-0", 1), group("0"), group("1"))
			before := s.waitForPods("job", all)
			s.waitUntilAvailable("job")
			for _, rank := range []string{"job-worker-0-1-1", "job-lead-0-0-0"} {
				gone := group(rank[len(rank)-3 : len(rank)-2])
				changes := s.podChanges("job")
				s.fail(rank)
				ended, deleted := s.endOf(changes, rank, gone)
				for pod, at := range deleted {
					if late := at.Sub(ended); late > peersGoWithin || late < 0 {
						s.Errorf("%s was deleted %s after the process of %s had ended; want at most %s", pod, late, rank, peersGoWithin)
					}
				}
				before = s.waitForSuccessors("job", before, gone...)
				for _, slice := range []string{"job-lead-0-", "job-worker-0-"} {
					s.waitForAnEvent("job", v1alpha1.ReasonGangRestarted, "all pods of "+slice+rank[len(rank)-3:len(rank)-2]+" are recreated together")
				}
			}
		})).
		Feature()
}

// podChanges watches a set's pods until the end of the step.
func (s *scope) podChanges(set string) <-chan watch.Event {
	s.Helper()
	events, err := s.core.CoreV1().Pods(s.namespace).Watch(s.ctx, metav1.ListOptions{LabelSelector: ofSet(set), TimeoutSeconds: ptr.To(int64(patience.Seconds()))})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(events.Stop)
	return events.ResultChan()
}

// endOf waits until pods are deleted, and returns when each was, and when the process of one of them had ended. The deletionTimestamp of a pod is
// when its grace period ends.
func (s *scope) endOf(changes <-chan watch.Event, rank string, gone []string) (ended time.Time, deleted map[string]time.Time) {
	s.Helper()
	deleted = map[string]time.Time{}
	for change := range changes {
		pod, ok := change.Object.(*corev1.Pod)
		if !ok {
			break
		}
		for _, container := range pod.Status.ContainerStatuses {
			for _, state := range []corev1.ContainerState{container.LastTerminationState, container.State} {
				if state.Terminated != nil && pod.Name == rank && ended.IsZero() {
					ended = state.Terminated.FinishedAt.Time
				}
			}
		}
		if at := pod.DeletionTimestamp; at != nil && deleted[pod.Name].IsZero() {
			deleted[pod.Name] = at.Add(-time.Duration(*pod.DeletionGracePeriodSeconds) * time.Second)
		}
		if !ended.IsZero() && !slices.ContainsFunc(gone, func(name string) bool { return deleted[name].IsZero() }) {
			return ended, deleted
		}
	}
	s.Fatalf("the process of %s ended at %s; deleted: %v, want %v", rank, ended, deleted, gone)
	return ended, deleted
}
