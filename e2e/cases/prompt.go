package cases

import (
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/e2e/cluster"
)

// atOnce is how soon a user is told on a quiet cluster. The product takes less than a second, which the benchmark measures; the suite's operator
// has the race detector, and shares its processors with control planes and other suites.
const atOnce = 5 * time.Second

// Promptness checks what is told of a set, when, and that nothing else is said meanwhile. It starts operators.
func Promptness() types.Feature {
	var operator *cluster.Operator
	return features.New("what is told, and when").
		Setup(step(func(s *scope) { operator = s.startOperator() })).
		Assess("everything has a status at once", step(func(s *scope) {
			s.create(newTeam())
			s.within(atOnce, "statuses of all kinds", func() (string, error) { return s.withoutStatus("job") })
			s.waitUntilAvailable("job")
		})).
		Assess("a foreign write of a status is undone", step(func(s *scope) {
			s.patch(podGangs, "job-0", `{"status": {"phase": "Failed", "podGroups": [], "conditions": []}}`, "status")
			s.within(atOnce, "the PodGang's own status", func() (string, error) {
				gang, err := s.grove.GroveV1alpha1().PodGangs(s.namespace).Get(s.ctx, "job-0", metav1.GetOptions{})
				if err != nil {
					return "", err
				}
				if gang.Status.Phase != v1alpha1.PodGangRunning || len(gang.Status.PodGroups) == 0 || len(gang.Status.Conditions) == 0 {
					return fmt.Sprintf("%+v", gang.Status), nil
				}
				return "", nil
			})
		})).
		Assess("a refused pod is in the set's words at once, and nothing else meanwhile", step(func(s *scope) {
			said := s.listenTo("bad")
			broken := newClique("broken", 1, 1)
			broken.Spec.PodSpec.Containers[0].Image = ""
			s.create(newSet("bad", 1, broken, newClique("sound", 1, 1)))
			s.within(atOnce, "the refusal", func() (string, error) { return s.withoutProblem("bad") })
			s.waitForEvent("bad", v1alpha1.ReasonInvalidChild, "spec.containers[0].image: Required value")
			said.mustNotSay(s, metav1.ConditionTrue)
		})).
		Assess("a problem stands while the operator starts anew", step(func(s *scope) {
			s.stop(operator)
			said := s.listenTo("bad")
			operator = s.startOperator()
			s.bringUpAnother()
			s.waitUntilQuiet()
			said.mustNotSay(s, metav1.ConditionTrue)
			said.mustNotSay(s, metav1.ConditionUnknown)
		})).
		Assess("kubectl wait doesn't return early", step(func(s *scope) {
			const replicas = 300
			s.create(newSet("wide", 1, newClique("front", 1, 1)))
			s.waitUntilAvailable("wide")
			s.change("wide", func(set *v1alpha1.PodCliqueSet) { set.Spec.Replicas = replicas })
			s.mustKubectl("wait", "podcliqueset/wide", "--for=condition=Available", "--timeout="+(3*patience).String())
			ready := 0
			pods, err := s.podsOf("wide")
			if err != nil {
				s.Fatal(err)
			}
			for i := range pods {
				if isReady(&pods[i]) {
					ready++
				}
			}
			if ready < replicas {
				s.Errorf("kubectl wait returned while %d of %d replicas were ready", ready, replicas)
			}
		})).
		Teardown(step(func(s *scope) { s.stop(operator) })).
		Feature()
}

// within fails the test unless missing returns "" before a time is over.
func (s *scope) within(limit time.Duration, what string, missing func() (string, error)) {
	s.Helper()
	began := time.Now()
	s.eventually(what, missing)
	if took := time.Since(began); took > limit {
		s.Errorf("%s: after %s, at most %s expected", what, took.Round(time.Millisecond), limit)
	}
}

// withoutStatus names what belongs to a set and has no status yet.
func (s *scope) withoutStatus(name string) (string, error) {
	grove, of := s.grove.GroveV1alpha1(), metav1.ListOptions{LabelSelector: ofSet(name)}
	set, err := grove.PodCliqueSets(s.namespace).Get(s.ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	gangs, err := grove.PodGangs(s.namespace).List(s.ctx, of)
	if err != nil {
		return "", err
	}
	cliques, err := grove.PodCliques(s.namespace).List(s.ctx, of)
	if err != nil {
		return "", err
	}
	scalingGroups, err := grove.PodCliqueScalingGroups(s.namespace).List(s.ctx, of)
	if err != nil {
		return "", err
	}
	if len(gangs.Items) == 0 || len(cliques.Items) == 0 || len(scalingGroups.Items) == 0 {
		return "children are missing", nil
	}
	observed := map[string]int64{"the set": set.Status.ObservedGeneration}
	for i := range gangs.Items {
		observed["PodGang "+gangs.Items[i].Name] = gangs.Items[i].Status.ObservedGeneration
	}
	for i := range cliques.Items {
		observed["PodClique "+cliques.Items[i].Name] = cliques.Items[i].Status.ObservedGeneration
	}
	for i := range scalingGroups.Items {
		observed["PodCliqueScalingGroup "+scalingGroups.Items[i].Name] = scalingGroups.Items[i].Status.ObservedGeneration
	}
	for what, generation := range observed {
		if generation == 0 {
			return what + " has no status", nil
		}
	}
	return "", nil
}

func (s *scope) withoutProblem(name string) (string, error) {
	set, err := s.grove.GroveV1alpha1().PodCliqueSets(s.namespace).Get(s.ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	applied := meta.FindStatusCondition(set.Status.Conditions, v1alpha1.ConditionResourcesApplied)
	if applied == nil || applied.Status != metav1.ConditionFalse {
		return fmt.Sprintf("%+v", applied), nil
	}
	return "", nil
}

// listener remembers what a set has said in ResourcesApplied.
type listener struct {
	mu   sync.Mutex
	said map[metav1.ConditionStatus]string
}

// listenTo listens to a set until the end of the step.
func (s *scope) listenTo(name string) *listener {
	s.Helper()
	events, err := s.grove.GroveV1alpha1().PodCliqueSets(s.namespace).Watch(s.ctx, metav1.ListOptions{
		FieldSelector: metav1.ObjectNameField + "=" + name, TimeoutSeconds: ptr.To(int64(patience.Seconds())),
	})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(events.Stop)
	l := &listener{said: map[metav1.ConditionStatus]string{}}
	go l.listen(events)
	return l
}

func (l *listener) listen(events watch.Interface) {
	for event := range events.ResultChan() {
		set, ok := event.Object.(*v1alpha1.PodCliqueSet)
		if !ok {
			continue
		}
		if applied := meta.FindStatusCondition(set.Status.Conditions, v1alpha1.ConditionResourcesApplied); applied != nil {
			l.mu.Lock()
			l.said[applied.Status] = applied.Message
			l.mu.Unlock()
		}
	}
}

func (l *listener) mustNotSay(s *scope, status metav1.ConditionStatus) {
	s.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if message, said := l.said[status]; said {
		s.Errorf("the set said ResourcesApplied=%s: %s", status, message)
	}
}
