package cases

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/e2e/cluster"
)

// Descriptions checks that kubectl describe is enough to understand a broken set: what of it is broken, since when, and what happens next.
func Descriptions() types.Feature {
	return features.New("kubectl describe").
		Assess("of a set in breach", step(func(s *scope) {
			s.create(newDuo("breached", longDelay))
			s.waitUntilAvailable("breached")
			s.breakPod("breached-a-1-0")
			s.waitForDescription("breached", "Phase: Degraded", "breached-a-1: 1 of 2 pods available, at least 2 needed, since 20",
				"gang unit breached-1 is terminated, and placed anew, at 20", "unless 1 more pod is available by then", "Warning MinAvailableBreached")
		})).
		Assess("of a set whose scaled unit is in breach", step(func(s *scope) {
			s.create(newDuo("scaled", longDelay))
			s.waitUntilAvailable("scaled")
			s.eventually("the scaled unit up", func() (string, error) {
				if s.unitOf("scaled-0", "scaled-0-x-1").AvailableSince == nil {
					return "not yet", nil
				}
				return "", nil
			})
			s.breakPod("scaled-b-0-1-0")
			s.waitForDescription("scaled", "Phase: Available", "every replica has its minimum; scaled-b-0-1: 0 of 1 pods available, at least 1 needed, since 20",
				"gang unit scaled-0-x-1 is terminated", "Warning MinAvailableBreached")
		})).
		Assess("of a set that was terminated and has no place", step(func(s *scope) {
			s.addNodes(zone, rack, 2)
			set := s.onOwnNodes(newSet("ended", 1, newClique("w", 2, 2)))
			set.Spec.Template.TerminationDelay = &metav1.Duration{Duration: time.Second}
			s.create(set)
			s.waitUntilAvailable("ended")
			s.cordon("", true)
			s.breakPod("ended-w-0-0")
			s.waitForDescription("ended", "Phase: Failed", "gang unit ended-0 was terminated at 20", "isn't ready again", says, "Warning GangTerminated")
		})).
		Assess("of a set without a place", step(func(s *scope) {
			s.create(s.onOwnNodes(newSet("homeless", 1, newClique("w", 3, 3))))
			s.waitForDescription("homeless", "Phase: Scheduling", "0 of 1 replicas available; homeless-w-0: 0 of 3 pods scheduled, at least 3 needed", says)
		})).
		Assess("of a set of which a pod is refused", step(func(s *scope) {
			set := newSet("refused", 1, newClique("w", 1, 1), newClique("sound", 1, 1))
			set.Spec.Template.Cliques[0].Spec.PodSpec.Containers[0].Image = ""
			s.create(set)
			s.waitForDescription("refused", "refused-w-0-0", "spec.containers[0].image: Required value", "change the PodCliqueSet refused accordingly", "Warning InvalidChild")
		})).
		Assess("of a set that starts", step(func(s *scope) {
			set := newSet("starting", 1, newClique("first", 2, 2))
			set.Spec.Template.Cliques[0].Annotations = map[string]string{cluster.AnnotationNobody: cluster.AnnotationNobodyValue}
			s.create(set)
			s.waitForDescription("starting", "0 of 1 replicas available; starting-first-0: 0 of 2 pods ready, at least 2 needed")
		})).
		Feature()
}

// waitForDescription waits until kubectl describe has all texts of a set, where any white space is as good as another, and logs it.
func (s *scope) waitForDescription(set string, texts ...string) {
	s.Helper()
	var description string
	s.eventually(fmt.Sprintf("kubectl describe podcliqueset %s", set), func() (string, error) {
		var err error
		if description, err = s.kubectl("describe", "podcliqueset", set); err != nil {
			return "", err
		}
		words := strings.Join(strings.Fields(description), " ")
		for _, text := range texts {
			if !strings.Contains(words, text) {
				return fmt.Sprintf("%q isn't in:\n%s", text, description), nil
			}
		}
		return "", nil
	})
	s.Log(description)
}
