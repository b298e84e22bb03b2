package cases

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"grove.io/grove/apis/grove/v1alpha1"
)

// says is how a condition quotes the scheduler.
const says = "the scheduler says: "

// waitForProblem waits until an object reports a problem with a child.
func (s *scope) waitForProblem(kind schema.GroupVersionResource, name, reason, message string) {
	s.Helper()
	s.waitForResourcesApplied(kind, name, func(c *metav1.Condition) bool {
		return c.Status == metav1.ConditionFalse && c.Reason == reason && strings.Contains(c.Message, message)
	})
}

// waitForSolution waits until an object reports no problem any more.
func (s *scope) waitForSolution(kind schema.GroupVersionResource, name string) {
	s.Helper()
	s.waitForResourcesApplied(kind, name, func(c *metav1.Condition) bool { return c.Status == metav1.ConditionTrue })
}

func (s *scope) waitForResourcesApplied(kind schema.GroupVersionResource, name string, want func(*metav1.Condition) bool) {
	s.Helper()
	s.eventually(fmt.Sprintf("%s %s: %s", kind.Resource, name, v1alpha1.ConditionResourcesApplied), func() (string, error) {
		object, err := s.dynamic.Resource(kind).Namespace(s.namespace).Get(s.ctx, name, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		var typed struct {
			Status struct {
				Conditions []metav1.Condition `json:"conditions"`
			} `json:"status"`
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &typed); err != nil {
			return "", err
		}
		condition := meta.FindStatusCondition(typed.Status.Conditions, v1alpha1.ConditionResourcesApplied)
		if condition != nil && want(condition) {
			return "", nil
		}
		return fmt.Sprintf("%+v", typed.Status.Conditions), nil
	})
}

// waitForCondition waits until a condition of a PodGang has a status and a message that contains all texts. A unit that the
// scheduler couldn't place has its words: it has tried by then.
func (s *scope) waitForCondition(podGang, kind string, status metav1.ConditionStatus, texts ...string) metav1.Condition {
	s.Helper()
	var found metav1.Condition
	s.eventually(fmt.Sprintf("condition %s=%s of PodGang %s with %q", kind, status, podGang, texts), func() (string, error) {
		gang, err := s.grove.GroveV1alpha1().PodGangs(s.namespace).Get(s.ctx, podGang, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		condition := meta.FindStatusCondition(gang.Status.Conditions, kind)
		if condition == nil || condition.Status != status {
			return fmt.Sprintf("%+v", gang.Status.Conditions), nil
		}
		for _, text := range texts {
			if !strings.Contains(condition.Message, text) {
				return fmt.Sprintf("%s: %s", condition.Reason, condition.Message), nil
			}
		}
		found = *condition
		return "", nil
	})
	return found
}

// waitForEvent waits until there is exactly one event of a reason about an object, that says something.
func (s *scope) waitForEvent(object, reason, message string) {
	s.Helper()
	s.waitForNotes(object, reason, func(notes []string) bool { return len(notes) == 1 && strings.Contains(notes[0], message) })
}

// waitForAnEvent waits until there is an event of a reason about an object that says something, beside others of the reason.
func (s *scope) waitForAnEvent(object, reason, message string) {
	s.Helper()
	s.waitForNotes(object, reason, func(notes []string) bool {
		return slices.ContainsFunc(notes, func(note string) bool { return strings.Contains(note, message) })
	})
}

// waitForNotes waits until events of a reason about an object say what is wanted.
func (s *scope) waitForNotes(object, reason string, wanted func(notes []string) bool) {
	s.Helper()
	s.eventually(fmt.Sprintf("events %s about %s", reason, object), func() (string, error) {
		events, err := s.core.EventsV1().Events(s.namespace).List(s.ctx, metav1.ListOptions{})
		if err != nil {
			return "", err
		}
		var notes []string
		for _, event := range events.Items {
			if event.Regarding.Name != object || event.Reason != reason {
				continue
			}
			notes = append(notes, event.Note)
			if event.Series != nil {
				notes = append(notes, fmt.Sprintf("the same %d times", event.Series.Count))
			}
		}
		if wanted(notes) {
			return "", nil
		}
		return strings.Join(notes, "\n") + "\n", nil
	})
}

// mustNotWarn fails the test if an event about an object is a warning.
func (s *scope) mustNotWarn(object string) {
	s.Helper()
	events, err := s.core.EventsV1().Events(s.namespace).List(s.ctx, metav1.ListOptions{})
	if err != nil {
		s.Fatal(err)
	}
	for _, event := range events.Items {
		if event.Regarding.Name == object && event.Type == corev1.EventTypeWarning {
			s.Errorf("event %s: %s", event.Reason, event.Note)
		}
	}
}

func (s *scope) checkMentions(text string, args ...string) {
	s.Helper()
	if out := s.mustKubectl(args...); !strings.Contains(out, text) {
		s.Errorf("kubectl %q doesn't mention %q:\n%s", args, text, out)
	}
}
