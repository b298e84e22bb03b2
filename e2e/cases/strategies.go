package cases

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apitypes "k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
)

// setImage edits the image of every clique of a set, as an update does.
func (s *scope) setImage(set, image string) {
	s.Helper()
	s.change(set, func(set *v1alpha1.PodCliqueSet) {
		for i := range set.Spec.Template.Cliques {
			set.Spec.Template.Cliques[i].Spec.PodSpec.Containers[0].Image = image
		}
	})
}

// waitUntilOfImage waits until an update has ended, and returns the UIDs of the pods, which are all of an image.
func (s *scope) waitUntilOfImage(name, image string, pods ...[]string) map[string]apitypes.UID {
	s.Helper()
	s.waitForSet(name, "end of the update", func(set *v1alpha1.PodCliqueSet) string {
		progress := set.Status.RollingUpdateProgress
		if set.Status.ObservedGeneration != set.Generation || progress == nil || progress.UpdateEndedAt == nil || progress.CurrentlyUpdating != nil ||
			set.Status.UpdatedReplicas != set.Spec.Replicas || set.Status.Phase != v1alpha1.PodCliqueSetAvailable {
			return fmt.Sprintf("phase %s, %d updated, progress %+v, conditions %+v", set.Status.Phase, set.Status.UpdatedReplicas, progress, set.Status.Conditions)
		}
		return ""
	})
	uids := s.waitForPods(name, pods...)
	all, err := s.podsOf(name)
	if err != nil {
		s.Fatal(err)
	}
	for i := range all {
		if got := all[i].Spec.Containers[0].Image; got != image {
			s.Errorf("pod %s has the image %s, want %s", all[i].Name, got, image)
		}
	}
	return uids
}

// mustReplace fails the test unless none of the pods named is one from before.
func (s *scope) mustReplace(before, after map[string]apitypes.UID) {
	s.Helper()
	for name, uid := range after {
		if before[name] == uid {
			s.Errorf("pod %s wasn't replaced", name)
		}
	}
}

// overlook watches the pods of a set until the returned function is called, which returns the most parts that weren't ready at once.
func (s *scope) overlook(set string, partOf func(pod *corev1.Pod) string) (most func() []string) {
	s.Helper()
	ctx, cancel := context.WithCancel(s.ctx)
	list, err := s.core.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{LabelSelector: ofSet(set)})
	if err != nil {
		s.Fatal(err)
	}
	ready := map[string]map[string]bool{}
	note := func(pod *corev1.Pod, up bool) {
		part := partOf(pod)
		if ready[part] == nil {
			ready[part] = map[string]bool{}
		}
		ready[part][pod.Name] = up
	}
	for i := range list.Items {
		note(&list.Items[i], true)
	}
	events, err := s.core.CoreV1().Pods(s.namespace).Watch(ctx, metav1.ListOptions{LabelSelector: ofSet(set), ResourceVersion: list.ResourceVersion})
	if err != nil {
		s.Fatal(err)
	}
	var worst []string
	var done sync.WaitGroup
	done.Go(func() {
		for event := range events.ResultChan() {
			pod, ok := event.Object.(*corev1.Pod)
			if !ok {
				continue
			}
			note(pod, event.Type != watch.Deleted && pod.DeletionTimestamp == nil && isReady(pod))
			var down []string
			for part, pods := range ready {
				if slices.Contains(slices.Collect(maps.Values(pods)), false) {
					down = append(down, part)
				}
			}
			if len(down) > len(worst) {
				worst = down
			}
		}
	})
	return func() []string {
		cancel()
		events.Stop()
		done.Wait()
		return worst
	}
}

// UpdateStrategies checks updates that are paused, left to people, coherent, or repair what is broken.
func UpdateStrategies() types.Feature {
	base0, scaled0 := duoPods("duo", 0)
	base1, scaled1 := duoPods("duo", 1)
	all := slices.Concat(base0, scaled0, base1, scaled1)
	var before map[string]apitypes.UID
	return features.New("update strategies").
		Setup(step(func(s *scope) {
			s.create(newDuo("duo", longDelay))
			before = s.waitForPods("duo", all)
			s.waitUntilAvailable("duo")
		})).
		Assess("paused", step(func(s *scope) {
			s.change("duo", func(set *v1alpha1.PodCliqueSet) { set.Spec.UpdateStrategy.Paused = true })
			s.setImage("duo", "example.com/v2")
			s.waitForSet("duo", "Paused", func(set *v1alpha1.PodCliqueSet) string {
				for _, condition := range set.Status.Conditions {
					if condition.Type == v1alpha1.ConditionProgressing && condition.Reason == v1alpha1.ReasonPaused {
						return ""
					}
				}
				return fmt.Sprintf("%+v", set.Status.Conditions)
			})
			s.mustKeep(before, s.waitForPods("duo", all))
			s.delete(pods, "duo-a-1-1", metav1.DeleteOptions{})
			before = s.waitForSuccessors("duo", before, "duo-a-1-1")
			if image := s.pod("duo-a-1-1").Spec.Containers[0].Image; image == "example.com/v2" {
				s.Error("a pod that was lost elsewhere came back with the new podSpec")
			}
			s.change("duo", func(set *v1alpha1.PodCliqueSet) { set.Spec.UpdateStrategy.Paused = false })
			before = s.waitUntilOfImage("duo", "example.com/v2", all)
		})).
		Assess("OnDelete", step(func(s *scope) {
			s.change("duo", func(set *v1alpha1.PodCliqueSet) { set.Spec.UpdateStrategy.Type = v1alpha1.OnDelete })
			s.setImage("duo", "example.com/v3")
			s.waitForPodCliquesOf("duo", "example.com/v3")
			s.delete(pods, "duo-a-0-1", metav1.DeleteOptions{})
			before = s.waitForSuccessors("duo", before, "duo-a-0-1")
			if image := s.pod("duo-a-0-1").Spec.Containers[0].Image; image != "example.com/v3" {
				s.Errorf("the pod that was deleted has image %s", image)
			}
			s.mustKubectl("delete", "pods", "--selector="+ofSet("duo"))
			before = s.waitUntilOfImage("duo", "example.com/v3", all)
		})).
		Assess("OnDelete, and then left to Grove", step(func(s *scope) {
			s.setImage("duo", "example.com/v3b")
			s.waitForPodCliquesOf("duo", "example.com/v3b")
			s.mustKeep(before, s.waitForPods("duo", all))
			replicas := s.overlook("duo", func(pod *corev1.Pod) string { return pod.Labels[v1alpha1.LabelPodGang] })
			s.change("duo", func(set *v1alpha1.PodCliqueSet) { set.Spec.UpdateStrategy.Type = v1alpha1.RollingRecreate })
			after := s.waitUntilOfImage("duo", "example.com/v3b", all)
			if down := replicas(); len(down) != 1 {
				s.Errorf("replicas were down at once: %v", down)
			}
			s.mustReplace(before, after)
			before = after
		})).
		Assess("Coherent", step(func(s *scope) {
			s.change("duo", func(set *v1alpha1.PodCliqueSet) { set.Spec.UpdateStrategy.Type = v1alpha1.Coherent })
			replicas := s.overlook("duo", func(pod *corev1.Pod) string { return pod.Labels[v1alpha1.LabelPodGang] })
			s.setImage("duo", "example.com/v4")
			s.mustReplace(before, s.waitUntilOfImage("duo", "example.com/v4", all))
			if down := replicas(); len(down) != 1 {
				s.Errorf("replicas were down at once: %v", down)
			}
		})).
		Assess("history", step(func(s *scope) {
			revisions := strings.Fields(s.mustKubectl("get", "controllerrevisions", "--selector="+ofSet("duo"), "--output=name"))
			if len(revisions) != 5 {
				s.Errorf("revisions: %v", revisions)
			}
			s.change("duo", func(set *v1alpha1.PodCliqueSet) { set.Spec.RevisionHistoryLimit = new(int32) })
			s.eventually("one revision", func() (string, error) {
				list, err := s.core.AppsV1().ControllerRevisions(s.namespace).List(s.ctx, metav1.ListOptions{LabelSelector: ofSet("duo")})
				if err != nil || len(list.Items) == 1 {
					return "", err
				}
				return fmt.Sprintf("%d revisions", len(list.Items)), nil
			})
		})).
		Feature()
}

// Repair checks that a set whose pods are all broken is repaired by an apply alone, in one wave.
func Repair() types.Feature {
	return features.New("repair of a broken podSpec").
		Assess("in one wave", step(func(s *scope) {
			set := s.onOwnNodes(newDuo("duo", longDelay))
			set.Spec.Template.Cliques[0].Spec.PodSpec.NodeSelector["missing"] = "true"
			s.create(set)
			base0, scaled0 := duoPods("duo", 0)
			base1, scaled1 := duoPods("duo", 1)
			s.addNodes(zone, rack, 8)
			s.waitForCondition("duo-1", v1alpha1.ConditionScheduled, metav1.ConditionFalse, says)
			s.change("duo", func(set *v1alpha1.PodCliqueSet) {
				delete(set.Spec.Template.Cliques[0].Spec.PodSpec.NodeSelector, "missing")
			})
			s.waitForPods("duo", base0, scaled0, base1, scaled1)
			s.waitUntilAvailable("duo")
		})).
		Feature()
}
