package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
)

// podState is how far a pod has come.
type podState func(*corev1.Pod)

func pending(*corev1.Pod) {}

func scheduled(pod *corev1.Pod) { pod.Spec.NodeName = "node" }

func ready(pod *corev1.Pod) {
	scheduled(pod)
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Ready: true, Started: ptr.To(true)}}
}

func unready(pod *corev1.Pod) {
	ready(pod)
	pod.Status.Conditions[0].Status = corev1.ConditionFalse
	pod.Status.ContainerStatuses[0].Ready = false
}

func crashed(pod *corev1.Pod) {
	unready(pod)
	pod.Status.ContainerStatuses[0].Started = ptr.To(false)
	pod.Status.ContainerStatuses[0].RestartCount = 1
}

func failed(pod *corev1.Pod) {
	scheduled(pod)
	pod.Status.Phase = corev1.PodFailed
}

func completed(pod *corev1.Pod) {
	scheduled(pod)
	pod.Status.Phase = corev1.PodSucceeded
}

func terminating(pod *corev1.Pod) {
	ready(pod)
	pod.DeletionTimestamp = ptr.To(someTime())
}

func TestCounts(t *testing.T) {
	for name, test := range map[string]struct {
		state podState
		want  counts
	}{
		"pending":     {pending, counts{pods: 1}},
		"scheduled":   {scheduled, counts{pods: 1, scheduled: 1, available: 1}},
		"ready":       {ready, counts{pods: 1, scheduled: 1, available: 1, ready: 1}},
		"unready":     {unready, counts{pods: 1, scheduled: 1}},
		"crashed":     {crashed, counts{pods: 1, scheduled: 1}},
		"failed":      {failed, counts{pods: 1, scheduled: 1}},
		"completed":   {completed, counts{pods: 1, scheduled: 1, available: 1, succeeded: 1}},
		"terminating": {terminating, counts{}},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{}
			test.state(pod)
			var got counts
			got.add(pod)
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(counts{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// world is a set with all its children and pods, whose statuses follow from the pods.
type world struct {
	Set
	cliques []Clique
}

func newWorld(set *v1alpha1.PodCliqueSet, state podState) *world {
	observed := live(set, Set{Object: set}.Children())
	w := &world{Set: observed, cliques: cliques(observed, allPods)}
	for _, clique := range w.cliques {
		for _, pod := range clique.Pods {
			state(pod)
		}
	}
	return w
}

// pod finds a pod.
func (w *world) pod(t *testing.T, name string) *corev1.Pod {
	t.Helper()
	for _, clique := range w.cliques {
		for _, pod := range clique.Pods {
			if pod.Name == name {
				return pod
			}
		}
	}
	t.Fatalf("no pod %s", name)
	return nil
}

// settle brings every status up to date, and returns that of the set.
func (w *world) settle() v1alpha1.PodCliqueSetStatus {
	now := someTime().Time
	for _, clique := range w.cliques {
		clique.Object.Status = clique.Status(nil, now)
	}
	var gangs []*v1alpha1.PodGang
	for _, gang := range w.PodGangs {
		gang.Status = Gang{Object: gang, Set: w.Object, Cliques: w.cliques, Scheduling: everything}.Status(nil, now)
		gangs = append(gangs, gang)
	}
	for _, group := range w.ScalingGroups {
		group.Status = Group{Object: group, Set: w.Object, PodGangs: gangs}.Status(now)
	}
	w.Object.Status = w.Status(w.Object.Generation, nil, now)
	return w.Object.Status
}

func TestSetStatus(t *testing.T) {
	for name, test := range map[string]struct {
		before, state podState
		change        func(t *testing.T, w *world)
		phase         v1alpha1.PodCliqueSetPhase
		available     int32
		updated       int32
		gangs         []v1alpha1.PodGangPhase
		message       string
	}{
		"nothing is scheduled": {state: pending, phase: v1alpha1.PodCliqueSetScheduling, updated: 2,
			gangs: []v1alpha1.PodGangPhase{"Pending", "Pending"}, message: "0 of 2 replicas available; train-alone-0: 0 of 1 pods ready, at least 1 needed"},
		"nothing is ready": {state: scheduled, phase: v1alpha1.PodCliqueSetScheduling, updated: 2,
			gangs: []v1alpha1.PodGangPhase{"Starting", "Starting"}, message: "0 of 2 replicas available; train-alone-0: 0 of 1 pods ready, at least 1 needed"},
		"all is ready": {state: ready, phase: v1alpha1.PodCliqueSetAvailable, available: 2, updated: 2,
			gangs: []v1alpha1.PodGangPhase{"Running", "Running"}, message: "2 of 2 replicas available"},
		"a scaled group replica isn't needed": {state: ready, phase: v1alpha1.PodCliqueSetAvailable, available: 2, updated: 2,
			change: func(t *testing.T, w *world) { unready(w.pod(t, "train-worker-0-1-0")) },
			gangs:  []v1alpha1.PodGangPhase{"Running", "Running"}, message: "2 of 2 replicas available"},
		"a pod of the base breaks": {before: ready, state: ready, phase: v1alpha1.PodCliqueSetScheduling, available: 1, updated: 2,
			change: func(t *testing.T, w *world) { unready(w.pod(t, "train-worker-1-0-1")) },
			gangs:  []v1alpha1.PodGangPhase{"Running", "Failed"}, message: "1 of 2 replicas available; train-worker-1-0: 1 of 2 pods ready, at least 2 needed"},
		"an older template": {state: ready, phase: v1alpha1.PodCliqueSetAvailable, available: 2, updated: 1,
			change: func(t *testing.T, w *world) {
				w.pod(t, "train-alone-1-0").Labels[v1alpha1.LabelPodTemplateHash] = "old"
			},
			gangs: []v1alpha1.PodGangPhase{"Running", "Running"}, message: "2 of 2 replicas available"},
		"everything has run to its end": {state: completed, phase: v1alpha1.PodCliqueSetScheduling, updated: 2,
			gangs: []v1alpha1.PodGangPhase{"Succeeded", "Succeeded"}, message: "0 of 2 replicas available; train-alone-0: 0 of 1 pods ready, at least 1 needed"},
		"a child is missing": {state: ready, phase: v1alpha1.PodCliqueSetCreating, updated: 2,
			change: func(_ *testing.T, w *world) { clear(w.ScalingGroups) },
			gangs:  []v1alpha1.PodGangPhase{"Running", "Running"}, message: "not every PodGang, PodClique and PodCliqueScalingGroup exists yet"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(workers(), test.state)
			if test.before != nil {
				w.settle()
			}
			if test.change != nil {
				test.change(t, w)
			}
			status := w.settle()
			var gangs []v1alpha1.PodGangPhase
			for _, summary := range status.PodGangStatuses {
				gangs = append(gangs, summary.Phase)
			}
			available := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionAvailable)
			got := []any{status.Phase, status.AvailableReplicas, status.UpdatedReplicas, gangs, available.Message, available.Status == metav1.ConditionTrue}
			want := []any{test.phase, test.available, test.updated, test.gangs, test.message, test.phase == v1alpha1.PodCliqueSetAvailable}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestScalingGroupStatus(t *testing.T) {
	w := newWorld(workers(), ready)
	unready(w.pod(t, "train-lead-1-1-0"))
	w.settle()
	got := w.ScalingGroups["train-group"].Status
	want := v1alpha1.PodCliqueScalingGroupStatus{
		ObservedGeneration: 1,
		Replicas:           2,
		ScheduledReplicas:  2,
		AvailableReplicas:  1,
		Selector:           "grove.io/pod-index=0,grove.io/podclique=train-lead-0,grove.io/podcliquescalinggroup=train-group",
		Conditions: []metav1.Condition{{Type: v1alpha1.ConditionMinAvailableBreached, Status: metav1.ConditionFalse,
			Reason: v1alpha1.ReasonSufficientReplicas, ObservedGeneration: 1}},
	}
	ignoreTimes := cmpopts.IgnoreFields(metav1.Condition{}, "LastTransitionTime")
	if diff := cmp.Diff(want, got, ignoreTimes); diff != "" {
		t.Errorf("one group replica of two is ready (-want +got):\n%s", diff)
	}

	unready(w.pod(t, "train-lead-1-0-0"))
	w.settle()
	got = w.ScalingGroups["train-group"].Status
	breached := meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionMinAvailableBreached)
	if breached.Status != metav1.ConditionTrue || breached.Message != "train-1: 0 of 2 group replicas available, at least 1 needed" {
		t.Errorf("no group replica is available in replica 1: %+v", breached)
	}
}

func TestCliqueStatus(t *testing.T) {
	w := newWorld(workers(), ready)
	terminating(w.pod(t, "train-worker-0-0-1"))
	scheduled(w.pod(t, "train-worker-0-1-0"))
	w.settle()
	status := w.PodCliques["train-worker-0"].Status
	got := []any{status.Replicas, status.ScheduledReplicas, status.ReadyReplicas, status.UpdatedReplicas, status.SliceReplicas, status.Selector}
	want := []any{int32(3), int32(3), int32(3), int32(3), int32(1), "grove.io/group-replica-index=0,grove.io/podclique=train-worker-0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	breached := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionMinAvailableBreached)
	if breached.Status != metav1.ConditionTrue || breached.Message != "train-worker-0-0: 1 of 2 pods available, at least 2 needed" {
		t.Errorf("a slice of the base has lost a pod: %+v", breached)
	}
}

func TestOffIsNoBreach(t *testing.T) {
	set := workers()
	set.Spec.Template.Cliques[2].Spec.Replicas = ptr.To[int32](0)
	set.Spec.Template.PodCliqueScalingGroups[0].Replicas = ptr.To[int32](0)
	w := newWorld(set, ready)
	if status := w.settle(); status.Phase != v1alpha1.PodCliqueSetAvailable {
		t.Errorf("a set of which everything is off is %s", status.Phase)
	}
	for name, podClique := range w.PodCliques {
		breached := meta.FindStatusCondition(podClique.Status.Conditions, v1alpha1.ConditionMinAvailableBreached)
		if breached.Status != metav1.ConditionFalse || breached.Reason != v1alpha1.ReasonTurnedOff {
			t.Errorf("%s is off: %+v", name, breached)
		}
	}
}

// Between a clique's scaling to 0 and the gang's new spec, the gang has a slice that wants no pods. That isn't success.
func TestAnEmptySliceHasNotSucceeded(t *testing.T) {
	w := newWorld(workers(), ready)
	w.settle()
	w.PodCliques["train-alone-0"].Spec.Replicas = ptr.To[int32](0)
	w.settle()
	if phase := w.PodGangs["train-0"].Status.Phase; phase == v1alpha1.PodGangSucceeded {
		t.Errorf("the gang is %s", phase)
	}
}

func TestProblemsWithPodsReachTheSet(t *testing.T) {
	w := newWorld(workers(), ready)
	w.settle()
	clique := w.cliques[0]
	clique.Object.Status = clique.Status([]Problem{{Reason: v1alpha1.ReasonInvalidChild, Message: "no such volume"}}, someTime().Time)
	status := w.Status(1, nil, someTime().Time)
	got := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionResourcesApplied)
	if got.Status != metav1.ConditionFalse || got.Reason != v1alpha1.ReasonInvalidChild || got.Message != "no such volume" {
		t.Errorf("a pod is refused: %+v", got)
	}
}

func TestScaledUnitsWaitForTheBase(t *testing.T) {
	w := newWorld(workers(), pending)
	for i := range w.cliques {
		w.cliques[i].Pods = slices.DeleteFunc(w.cliques[i].Pods, func(pod *corev1.Pod) bool {
			return strings.HasPrefix(pod.Name, "train-worker-0-1-") || strings.HasPrefix(pod.Name, "train-lead-0-1-")
		})
	}
	expect := func(want string) {
		t.Helper()
		w.settle()
		got := meta.FindStatusCondition(w.PodGangs["train-0"].Status.Conditions, v1alpha1.ConditionScaledGroupsScheduled)
		if !strings.HasSuffix(got.Message, want) {
			t.Errorf("the scaled units wait since %q; want %q", got.Message, want)
		}
	}
	expect("its pods are created once the base unit is scheduled")
	for _, clique := range w.cliques {
		for _, pod := range clique.Pods {
			scheduled(pod)
		}
	}
	expect("0 of its 3 pods exist")
}

func TestObservedGeneration(t *testing.T) {
	for name, test := range map[string]struct {
		applied int64
		change  func(w *world)
		want    int64
	}{
		"all children follow":               {2, func(*world) {}, 2},
		"children aren't written yet":       {1, func(*world) {}, 1},
		"the operator has just started":     {0, func(*world) {}, 1},
		"a PodGang isn't described yet":     {2, func(w *world) { w.PodGangs["train-1"].Generation++ }, 1},
		"a PodClique isn't described yet":   {2, func(w *world) { w.PodCliques["train-lead-0"].Generation++ }, 1},
		"a group isn't described yet":       {2, func(w *world) { w.ScalingGroups["train-group"].Generation++ }, 1},
		"a child can't be what it ought to": {2, func(w *world) { delete(w.PodCliques, "train-lead-0") }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			set := workers()
			set.Generation = 1
			w := newWorld(set, ready)
			w.settle()
			set.Generation = 2
			test.change(w)
			if got := w.Status(test.applied, nil, someTime().Time).ObservedGeneration; got != test.want {
				t.Errorf("observedGeneration is %d, want %d", got, test.want)
			}
		})
	}
}

// An autoscaler keeps a PodClique below the template's new replicas. Its minimum must not exceed what it has: the API server would
// refuse it.
func TestMinAvailableFollowsAnAutoscaler(t *testing.T) {
	set := workers()
	clique := &set.Spec.Template.Cliques[2]
	clique.Spec.AutoScalingConfig = &v1alpha1.AutoScalingConfig{MaxReplicas: 5}
	observed := live(set, Set{Object: set}.Children())
	clique.Spec.Replicas = ptr.To[int32](3)
	podClique := live(set, observed.Children()).PodCliques["train-alone-0"]
	if *podClique.Spec.Replicas != 1 || *podClique.Spec.MinAvailable != 1 {
		t.Errorf("replicas %d, minAvailable %d", *podClique.Spec.Replicas, *podClique.Spec.MinAvailable)
	}
}

func TestStatusesSettle(t *testing.T) {
	w := newWorld(workers(), ready)
	w.settle()
	first := w.settle()
	if diff := cmp.Diff(first, w.settle()); diff != "" {
		t.Errorf("the status of the same state changes (-before +after):\n%s", diff)
	}
	if first.PodGangStatuses[0].FirstAvailableTime == nil {
		t.Error("it isn't recorded when a replica was first available")
	}
}

func TestProblemsAreReported(t *testing.T) {
	set := workers()
	status := Set{Object: set}.Status(1, []Problem{
		{Reason: v1alpha1.ReasonNameConflict, Message: "Service x is somebody else's"},
		{Reason: v1alpha1.ReasonInvalidChild, Message: "y"},
	}, someTime().Time)
	got := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionResourcesApplied)
	if got.Status != metav1.ConditionFalse || got.Reason != v1alpha1.ReasonNameConflict || got.Message != "Service x is somebody else's (and 1 more)" {
		t.Errorf("two problems: %+v", got)
	}
}

func TestPatience(t *testing.T) {
	set := &v1alpha1.PodCliqueSet{}
	set.Spec.Template.CliqueStartupType = v1alpha1.CliqueStartupTypeInOrder
	live := v1alpha1.PodGangStatus{
		PodGroups: []v1alpha1.PodGroupStatus{{Name: "a", Desired: 3, Available: 2}},
		Conditions: []metav1.Condition{
			{Type: v1alpha1.ConditionScheduled, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonInsufficientPods},
			{Type: v1alpha1.ConditionGangScheduling, Status: metav1.ConditionTrue},
		},
	}
	gang := Gang{Set: set, Object: &v1alpha1.PodGang{
		Spec:   v1alpha1.PodGangSpec{PodGroups: []v1alpha1.PodGroup{{Name: "a", MinReplicas: 2}}},
		Status: live,
	}}
	for name, test := range map[string]struct {
		change func(status *v1alpha1.PodGangStatus)
		want   time.Duration
	}{
		"one is bound":     {func(status *v1alpha1.PodGangStatus) { status.PodGroups[0].Scheduled = 1 }, countsPatience},
		"a group is ready": {func(status *v1alpha1.PodGangStatus) { status.PodGroups[0].Ready = 2 }, 0},
		"all are ready": {func(status *v1alpha1.PodGangStatus) {
			status.Conditions = append(status.Conditions, metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue})
		}, 0},
		"too few are left":         {func(status *v1alpha1.PodGangStatus) { status.PodGroups[0].Available = 1 }, 0},
		"more are available":       {func(status *v1alpha1.PodGangStatus) { status.PodGroups[0].Available = 3 }, countsPatience},
		"one is ready":             {func(status *v1alpha1.PodGangStatus) { status.PodGroups[0].Ready = 1 }, countsPatience},
		"scheduled":                {func(status *v1alpha1.PodGangStatus) { status.Conditions[0].Status = metav1.ConditionTrue }, scheduledPatience},
		"why it isn't scheduled":   {func(status *v1alpha1.PodGangStatus) { status.Conditions[0].Reason = v1alpha1.ReasonUnschedulable }, scheduledPatience},
		"how far the pods are":     {func(status *v1alpha1.PodGangStatus) { status.Conditions[0].Message = "other" }, progressPatience},
		"gangs aren't enforced":    {func(status *v1alpha1.PodGangStatus) { status.Conditions[1].Status = metav1.ConditionFalse }, 0},
		"ended":                    {func(status *v1alpha1.PodGangStatus) { status.Phase = v1alpha1.PodGangSucceeded }, 0},
		"nothing is said any more": {func(status *v1alpha1.PodGangStatus) { *status = v1alpha1.PodGangStatus{} }, 0},
	} {
		status := live.DeepCopy()
		test.change(status)
		if got := gang.Patience(status); got != test.want {
			t.Errorf("%s: %s; want %s", name, got, test.want)
		}
	}
	gang.Object.Status.Conditions[0].Reason = v1alpha1.ReasonUnschedulable
	inOtherWords := gang.Object.Status.DeepCopy()
	inOtherWords.Conditions[0].Message = "other"
	if got := gang.Patience(inOtherWords); got != wordsPatience {
		t.Errorf("why it isn't scheduled, in other words: %s; want %s", got, wordsPatience)
	}
	set.Spec.Template.CliqueStartupType = v1alpha1.CliqueStartupTypeAnyOrder
	if got := gang.Patience(&v1alpha1.PodGangStatus{
		Conditions: live.Conditions,
		PodGroups:  []v1alpha1.PodGroupStatus{{Name: "a", Desired: 3, Available: 2, Ready: 2}},
	}); got != countsPatience {
		t.Errorf("a group is ready that nothing starts after: %s; want %s", got, countsPatience)
	}
	breached := func(status metav1.ConditionStatus) []metav1.Condition {
		return []metav1.Condition{{Type: v1alpha1.ConditionMinAvailableBreached, Status: status}}
	}
	for name, test := range map[string]struct {
		before, after []metav1.Condition
		want          time.Duration
	}{
		"true":        {breached(metav1.ConditionFalse), breached(metav1.ConditionTrue), 0},
		"new, false":  {nil, breached(metav1.ConditionFalse), 0},
		"new, true":   {nil, breached(metav1.ConditionTrue), countsPatience},
		"all as ever": {breached(metav1.ConditionTrue), breached(metav1.ConditionTrue), countsPatience},
	} {
		if got := patience(test.before, test.after); got != test.want {
			t.Errorf("a condition that is %s: %s; want %s", name, got, test.want)
		}
	}
}
