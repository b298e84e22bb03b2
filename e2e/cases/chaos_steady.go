package cases

import (
	"fmt"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// overtaken is how many updates there are for one that begins before the last has ended.
const overtaken = 4

// steady is a set that nobody does anything to but update it, in a namespace and on nodes of its own: whatever goes wrong with operators and
// the control plane, each state of its pods has to keep to the budget.
type steady struct {
	*scope
	version int
	watched *podWatch
}

const steadyReplicas = 2

// newSteady creates the set, and watches its pods once all are ready.
func (c *chaos) newSteady() *steady {
	c.Helper()
	s := &steady{scope: c.inAnotherNamespace()}
	s.addRooms(zone, rack, 4, 10)
	s.create(s.onOwnNodes(newRolling(steadyReplicas)))
	s.eventually("the steady set is available", s.missing)
	s.watched = s.followPods("web", rollingPods(steadyReplicas), rollsByOne)
	return s
}

// missing says what of the set isn't as its last version says.
func (s *steady) missing() (string, error) {
	set, err := s.grove.GroveV1alpha1().PodCliqueSets(s.namespace).Get(s.ctx, "web", metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	progress := set.Status.RollingUpdateProgress
	if set.Status.ObservedGeneration != set.Generation || set.Status.UpdatedReplicas != set.Spec.Replicas ||
		set.Status.AvailableReplicas != set.Spec.Replicas || s.version > 0 && (progress == nil || progress.UpdateEndedAt == nil) {
		return fmt.Sprintf("the steady set: generation %d, status %+v, progress %+v", set.Generation, set.Status, progress), nil
	}
	all, err := s.core.CoreV1().Pods(s.namespace).List(s.ctx, metav1.ListOptions{LabelSelector: ofSet("web") + ",!" + labelForeign})
	if err != nil {
		return "", err
	}
	left := map[string]bool{}
	for _, name := range rollingPods(steadyReplicas) {
		left[name] = true
	}
	for i := range all.Items {
		pod := &all.Items[i]
		if !left[pod.Name] || !isReady(pod) || s.version > 0 && versionOf(pod) != strconv.Itoa(s.version) {
			return fmt.Sprintf("pod %s of the steady set: %s, version %q", pod.Name, stateOf(pod), versionOf(pod)), nil
		}
		delete(left, pod.Name)
	}
	if len(left) > 0 {
		return fmt.Sprintf("pods of the steady set that don't exist: %v", left), nil
	}
	return "", nil
}

// updateSteady begins another update of the steady set, rarely while one is under way.
func (c *chaos) updateSteady() string {
	c.Helper()
	overtake := c.random.IntN(overtaken) == 0
	missing, err := c.steady.missing()
	c.must(err)
	if missing != "" && !overtake {
		return "nothing to update: an update is under way"
	}
	c.steady.version++
	c.steady.roll("web", strconv.Itoa(c.steady.version))
	return fmt.Sprintf("update the steady set to version %d, while one is under way: %t", c.steady.version, missing != "")
}

// check fails the test if a state of the steady set's pods broke the budget.
func (s *steady) check(c *chaos) {
	c.Helper()
	states, broken := s.watched.sofar()
	if broken != "" {
		c.Errorf("seed %d: the budget of an update was broken: %s", c.seed, broken)
	}
	c.Logf("%d states of the steady set's pods kept to the budget of %d updates", states, s.version)
}
