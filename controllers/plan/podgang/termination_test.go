package podgang_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/plan/podclique"
	"grove.io/grove/controllers/plan/podgang"
)

const delay = time.Hour

// lives is a set whose pods are all ready, and were seen so.
func lives(change func(set *v1alpha1.PodCliqueSet)) *plantest.World {
	set := plantest.Workers()
	set.Spec.Template.TerminationDelay = &metav1.Duration{Duration: delay}
	if change != nil {
		change(set)
	}
	w := plantest.NewWorld(set, plantest.Ready)
	w.Settle()
	return w
}

// look brings the status of a gang up to date at a time after the beginning.
func look(w *plantest.World, name string, after time.Duration) *v1alpha1.PodGangStatus {
	gang := w.Gang(name)
	gang.Object().Status = gang.Status(plantest.Applied(gang.Object()), plantest.Now.Add(after))
	return &gang.Object().Status
}

// going are the names of the pods that PodCliques of a gang delete.
func going(w *plantest.World, gang string) []string {
	var names []string
	for _, clique := range w.Cliques {
		if clique.Object.Labels[v1alpha1.LabelPodGang] == gang {
			for _, pod := range (podclique.Clique{Clique: clique.Clique}).Actions(plantest.Now).Delete {
				names = append(names, pod.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// The record of the base unit, step by step: what is seen, when, and what becomes of it.
func TestTransitions(t *testing.T) {
	type seen struct {
		after    time.Duration
		state    plantest.State
		breached bool
		restarts int32
	}
	for name, steps := range map[string][]seen{
		"heals in time": {{0, plantest.Unready, true, 0}, {delay - 1000, plantest.Ready, false, 0}, {delay, plantest.Ready, false, 0}},
		"heals and breaks again: the delay begins anew": {
			{0, plantest.Unready, true, 0}, {delay / 2, plantest.Ready, false, 0}, {delay - 1000, plantest.Unready, true, 0},
			{delay, plantest.Unready, true, 0}, {2*delay - 1000, plantest.Unready, false, 1},
		},
		"is terminated at the deadline, once": {
			{0, plantest.Unready, true, 0}, {delay - 1000, plantest.Unready, true, 0}, {delay, plantest.Unready, false, 1},
			{delay + 1000, plantest.Unready, false, 1}, {10 * delay, plantest.Unready, false, 1},
		},
		"lacks nothing while its pods start": {{0, plantest.Scheduled, false, 0}, {2 * delay, plantest.Scheduled, false, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			w := lives(nil)
			for n, step := range steps {
				step.state(w.Pod(t, "train-alone-0-0"))
				record := look(w, "train-0", step.after).Units[0]
				if (record.BreachedSince != nil) != step.breached || record.Restarts != step.restarts {
					t.Errorf("step %d: %+v", n, record)
				}
				if record.BreachedSince != nil && record.AvailableSince == nil || record.Restarts > 0 && record.TerminatedAt == nil {
					t.Errorf("step %d: %+v", n, record)
				}
			}
		})
	}
}

// A unit that never was available is never terminated, whatever it lacks for however long.
func TestNeverAvailable(t *testing.T) {
	for _, state := range []plantest.State{plantest.Pending, plantest.Scheduled, plantest.Unready} {
		w := plantest.NewWorld(plantest.Workers(), state)
		for n := range 5 {
			if record := look(w, "train-0", time.Duration(n)*100*time.Hour).Units[0]; record.BreachedSince != nil || record.Restarts > 0 {
				t.Errorf("%+v", record)
			}
		}
	}
}

// The deadline follows the delay as it is today.
func TestDeadline(t *testing.T) {
	w := lives(nil)
	plantest.Unready(w.Pod(t, "train-alone-0-0"))
	look(w, "train-0", 0)
	status := look(w, "train-0", 5*time.Second)
	if got, want := w.Gang("train-0").Deadline(status), plantest.Now.Add(delay); !got.Equal(want) {
		t.Errorf("the deadline is %s, want %s", got, want)
	}
	w.Object.Spec.Template.TerminationDelay.Duration = time.Minute
	if got, want := w.Gang("train-0").Deadline(status), plantest.Now.Add(time.Minute); !got.Equal(want) {
		t.Errorf("with a shorter delay, the deadline is %s, want %s", got, want)
	}
	if record := look(w, "train-0", time.Minute).Units[0]; record.Restarts != 1 {
		t.Errorf("%+v", record)
	}
	status = look(w, "train-0", time.Minute+time.Second)
	if got, want := w.Gang("train-0").Deadline(status), plantest.Now.Add(2*time.Minute); !got.Equal(want) {
		t.Errorf("once terminated, the deadline is %s, want %s", got, want)
	}
	if status = look(w, "train-0", 2*time.Minute); status.Phase != v1alpha1.PodGangFailed {
		t.Errorf("a gang that isn't back is %s", status.Phase)
	}
	if set := w.Set.Status(plantest.Applied(w.Object), true, plantest.Now); set.Phase != v1alpha1.PodCliqueSetFailed {
		t.Errorf("its set is %s", set.Phase)
	}
}

// The base unit takes its whole replica along and no other; a scaled unit goes alone. Nothing of it counts from the same status on.
func TestTerminatedPods(t *testing.T) {
	for name, test := range map[string]struct {
		pod    string
		unit   int
		goes   []string
		counts string
	}{
		"base": {pod: "train-alone-0-0", goes: []string{"train-alone-0-0", "train-lead-0-0-0", "train-lead-0-1-0",
			"train-worker-0-0-0", "train-worker-0-0-1", "train-worker-0-1-0", "train-worker-0-1-1"}, counts: "train-alone-0"},
		"scaled": {pod: "train-worker-0-1-0", unit: 1, goes: []string{"train-lead-0-1-0", "train-worker-0-1-0", "train-worker-0-1-1"}, counts: "train-worker-0-1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := lives(nil)
			plantest.Unready(w.Pod(t, test.pod))
			look(w, "train-0", 0)
			status := look(w, "train-0", delay)
			if record := status.Units[test.unit]; record.Restarts != 1 || record.AvailableSince != nil {
				t.Fatalf("%+v", record)
			}
			if got := going(w, "train-0"); !slices.Equal(got, test.goes) {
				t.Errorf("going: %v, want %v", got, test.goes)
			}
			if got := going(w, "train-1"); len(got) > 0 {
				t.Errorf("going of another replica: %v", got)
			}
			for _, group := range status.PodGroups {
				if group.Name == test.counts && (group.Scheduled != 0 || group.Created != 0) {
					t.Errorf("pods that go are counted: %+v", group)
				}
			}
			if got := podgang.News(w.Object, w.PodGangs["train-0"], &v1alpha1.PodGangStatus{}, status); len(got) == 0 || got[0].Reason != v1alpha1.ReasonGangTerminated {
				t.Errorf("news: %+v", got)
			}
		})
	}
}

// A PodGang that was made anew knows of no restarts: nothing goes for that, and what is terminated goes all the same.
func TestPodGangMadeAnew(t *testing.T) {
	w := lives(nil)
	for _, clique := range w.Cliques {
		for _, pod := range clique.Pods {
			pod.Labels[v1alpha1.LabelRestarts] = "3"
		}
	}
	w.PodGangs["train-0"].Status = v1alpha1.PodGangStatus{}
	look(w, "train-0", 0)
	if got := going(w, "train-0"); len(got) > 0 {
		t.Errorf("going: %v", got)
	}
	plantest.Unready(w.Pod(t, "train-alone-0-0"))
	look(w, "train-0", 0)
	if record := look(w, "train-0", delay).Units[0]; record.Restarts != 4 {
		t.Errorf("%+v", record)
	}
	if got := going(w, "train-0"); len(got) != 7 {
		t.Errorf("going: %v", got)
	}
}

// What is turned off breaches nothing, and neither does a gang that has run to its end.
func TestNoBreach(t *testing.T) {
	w := lives(nil)
	w.PodCliques["train-alone-0"].Spec.Replicas = new(int32)
	w.Settle()
	if record := look(w, "train-0", delay).Units[0]; record.BreachedSince != nil {
		t.Errorf("a clique is off: %+v", record)
	}
	for _, clique := range w.Cliques {
		for _, pod := range clique.Pods {
			plantest.Succeeded(pod)
		}
	}
	look(w, "train-1", 0)
	for _, clique := range w.Cliques {
		for _, pod := range clique.Pods {
			plantest.Terminating(pod)
		}
	}
	if status := look(w, "train-1", delay); status.Phase != v1alpha1.PodGangSucceeded || status.Units[0].BreachedSince != nil {
		t.Errorf("a gang has run to its end: %s, %+v", status.Phase, status.Units[0])
	}
}

// What was turned on while its unit worked, and hasn't been up, is no breach, and hides none: not even where there never is room for it.
func TestTurnedOnIsNoBreach(t *testing.T) {
	w := lives(nil)
	on := w.PodGangs["train-0"].Spec.PodGroups
	w.PodCliques["train-alone-0"].Spec.Replicas = ptr.To[int32](0)
	w.PodGangs["train-0"].Spec.PodGroups = slices.DeleteFunc(slices.Clone(on), func(g v1alpha1.PodGroup) bool { return g.Name == "train-alone-0" })
	w.Settle()
	w.PodCliques["train-alone-0"].Spec.Replicas = ptr.To[int32](1)
	w.PodGangs["train-0"].Spec.PodGroups = on
	pod := w.Pod(t, "train-alone-0-0")
	*pod = corev1.Pod{ObjectMeta: pod.ObjectMeta, Spec: corev1.PodSpec{Containers: pod.Spec.Containers}}
	for n := range 3 {
		if record := look(w, "train-0", time.Duration(n)*delay).Units[0]; record.BreachedSince != nil || record.Restarts > 0 || record.AvailableSince == nil {
			t.Errorf("look %d: %+v", n, record)
		}
	}
	lead := w.Pod(t, "train-lead-0-0-0")
	plantest.Unready(lead)
	look(w, "train-0", 3*delay)
	if got, want := plan.BreachOf(w.Object, w.PodGangs["train-0"], "train-0"), "train-lead-0-0: 0 of 1 pods available, at least 1 needed"; !strings.HasPrefix(got, want) ||
		!strings.Contains(got, "unless 1 more pod is available") {
		t.Errorf("while it waits, what is lost is told as %q, want %q", got, want)
	}
	plantest.Ready(lead)
	plantest.Ready(pod)
	look(w, "train-0", 4*delay)
	plantest.Unready(pod)
	if record := look(w, "train-0", 4*delay).Units[0]; record.BreachedSince == nil {
		t.Errorf("once it was up: %+v", record)
	}
}

// What an update takes away is no breach; what goes in a replica that an update waits in, is.
func TestUpdateIsNoBreach(t *testing.T) {
	for _, turn := range []bool{true, false} {
		w := lives(nil)
		if turn {
			w.GiveTurn(0)
		}
		w.Pod(t, "train-worker-0-0-0").Labels[v1alpha1.LabelPodTemplateHash] = "old"
		plantest.Terminating(w.Pod(t, "train-alone-0-0"))
		if record := look(w, "train-0", 0).Units[0]; (record.BreachedSince == nil) != turn {
			t.Errorf("turn %v: %+v", turn, record)
		}
	}
	for _, paused := range []bool{false, true} {
		w := lives(func(set *v1alpha1.PodCliqueSet) { set.Spec.UpdateStrategy.Paused = paused })
		w.GiveTurn(0)
		w.Pod(t, "train-worker-0-0-0").Labels[v1alpha1.LabelPodTemplateHash] = "old"
		plantest.Terminating(w.Pod(t, "train-alone-0-0"))
		if record := look(w, "train-0", 0).Units[0]; (record.BreachedSince != nil) != paused {
			t.Errorf("paused %v: %+v", paused, record)
		}
	}
}

// Successors wait until no pod from before the restart is left in their unit, and then all come, with the number that counts.
func TestSuccessorsComeTogether(t *testing.T) {
	w := lives(nil)
	plantest.Unready(w.Pod(t, "train-alone-0-0"))
	look(w, "train-0", 0)
	look(w, "train-0", delay)
	var rest []*corev1.Pod
	for i := range w.Cliques {
		if w.Cliques[i].Object.Name == "train-lead-0" {
			rest = w.Cliques[i].Pods[:1]
		}
	}
	created := func(siblings []*corev1.Pod) (names []string) {
		for _, clique := range w.Cliques {
			if clique.Object.Labels[v1alpha1.LabelPodGang] != "train-0" {
				continue
			}
			one := clique.Clique
			one.Pods, one.Siblings, one.Gang = nil, siblings, w.PodGangs["train-0"]
			for _, pod := range (podclique.Clique{Clique: one}).Actions(plantest.Now).Create {
				names = append(names, *pod.Config.Name)
				if pod.Config.Labels[v1alpha1.LabelRestarts] != "1" {
					t.Errorf("pod %s bears %q", *pod.Config.Name, pod.Config.Labels[v1alpha1.LabelRestarts])
				}
			}
		}
		slices.Sort(names)
		return names
	}
	if got := created(rest); len(got) > 0 {
		t.Errorf("created beside a predecessor: %v", got)
	}
	if got, want := created(nil), []string{"train-alone-0-0", "train-lead-0-0-0", "train-worker-0-0-0", "train-worker-0-0-1"}; !slices.Equal(got, want) {
		t.Errorf("created: %v, want the base unit %v", got, want)
	}
}

// What the restartPolicy recreates together, for how much is lost.
func TestRecreation(t *testing.T) {
	ofClique := func(set *v1alpha1.PodCliqueSet) {
		set.Spec.Template.Cliques[1].Spec.RestartPolicy = v1alpha1.RestartPolicyRecreateGroup
	}
	ofGroup := func(set *v1alpha1.PodCliqueSet) {
		set.Spec.Template.PodCliqueScalingGroups[0].RestartPolicy = v1alpha1.RestartPolicyRecreateGroup
	}
	restarted := func(pod *corev1.Pod) {
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", RestartCount: 1}}
	}
	failed := func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodFailed }
	slice := []string{"train-worker-0-0-0", "train-worker-0-0-1"}
	for name, test := range map[string]struct {
		policy func(set *v1alpha1.PodCliqueSet)
		state  plantest.State
		goes   []string
	}{
		"no policy":                            {nil, restarted, nil},
		"a container restarts in a slice":      {ofClique, restarted, slice},
		"a pod fails in a slice":               {ofClique, failed, slice},
		"a pod goes in a slice":                {ofClique, plantest.Terminating, slice[:1]},
		"a container restarts in a group":      {ofGroup, restarted, append([]string{"train-lead-0-0-0"}, slice...)},
		"a pod that starts isn't lost":         {ofGroup, plantest.Scheduled, nil},
		"a pod that ended well isn't lost":     {ofGroup, plantest.Succeeded, nil},
		"a pod of the policy that is only bad": {ofGroup, plantest.Unready, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := lives(test.policy)
			test.state(w.Pod(t, "train-worker-0-0-1"))
			look(w, "train-0", 0)
			if got := going(w, "train-0"); !slices.Equal(got, test.goes) {
				t.Errorf("going: %v, want %v", got, test.goes)
			}
			// It is counted once.
			before := *w.PodGangs["train-0"].Status.DeepCopy()
			if after := look(w, "train-0", time.Second); podgang.Restarts(&before, after) {
				t.Errorf("counted again: %+v", after.PodGroups)
			}
		})
	}
}

// A pod that an update took comes back by itself, whatever the last status says: that may be of before the update. One that is lost from a slice that
// is up to date has the others recreated with it, and doesn't come before.
func TestAnUpdateLosesNoPod(t *testing.T) {
	const taken = "train-worker-0-0-1"
	for name, test := range map[string]struct {
		outdated bool
		paused   bool
		want     bool
	}{
		"the slice is being updated":         {true, false, false},
		"nothing is updated":                 {false, false, true},
		"the slice isn't, while it's paused": {true, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := lives(func(set *v1alpha1.PodCliqueSet) {
				set.Spec.Template.PodCliqueScalingGroups[0].RestartPolicy = v1alpha1.RestartPolicyRecreateGroup
				set.Spec.UpdateStrategy.Paused = test.paused
			})
			w.GiveTurn(0)
			for i := range w.Cliques {
				clique := &w.Cliques[i]
				for _, pod := range clique.Pods {
					if test.outdated {
						pod.Labels[v1alpha1.LabelPodTemplateHash] = "old"
					}
				}
			}
			look(w, "train-0", 0)
			for i := range w.Cliques {
				clique := &w.Cliques[i]
				clique.Pods = slices.DeleteFunc(clique.Pods, func(pod *corev1.Pod) bool { return pod.Name == taken })
				for _, pod := range clique.Pods {
					pod.Labels[v1alpha1.LabelPodTemplateHash] = clique.Object.Labels[v1alpha1.LabelPodTemplateHash]
				}
			}
			comes := false
			for i := range w.Cliques {
				clique := w.Cliques[i]
				clique.Siblings = slices.Collect(maps.Values(w.Gang("train-0").PodsByName()))
				comes = comes || slices.Contains(plantest.Names(clique.Actions(plantest.Now).Create), taken)
			}
			before := w.PodGangs["train-0"].Status.DeepCopy()
			if lost := podgang.Restarts(before, look(w, "train-0", time.Second)); lost != test.want || comes == test.want {
				t.Errorf("taken for lost: %t; comes back by itself: %t", lost, comes)
			}
		})
	}
}

// Pods that are recreated again and again stay away for ever longer, by what the status says.
func TestRecreationBacksOff(t *testing.T) {
	w := lives(func(set *v1alpha1.PodCliqueSet) {
		set.Spec.Template.Cliques[2].Spec.RestartPolicy = v1alpha1.RestartPolicyRecreateGroup
	})
	pod, now := w.Pod(t, "train-alone-0-0"), time.Duration(0)
	for _, want := range []time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second} {
		pod.Status.Phase = corev1.PodFailed
		look(w, "train-0", now)
		restarts := plan.RestartsOf(w.PodGangs["train-0"])
		until := restarts.Until("train-alone-0")
		if until.IsZero() != (want == 0) || want > 0 && !until.Equal(plantest.Now.Add(now+want)) {
			t.Errorf("pods stay away until %s, want %s after the restart", until, want)
		}
		pod.Labels[v1alpha1.LabelRestarts] = plan.Index(restarts.Of("train-alone-0"))
		plantest.Ready(pod)
		look(w, "train-0", now+time.Second)
		now += time.Minute
	}
	now += plan.Recovered
	pod.Status.Phase = corev1.PodFailed
	look(w, "train-0", now)
	if until := plan.RestartsOf(w.PodGangs["train-0"]).Until("train-alone-0"); !until.IsZero() {
		t.Errorf("after a long life, pods stay away until %s", until)
	}
}
