package cases

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"sync"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/e2e-framework/pkg/features"
	e2etypes "sigs.k8s.io/e2e-framework/pkg/types"
	"sigs.k8s.io/yaml"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Plan checks that what kubectl grove plan foretells is what happens then: which pods are created, deleted and replaced, and in which order.
func Plan() e2etypes.Feature {
	return features.New("foretell").
		Assess("a set is created", step(func(s *scope) {
			s.mustHavePlugin()
			s.comesTrue(newRolling(2))
			s.waitForPods("web", rollingPods(2))
		})).
		Assess("an update is made, step by step", step(func(s *scope) {
			set := newRolling(2)
			setVersion(set, "2")
			s.comesTrue(set)
			s.mustBeVersion("web", "2")
		})).
		Assess("what somebody has scaled stays so", step(func(s *scope) {
			s.mustKubectl("scale", "podcliques/web-front-0", "--replicas=4")
			s.waitForPods("web", rollingPods(2), []string{"web-front-0-3"})
			set := newRolling(2)
			setVersion(set, "3")
			set.Spec.UpdateStrategy.MaxUnavailable = ptr.To(intstr.FromString("50%"))
			foretold := s.comesTrue(set)
			if diff := cmp.Diff([]kept{{Kind: "PodClique", Name: "web-front-0", Replicas: 4, InFile: 3, Manager: "kubectl"}}, foretold.Kept); diff != "" {
				s.Errorf("replicas that are kept (-want +got):\n%s", diff)
			}
		})).
		Assess("a replica is taken away", step(func(s *scope) {
			set := newRolling(1)
			setVersion(set, "3")
			set.Spec.UpdateStrategy.MaxUnavailable = ptr.To(intstr.FromString("50%"))
			s.comesTrue(set)
		})).
		Assess("what is refused", step(func(s *scope) {
			set := newRolling(1)
			set.Spec.Template.Cliques[0].Spec.MinAvailable = ptr.To[int32](2)
			if foretold, code := s.foretold(s.manifestOf(set)); code != 1 || foretold.Refused == "" {
				s.Errorf("another minAvailable, which is immutable: exit code %d, %+v", code, foretold)
			}
		})).
		Feature()
}

// Fit checks that kubectl grove fit says what the scheduler does then.
func Fit() e2etypes.Feature {
	replica := func(i int) []string {
		return slices.Concat(podNames(fmt.Sprintf("ha-a-%d", i), 1), podNames(fmt.Sprintf("ha-b-%d-0", i), 2), podNames(fmt.Sprintf("ha-b-%d-1", i), 2))
	}
	set := func(s *scope) *v1alpha1.PodCliqueSet {
		set := s.onOwnNodes(newSet("ha", 2, newClique("a", 1, 1), newClique("b", 2, 2)))
		set.Spec.Template.PodCliqueScalingGroups = []v1alpha1.PodCliqueScalingGroupConfig{newGroup("x", 2, 1, "b")}
		set.Spec.ReplicaSpreadConstraints = spreadOver(corev1.LabelTopologyZone)
		set.Spec.Template.SchedulingPolicyConfig = packed(corev1.LabelTopologyZone, "b")
		return set
	}
	states := func(s *scope, want ...string) {
		s.Helper()
		var got []string
		for _, unit := range s.fits(s.manifestOf(set(s)), slices.Contains(want, "lacks")).Units {
			got = append(got, unit.State)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			s.Errorf("states of units (-want +got):\n%s", diff)
		}
	}
	return features.New("fit").
		Assess("a zone lacks a node for a scaled unit", step(func(s *scope) {
			s.mustHavePlugin()
			s.addNodes("zone-a", "rack-a", 5)
			s.addNodes("zone-b", "rack-b", 4)
			states(s, "fits", "fits", "fits", "lacks")
			s.create(set(s))
			s.waitForAnyBound(slices.Concat(replica(0), podNames("ha-a-1", 1), podNames("ha-b-1-0", 2)), slices.Concat(replica(1), podNames("ha-a-0", 1), podNames("ha-b-0-0", 2)))
		})).
		Assess("a node more is enough", step(func(s *scope) {
			s.addNodes("zone-b", "rack-b", 1)
			// The scheduler may be faster than the plugin.
			s.fits(s.manifestOf(set(s)), false)
			nodes := s.waitForBound(replica(0), replica(1))
			if s.mustShare(corev1.LabelTopologyZone, nodes, replica(0)) == s.mustShare(corev1.LabelTopologyZone, nodes, replica(1)) {
				s.Error("both replicas are in one zone")
			}
			states(s, "placed", "placed", "placed", "placed")
		})).
		Feature()
}

// foretelling is what kubectl grove plan says of a set.
type foretelling struct {
	Action  string `json:"action"`
	Refused string `json:"refused"`
	Kept    []kept `json:"kept"`
	Steps   []struct {
		Delete  []string `json:"delete"`
		Create  []string `json:"create"`
		Replace []string `json:"replace"`
	} `json:"steps"`
}

type kept struct {
	Kind, Name       string
	Replicas, InFile int32
	Manager          string
}

// fitting is what kubectl grove fit says of a set.
type fitting struct {
	Fits  bool `json:"fits"`
	Units []struct {
		Name  string `json:"name"`
		State string `json:"state"`
	} `json:"units"`
}

func (s *scope) mustHavePlugin() {
	s.Helper()
	if s.Plugin == nil {
		s.Skip("there is no kubectl plugin here")
	}
}

func (s *scope) manifestOf(set *v1alpha1.PodCliqueSet) string {
	s.Helper()
	s.useImage(set)
	manifest, err := yaml.Marshal(set)
	if err != nil {
		s.Fatal(err)
	}
	return s.fileOf(manifest)
}

// plugin runs a verb on a file, whose answer of one set it reads, and returns the exit code.
func (s *scope) plugin(verb, file string, into any) int {
	s.Helper()
	out, err := s.Plugin(s.ctx, verb, "-n", s.namespace, "-f", file, "-o", "json")
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.Fatal(err)
	}
	answer := struct{ Sets []json.RawMessage }{}
	if err := json.Unmarshal([]byte(out), &answer); err != nil || len(answer.Sets) != 1 {
		s.Fatalf("kubectl grove %s: %v, and %q is no answer", verb, exit, out)
	}
	if err := json.Unmarshal(answer.Sets[0], into); err != nil {
		s.Fatal(err)
	}
	if exit != nil {
		return exit.ExitCode()
	}
	return 0
}

func (s *scope) foretold(file string) (foretelling, int) {
	s.Helper()
	var f foretelling
	code := s.plugin("plan", file, &f)
	return f, code
}

func (s *scope) fits(file string, lacks bool) fitting {
	s.Helper()
	var f fitting
	if code := s.plugin("fit", file, &f); (code == 1) != lacks || f.Fits == lacks {
		s.Errorf("exit code %d, fits: %v", code, f.Fits)
	}
	return f
}

// comesTrue applies a set, and checks that its pods go and come as was foretold.
func (s *scope) comesTrue(set *v1alpha1.PodCliqueSet) foretelling {
	s.Helper()
	file := s.manifestOf(set)
	foretold, code := s.foretold(file)
	if code != 2 || len(foretold.Steps) == 0 {
		s.Fatalf("exit code %d, and %d steps; want 2 for a change, and some", code, len(foretold.Steps))
	}
	saw := s.recordPods(set.Name)
	s.mustKubectl("apply", "--server-side", "--validate=strict", "-f", file)
	var born []string
	last := 0
	for _, step := range foretold.Steps {
		last += len(step.Delete) + len(step.Replace)
		born = append(born, slices.Concat(step.Create, step.Replace)...)
	}
	s.eventually("everything that was foretold has happened", func() (string, error) {
		gone, came := saw.so()
		if len(gone) < last || len(came) < len(born) {
			return fmt.Sprintf("%d of %d pods went, %d of %d came", len(gone), last, len(came), len(born)), nil
		}
		return "", nil
	})
	s.waitUntilAvailable(set.Name)
	// Nothing is left that would happen without having been foretold.
	if again, code := s.foretold(file); code != 0 || again.Action != "unchanged" {
		s.Errorf("once applied, the exit code is %d, and the action %q", code, again.Action)
	}
	gone, came := saw.end()
	for i, step := range foretold.Steps {
		want := slices.Sorted(slices.Values(slices.Concat(step.Delete, step.Replace)))
		got := slices.Sorted(slices.Values(gone[:min(len(want), len(gone))]))
		if diff := cmp.Diff(want, got); diff != "" {
			s.Errorf("pods that went in step %d (-foretold +seen):\n%s", i+1, diff)
		}
		gone = gone[len(got):]
	}
	if len(gone) > 0 {
		s.Errorf("pods went that weren't foretold: %v", gone)
	}
	slices.Sort(born)
	if diff := cmp.Diff(born, slices.Sorted(slices.Values(came))); diff != "" {
		s.Errorf("pods that came (-foretold +seen):\n%s", diff)
	}
	return foretold
}

// podRecord is the order in which pods of a set went and came.
type podRecord struct {
	watch watch.Interface
	done  sync.WaitGroup

	mu         sync.Mutex
	ending     map[types.UID]bool
	gone, came []string
}

// recordPods records from now on which pods begin to end, and which are created.
func (s *scope) recordPods(set string) *podRecord {
	s.Helper()
	list, err := s.core.CoreV1().Pods(s.namespace).List(s.ctx, metav1.ListOptions{LabelSelector: ofSet(set)})
	if err != nil {
		s.Fatal(err)
	}
	r := &podRecord{ending: map[types.UID]bool{}}
	r.watch, err = s.core.CoreV1().Pods(s.namespace).Watch(s.ctx, metav1.ListOptions{LabelSelector: ofSet(set), ResourceVersion: list.ResourceVersion})
	if err != nil {
		s.Fatal(err)
	}
	r.done.Go(func() {
		for event := range r.watch.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok {
				r.see(event.Type, pod)
			}
		}
	})
	return r
}

func (r *podRecord) see(event watch.EventType, pod *corev1.Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if event == watch.Added {
		r.came = append(r.came, pod.Name)
	}
	if (event == watch.Deleted || pod.DeletionTimestamp != nil) && !r.ending[pod.UID] {
		r.ending[pod.UID] = true
		r.gone = append(r.gone, pod.Name)
	}
}

// so is what was seen so far.
func (r *podRecord) so() (gone, came []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.gone), slices.Clone(r.came)
}

// end is what was seen.
func (r *podRecord) end() (gone, came []string) {
	r.watch.Stop()
	r.done.Wait()
	return r.so()
}
