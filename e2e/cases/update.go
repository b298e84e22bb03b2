package cases

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/e2e-framework/pkg/features"
	e2etypes "sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/e2e/cluster"
)

// newRolling is a set with a standalone clique of 3 pods and a scaling group of 3 replicas of 2 pods, of each of which 1 is needed.
func newRolling(replicas int32) *v1alpha1.PodCliqueSet {
	set := newSet("web", replicas, newClique("front", 3, 1), newClique("worker", 2, 2))
	set.Spec.Template.PodCliqueScalingGroups = []v1alpha1.PodCliqueScalingGroupConfig{newGroup("team", 3, 1, "worker")}
	return set
}

func rollingPods(replicas int) []string {
	var names []string
	for i := range replicas {
		names = append(names, podNames(fmt.Sprintf("web-front-%d", i), 3)...)
		for g := range 3 {
			names = append(names, podNames(fmt.Sprintf("web-worker-%d-%d", i, g), 2)...)
		}
	}
	return names
}

// roll gives all cliques of a set another podSpec, which says so in the environment.
func (s *scope) roll(set, version string) {
	s.Helper()
	s.change(set, func(set *v1alpha1.PodCliqueSet) { setVersion(set, version) })
}

func setVersion(set *v1alpha1.PodCliqueSet, version string) {
	for i := range set.Spec.Template.Cliques {
		set.Spec.Template.Cliques[i].Spec.PodSpec.Containers[0].Env = []corev1.EnvVar{{Name: "VERSION", Value: version}}
	}
}

// waitUntilUpdated waits until the last update of a set has ended, and all its pods are of the template.
func (s *scope) waitUntilUpdated(name string) *v1alpha1.PodCliqueSet {
	s.Helper()
	return s.waitForSet(name, "updated", func(set *v1alpha1.PodCliqueSet) string {
		progress := set.Status.RollingUpdateProgress
		if set.Status.ObservedGeneration == set.Generation && progress != nil && progress.UpdateEndedAt != nil &&
			set.Status.UpdatedReplicas == set.Spec.Replicas && set.Status.Phase == v1alpha1.PodCliqueSetAvailable {
			return ""
		}
		return fmt.Sprintf("generation %d, status %+v, progress %+v", set.Generation, set.Status, progress)
	})
}

// mustBeVersion fails the test unless all pods of a set are of a version.
func (s *scope) mustBeVersion(set, version string) {
	s.Helper()
	all, err := s.podsOf(set)
	if err != nil {
		s.Fatal(err)
	}
	for i := range all {
		if got := versionOf(&all[i]); got != version {
			s.Errorf("pod %s has version %q, want %q", all[i].Name, got, version)
		}
	}
}

func versionOf(pod *corev1.Pod) string {
	for _, variable := range pod.Spec.Containers[0].Env {
		if variable.Name == "VERSION" {
			return variable.Value
		}
	}
	return ""
}

// podWatch sees every state of a set's pods.
type podWatch struct {
	watch watch.Interface
	done  sync.WaitGroup
	ready map[string]bool
	// states is how many it saw, and broken what was wrong with the first that was.
	states int
	broken string
}

// watchPods checks every state of a set's pods, from that where all of those named are ready, by which of them are ready.
func (s *scope) watchPods(set string, names []string, wrong func(ready map[string]bool) string) *podWatch {
	s.Helper()
	list, err := s.core.CoreV1().Pods(s.namespace).List(s.ctx, metav1.ListOptions{LabelSelector: ofSet(set)})
	if err != nil {
		s.Fatal(err)
	}
	w := &podWatch{ready: map[string]bool{}}
	for _, name := range names {
		w.ready[name] = true
	}
	w.watch, err = s.core.CoreV1().Pods(s.namespace).Watch(s.ctx, metav1.ListOptions{LabelSelector: ofSet(set), ResourceVersion: list.ResourceVersion})
	if err != nil {
		s.Fatal(err)
	}
	w.done.Go(func() {
		for event := range w.watch.ResultChan() {
			pod, ok := event.Object.(*corev1.Pod)
			if !ok {
				continue
			}
			w.states++
			w.ready[pod.Name] = event.Type != watch.Deleted && isReady(pod) && (s.Kind != nil || hasItsImages(pod))
			if says := wrong(w.ready); says != "" && w.broken == "" {
				w.broken = fmt.Sprintf("after %d states, with %s %s: %s", w.states, event.Type, pod.Name, says)
			}
		}
	})
	return w
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

// rollsByOne says what is wrong where more than one pod of a standalone clique, more than one group replica, or more than one replica of
// the set of newRolling is away.
func rollsByOne(ready map[string]bool) string {
	away := map[string]map[string]bool{}
	replicas := map[string]bool{}
	for name, is := range ready {
		if is {
			continue
		}
		part := strings.Split(name, "-")
		clique, replica, unit := part[1], part[2], part[3]
		key := clique + "-" + replica
		if away[key] == nil {
			away[key] = map[string]bool{}
		}
		away[key][unit] = true
		replicas[replica] = true
	}
	for clique, units := range away {
		if len(units) > 1 {
			return fmt.Sprintf("%s lacks %v", clique, slices.Sorted(maps.Keys(units)))
		}
	}
	if len(replicas) > 1 || len(away) > 1 {
		return fmt.Sprintf("several parts are away at once: %v", away)
	}
	return ""
}

// RollingUpdate checks that an edit reaches all pods, one replica, one group replica, one pod at a time, through everything that may
// happen meanwhile.
func RollingUpdate() e2etypes.Feature {
	return features.New("rolling update").
		Setup(step(func(s *scope) {
			s.create(newRolling(2))
			s.waitForPods("web", rollingPods(2))
			s.waitUntilAvailable("web")
		})).
		Assess("takes one unit away at a time", step(func(s *scope) {
			watched := s.watchPods("web", rollingPods(2), rollsByOne)
			s.roll("web", "1")
			set := s.waitUntilUpdated("web")
			watched.check(s)
			s.mustBeVersion("web", "1")
			progress := set.Status.RollingUpdateProgress
			if got := fmt.Sprint(progress.UpdatedPodCliqueScalingGroups, progress.UpdatedPodCliques, progress.CurrentlyUpdating); got != "[team] [front] <nil>" {
				s.Errorf("progress at the end: %s", got)
			}
		})).
		Assess("can be overtaken by another", step(func(s *scope) {
			watched := s.watchPods("web", rollingPods(2), rollsByOne)
			s.roll("web", "2")
			s.waitForVersions("web", "2")
			s.roll("web", "3")
			s.waitUntilUpdated("web")
			watched.check(s)
			s.mustBeVersion("web", "3")
		})).
		Assess("can be reverted", step(func(s *scope) {
			s.roll("web", "4")
			s.waitForVersions("web", "4")
			before := s.podUIDs("web")
			s.roll("web", "3")
			untouched := s.ofVersion("web", "3")
			s.waitUntilUpdated("web")
			s.mustBeVersion("web", "3")
			after := s.podUIDs("web")
			for name := range untouched {
				if before[name] == untouched[name] && strings.HasPrefix(name, "web-front-1") && after[name] != before[name] {
					s.Errorf("pod %s matched, and was replaced", name)
				}
			}
		})).
		Assess("keeps a history", step(func(s *scope) {
			revisions, err := s.core.AppsV1().ControllerRevisions(s.namespace).List(s.ctx, metav1.ListOptions{LabelSelector: ofSet("web")})
			if err != nil {
				s.Fatal(err)
			}
			if len(revisions.Items) != 5 {
				s.Errorf("%d ControllerRevisions, want 5", len(revisions.Items))
			}
		})).
		Assess("restarts by an annotation", step(func(s *scope) {
			before := s.podUIDs("web")
			s.mustKubectl("annotate", "pcs/web", v1alpha1.AnnotationRestartedAt+"=now")
			s.eventually("other pods", func() (string, error) {
				for name, uid := range s.podUIDs("web") {
					if before[name] == uid {
						return name + " is still the same", nil
					}
				}
				return "", nil
			})
			s.waitUntilUpdated("web")
		})).
		Feature()
}

// waitForVersions waits until a pod of a set is of a version, and ready.
func (s *scope) waitForVersions(set, version string) {
	s.Helper()
	s.eventually("a ready pod of version "+version, func() (string, error) {
		all, err := s.podsOf(set)
		if err != nil {
			return "", err
		}
		for i := range all {
			if versionOf(&all[i]) == version && isReady(&all[i]) {
				return "", nil
			}
		}
		return "none", nil
	})
}

// ofVersion are the UIDs of those pods of a set that are of a version.
func (s *scope) ofVersion(set, version string) map[string]types.UID {
	s.Helper()
	all, err := s.podsOf(set)
	if err != nil {
		s.Fatal(err)
	}
	uids := map[string]types.UID{}
	for i := range all {
		if versionOf(&all[i]) == version {
			uids[all[i].Name] = all[i].UID
		}
	}
	return uids
}

// UpdateOfBroken checks that a set none of whose pods works is repaired by an edit alone, in one wave.
func UpdateOfBroken() e2etypes.Feature {
	var before map[string]types.UID
	return features.New("update of what is broken").
		Setup(step(func(s *scope) {
			set := newRolling(2)
			for i := range set.Spec.Template.Cliques {
				clique := &set.Spec.Template.Cliques[i]
				clique.Annotations = map[string]string{cluster.AnnotationNobody: cluster.AnnotationNobodyValue}
				// There is nobody to end them, either.
				clique.Spec.PodSpec.TerminationGracePeriodSeconds = ptr.To[int64](0)
			}
			s.create(set)
			s.waitForBound(rollingPods(2))
			before = s.podUIDs("web")
		})).
		Assess("replaces all at once", step(func(s *scope) {
			s.roll("web", "1")
			s.eventually("other pods, none of which is ready", func() (string, error) {
				now := s.ofVersion("web", "1")
				for _, name := range rollingPods(2) {
					if uid, ok := now[name]; !ok || uid == before[name] {
						return name + " is still the same", nil
					}
				}
				return "", nil
			})
		})).
		Assess("ends once they are ready", step(func(s *scope) {
			s.waitForBound(rollingPods(2))
			for _, name := range rollingPods(2) {
				s.makeReady(name)
			}
			s.waitUntilUpdated("web")
		})).
		Feature()
}

// UpdateHeldBack checks what holds an update back: a pause, a partition, a deadline, and OnDelete.
func UpdateHeldBack() e2etypes.Feature {
	strategy := func(s *scope, change func(strategy *v1alpha1.UpdateStrategy)) {
		s.change("web", func(set *v1alpha1.PodCliqueSet) { change(&set.Spec.UpdateStrategy) })
	}
	progressing := func(s *scope, reason string) {
		s.Helper()
		s.waitForSet("web", reason, func(set *v1alpha1.PodCliqueSet) string {
			condition := meta.FindStatusCondition(set.Status.Conditions, v1alpha1.ConditionProgressing)
			if condition != nil && condition.Reason == reason && condition.ObservedGeneration == set.Generation {
				return ""
			}
			return fmt.Sprintf("%+v", set.Status.Conditions)
		})
	}
	return features.New("update held back").
		Setup(step(func(s *scope) {
			s.create(newSet("web", 3, newClique("front", 2, 2)))
			s.waitUntilAvailable("web")
		})).
		Assess("by a pause", step(func(s *scope) {
			strategy(s, func(strategy *v1alpha1.UpdateStrategy) { strategy.Paused = true })
			before := s.podUIDs("web")
			s.roll("web", "1")
			progressing(s, v1alpha1.ReasonPaused)
			s.bringUpAnother()
			s.mustKeep(before, s.podUIDs("web"))
		})).
		Assess("by a partition", step(func(s *scope) {
			strategy(s, func(strategy *v1alpha1.UpdateStrategy) { strategy.Paused, strategy.Partition = false, 2 })
			s.waitForSet("web", "one replica updated", func(set *v1alpha1.PodCliqueSet) string {
				if progress := set.Status.RollingUpdateProgress; set.Status.UpdatedReplicas == 1 && progress.UpdateEndedAt != nil {
					return ""
				}
				return fmt.Sprintf("%+v", set.Status)
			})
			for name, version := range map[string]string{"web-front-0-0": "", "web-front-1-1": "", "web-front-2-0": "1", "web-front-2-1": "1"} {
				if got := versionOf(s.pod(name)); got != version {
					s.Errorf("pod %s has version %q, want %q", name, got, version)
				}
			}
		})).
		Assess("and a pod that is lost below it comes back as it was", step(func(s *scope) {
			uid := s.pod("web-front-0-0").UID
			s.delete(pods, "web-front-0-0", metav1.DeleteOptions{})
			s.waitForReplacement(pods, "web-front-0-0", uid)
			if got := versionOf(s.pod("web-front-0-0")); got != "" {
				s.Errorf("it has version %q", got)
			}
			strategy(s, func(strategy *v1alpha1.UpdateStrategy) { strategy.Partition = 0 })
			s.waitUntilUpdated("web")
			s.mustBeVersion("web", "1")
		})).
		Assess("while it is scaled", step(func(s *scope) {
			s.change("web", func(set *v1alpha1.PodCliqueSet) {
				setVersion(set, "2")
				set.Spec.Replicas = 5
			})
			s.waitForVersions("web", "2")
			s.change("web", func(set *v1alpha1.PodCliqueSet) { set.Spec.Replicas = 2 })
			s.waitUntilUpdated("web")
			s.mustBeVersion("web", "2")
			s.mustExist("web", podNames("web-front-0", 2), podNames("web-front-1", 2))
		})).
		Assess("by OnDelete", step(func(s *scope) {
			strategy(s, func(strategy *v1alpha1.UpdateStrategy) { strategy.Type = v1alpha1.OnDelete })
			before := s.podUIDs("web")
			s.roll("web", "3")
			s.bringUpAnother()
			s.mustKeep(before, s.podUIDs("web"))
			for i := range 2 {
				name := "web-front-" + strconv.Itoa(i) + "-1"
				s.delete(pods, name, metav1.DeleteOptions{})
				s.waitForReplacement(pods, name, before[name])
				if got := versionOf(s.pod(name)); got != "3" {
					s.Errorf("pod %s has version %q", name, got)
				}
			}
		})).
		Feature()
}

// UpdateInterrupted checks that an update whose operator dies in the middle, again and again, goes on from what it finds, and takes no
// more away than it would have.
func UpdateInterrupted() e2etypes.Feature {
	const kills = 4
	return features.New("update interrupted").
		Assess("goes on where it was", step(func(s *scope) {
			operator := s.startOperator()
			s.create(newRolling(2))
			s.waitForPods("web", rollingPods(2))
			s.waitUntilAvailable("web")
			watched := s.watchPods("web", rollingPods(2), rollsByOne)
			s.roll("web", "1")
			for kill := range kills {
				// Each time a bit later.
				s.eventually("pods of the new version", func() (string, error) {
					if have, want := len(s.ofVersion("web", "1")), 1+4*kill; have < want {
						return fmt.Sprintf("%d of %d", have, want), nil
					}
					return "", nil
				})
				if err := operator.Kill(); err != nil {
					s.Fatal(err)
				}
				operator = s.startOperator()
			}
			s.waitUntilUpdated("web")
			watched.check(s)
			s.mustBeVersion("web", "1")
			s.stop(operator)
		})).
		Feature()
}
