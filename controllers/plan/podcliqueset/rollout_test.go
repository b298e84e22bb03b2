package podcliqueset_test

import (
	"fmt"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/plan/podcliqueset"
)

// edited is a set of 4 replicas, all available, whose template was changed.
func edited(change func(set *v1alpha1.PodCliqueSet)) *plantest.World {
	set := plantest.Workers()
	set.Spec.Replicas = 4
	w := plantest.NewWorld(set, plantest.Ready)
	w.Settle()
	for i := range set.Spec.Template.Cliques {
		set.Spec.Template.Cliques[i].Spec.PodSpec.Containers[0].Image = "new"
	}
	if change != nil {
		change(set)
	}
	return w
}

// given are the replicas all of whose PodCliques get the new image.
func given(set podcliqueset.Set) string {
	with := map[string]int{}
	var replicas []string
	for _, podClique := range set.Children().PodCliques() {
		i := podClique.Labels[v1alpha1.LabelReplicaIndex]
		if ptr.Deref(podClique.Spec.PodSpec.Containers[0].Image, "") == "new" {
			if with[i]++; with[i] == 3 {
				replicas = append(replicas, i)
			}
		}
	}
	return fmt.Sprint(replicas)
}

// give gives a replica's PodCliques the template and their turn, as the API server would.
func give(w *plantest.World, i int32) {
	t := plan.TemplateOf(w.Object)
	for j, hash := range t.PodTemplateHashes() {
		podClique := w.PodCliques[plan.PodCliqueName(w.Object.Name, t.Cliques()[j].Name, i)]
		podClique.Spec.PodSpec = *t.Cliques()[j].Spec.PodSpec.DeepCopy()
		podClique.Labels[v1alpha1.LabelPodTemplateHash] = hash
	}
	w.GiveTurn(i)
}

// partitioned keeps the first two replicas as they are.
func partitioned(set *v1alpha1.PodCliqueSet) { set.Spec.UpdateStrategy.Partition = 2 }

func TestRollout(t *testing.T) {
	for name, test := range map[string]struct {
		edit  func(set *v1alpha1.PodCliqueSet)
		world func(w *plantest.World)
		want  string
	}{
		"the first":            {nil, nil, "[0]"},
		"the next waits":       {nil, func(w *plantest.World) { give(w, 0) }, "[0]"},
		"none while paused":    {func(set *v1alpha1.PodCliqueSet) { set.Spec.UpdateStrategy.Paused = true }, nil, "[]"},
		"none below partition": {partitioned, nil, "[2]"},
		"all on delete":        {func(set *v1alpha1.PodCliqueSet) { set.Spec.UpdateStrategy.Type = v1alpha1.OnDelete }, nil, "[0 1 2 3]"},
		"as many as may be, coherently": {func(set *v1alpha1.PodCliqueSet) {
			set.Spec.UpdateStrategy = twoCoherent
		}, nil, "[0 1]"},
		"new ones at once": {func(set *v1alpha1.PodCliqueSet) { set.Spec.Replicas = 5 }, nil, "[0 4]"},
		"broken ones first": {nil, func(w *plantest.World) {
			w.PodGangs["train-2"].Status.PodGroups[0].Ready = 0
			w.PodGangs["train-3"].Status.PodGroups[0].Ready = 0
		}, "[2 3]"},
		"those in the middle of another first": {nil, func(w *plantest.World) {
			w.GiveTurn(3)
			w.PodGangs["train-3"].Status.PodGroups[0].Outdated++
		}, "[3]"},
		"none while one below the partition is in the middle": {partitioned, func(w *plantest.World) {
			w.GiveTurn(1)
			w.PodGangs["train-1"].Status.PodGroups[0].Outdated++
		}, "[]"},
		"none while one below the partition is broken": {partitioned, func(w *plantest.World) { w.PodGangs["train-1"].Status.PodGroups[0].Ready = 0 }, "[]"},
		"none while a pod of one below the partition is away": {partitioned, func(w *plantest.World) {
			w.PodGangs["train-1"].Status.PodGroups[0].Created++
		}, "[]"},
		"the first above the partition while one below it is new": {partitioned, func(w *plantest.World) {
			w.PodGangs["train-1"].Status.PodGroups[0].Ready, w.PodGangs["train-1"].Status.Units = 0, nil
		}, "[2]"},
		"… or has run to its end": {partitioned, func(w *plantest.World) {
			w.PodGangs["train-1"].Status.PodGroups[0].Ready, w.PodGangs["train-1"].Status.Phase = 0, v1alpha1.PodGangSucceeded
		}, "[2]"},
		"… or has pods of earlier podSpecs that are ready": {partitioned, func(w *plantest.World) {
			w.PodGangs["train-1"].Status.PodGroups[0].Outdated++
		}, "[2]"},
		"broken ones above the partition all the same": {partitioned, func(w *plantest.World) {
			w.PodGangs["train-1"].Status.PodGroups[0].Ready, w.PodGangs["train-3"].Status.PodGroups[0].Ready = 0, 0
		}, "[3]"},
		"one whose last pod isn't ready first": {nil, func(w *plantest.World) { w.PodGangs["train-2"].Status.PodGroups[0].Created++ }, "[2]"},
	} {
		t.Run(name, func(t *testing.T) {
			w := edited(test.edit)
			if test.world != nil {
				test.world(w)
			}
			if got := given(w.Set); got != test.want {
				t.Errorf("replicas with the new template %s, want %s", got, test.want)
			}
		})
	}
}

func TestUpdatesTellOfReplicasThatThePartitionKeeps(t *testing.T) {
	w := edited(partitioned)
	w.PodGangs["train-1"].Status.PodGroups[0].Ready = 0
	status := w.Status(plantest.Applied(w.Object), true, plantest.Now)
	progressing := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionProgressing)
	if want := "an update waits until replica 1, which the partition keeps as it is, is ready"; progressing.Message != want {
		t.Errorf("it is said that %s, want %s", progressing.Message, want)
	}
}

// leftOver is a set whose PodCliques all have today's podSpecs, and whose pods none, as an update OnDelete leaves it, or an operator that replaced
// nothing.
func leftOver(change func(set *v1alpha1.PodCliqueSet)) *plantest.World {
	w := edited(func(set *v1alpha1.PodCliqueSet) { set.Spec.UpdateStrategy.Type = v1alpha1.OnDelete })
	for i := range int32(4) {
		give(w, i)
	}
	for _, podClique := range w.PodCliques {
		delete(podClique.Annotations, v1alpha1.AnnotationUpdateTo)
	}
	w.Settle()
	w.Object.Spec.UpdateStrategy.Type = v1alpha1.RollingRecreate
	change(w.Object)
	return w
}

// turns are the replicas that have their turn, by all of their PodCliques.
func turns(set podcliqueset.Set) string {
	with := map[string]int{}
	var replicas []string
	for _, podClique := range set.Children().PodCliques() {
		i := podClique.Labels[v1alpha1.LabelReplicaIndex]
		if podClique.Annotations[v1alpha1.AnnotationUpdateTo] == podClique.Labels[v1alpha1.LabelPodTemplateHash] {
			if with[i]++; with[i] == 3 {
				replicas = append(replicas, i)
			}
		}
	}
	return fmt.Sprint(replicas)
}

// What waits in all replicas at once is replaced by turns, too.
func TestTurns(t *testing.T) {
	for name, test := range map[string]struct {
		edit  func(set *v1alpha1.PodCliqueSet)
		world func(w *plantest.World)
		want  string
	}{
		"the first":             {nil, nil, "[0]"},
		"the next waits":        {nil, func(w *plantest.World) { w.GiveTurn(0) }, "[0]"},
		"none while paused":     {func(set *v1alpha1.PodCliqueSet) { set.Spec.UpdateStrategy.Paused = true }, nil, "[]"},
		"none below partition":  {partitioned, nil, "[2]"},
		"none on delete":        {func(set *v1alpha1.PodCliqueSet) { set.Spec.UpdateStrategy.Type = v1alpha1.OnDelete }, nil, "[]"},
		"as many as may be":     {func(set *v1alpha1.PodCliqueSet) { set.Spec.UpdateStrategy = twoCoherent }, nil, "[0 1]"},
		"a broken one first":    {nil, func(w *plantest.World) { w.PodGangs["train-2"].Status.PodGroups[0].Ready = 0 }, "[2]"},
		"a user gives no turns": {func(set *v1alpha1.PodCliqueSet) { giveAll(set) }, nil, "[0]"},
		"one goes on where part of it was told": {nil, func(w *plantest.World) {
			podClique := w.PodCliques["train-alone-3"]
			podClique.Annotations[v1alpha1.AnnotationUpdateTo] = podClique.Labels[v1alpha1.LabelPodTemplateHash]
		}, "[3]"},
		"once it is edited again, none has had it": {func(set *v1alpha1.PodCliqueSet) {
			set.Spec.UpdateStrategy.Type = v1alpha1.OnDelete
			set.Annotations = map[string]string{v1alpha1.AnnotationRestartedAt: "now"}
		}, func(w *plantest.World) { w.GiveTurn(0) }, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			w := leftOver(func(set *v1alpha1.PodCliqueSet) {
				if test.edit != nil {
					test.edit(set)
				}
			})
			if test.world != nil {
				test.world(w)
			}
			if got := turns(w.Set); got != test.want {
				t.Errorf("turns %s, want %s", got, test.want)
			}
		})
	}
}

// twoCoherent lets an update replace two replicas at a time.
var twoCoherent = v1alpha1.UpdateStrategy{Type: v1alpha1.Coherent, MaxUnavailable: ptr.To(intstr.FromInt32(2))}

// giveAll says in the template what only Grove may say on PodCliques.
func giveAll(set *v1alpha1.PodCliqueSet) {
	for i, hash := range plan.TemplateOf(set).PodTemplateHashes() {
		set.Spec.Template.Cliques[i].Annotations = map[string]string{v1alpha1.AnnotationUpdateTo: hash}
	}
}

// A set that nothing is left over in is written to by no newer operator.
func TestNoTurnWithoutNeed(t *testing.T) {
	if got := turns(plantest.Observed(plantest.Workers())); got != "[]" {
		t.Errorf("turns %s of a set that isn't updated", got)
	}
}

// Steps are taken from what is observed alone: replica by replica, until all are done.
func TestRolloutToTheEnd(t *testing.T) {
	w := edited(nil)
	w.Object.Generation++
	want := []string{"[0]", "[0 1]", "[0 1 2]", "[0 1 2 3]"}
	for i := range int32(4) {
		if got := given(w.Set); got != want[i] {
			t.Fatalf("replicas with the new template %s, want %s", got, want[i])
		}
		give(w, i)
		if status := w.Settle(); status.Phase != v1alpha1.PodCliqueSetUpdating || status.RollingUpdateProgress.CurrentlyUpdating.ReplicaIndex != i ||
			status.RollingUpdateProgress.CurrentlyUpdating.PodCliqueScalingGroupName != "group" || status.UpdatedReplicas != i {
			t.Fatalf("while replica %d is updated: %s, %+v", i, status.Phase, status.RollingUpdateProgress)
		}
		for _, clique := range w.Cliques {
			if clique.Index() == i {
				for _, pod := range clique.Pods {
					pod.Labels[v1alpha1.LabelPodTemplateHash] = clique.TemplateHash()
				}
			}
		}
		w.Settle()
	}
	status := w.Object.Status
	progress := status.RollingUpdateProgress
	if status.Phase != v1alpha1.PodCliqueSetAvailable || status.UpdatedReplicas != 4 || progress.UpdateEndedAt == nil || progress.CurrentlyUpdating != nil ||
		!slices.Equal(progress.UpdatedPodCliqueScalingGroups, []string{"group"}) || !slices.Equal(progress.UpdatedPodCliques, []string{"alone"}) {
		t.Errorf("at the end: %s, %+v", status.Phase, progress)
	}
}

// A pod above the minimum that has come back and isn't up is waited for, unless the scheduler says that it has no place.
func TestTheNextReplicaWaitsForSurplus(t *testing.T) {
	unschedulable := corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable}
	for name, test := range map[string]struct {
		state plantest.State
		want  string
	}{
		"not tried yet": {func(pod *corev1.Pod) { *pod = corev1.Pod{ObjectMeta: pod.ObjectMeta} }, "[0]"},
		"starting":      {func(pod *corev1.Pod) { pod.Status.Conditions = nil }, "[0]"},
		"without a place": {func(pod *corev1.Pod) {
			*pod = corev1.Pod{ObjectMeta: pod.ObjectMeta, Status: corev1.PodStatus{Conditions: []corev1.PodCondition{unschedulable}}}
		}, "[0 1]"},
		"ready": {func(*corev1.Pod) {}, "[0 1]"},
	} {
		t.Run(name, func(t *testing.T) {
			set := plantest.Workers()
			set.Spec.Template.Cliques[2].Spec.Replicas, set.Spec.Template.Cliques[2].Spec.MinAvailable = ptr.To[int32](2), ptr.To[int32](1)
			w := plantest.NewWorld(set, plantest.Ready)
			w.Settle()
			for i := range set.Spec.Template.Cliques {
				set.Spec.Template.Cliques[i].Spec.PodSpec.Containers[0].Image = "new"
			}
			give(w, 0)
			for _, clique := range w.Cliques {
				for _, pod := range clique.Pods {
					if clique.Index() == 0 {
						pod.Labels[v1alpha1.LabelPodTemplateHash] = clique.TemplateHash()
					}
				}
			}
			test.state(w.Pod(t, "train-alone-0-1"))
			w.Settle()
			if got := given(w.Set); got != test.want {
				t.Errorf("replicas with the new template %s, want %s", got, test.want)
			}
		})
	}
}

// A PodClique that is gone, or was edited, comes back from the history while its replica waits.
func TestPastTemplate(t *testing.T) {
	w := edited(func(set *v1alpha1.PodCliqueSet) { set.Spec.UpdateStrategy.Paused = true })
	before := plantest.Workers()
	before.Spec.Replicas = 4
	w.Revisions = append(w.Revisions, plan.Configuration[appsv1.ControllerRevision](podcliqueset.Set{Object: before}.Children().Revision))
	delete(w.PodCliques, "train-alone-1")
	w.PodCliques["train-lead-1"].Spec.PodSpec.Containers[0].Image = "by hand"
	for _, podClique := range w.Children().PodCliques() {
		if image := podClique.Spec.PodSpec.Containers[0].Image; ptr.Deref(image, "") != "" {
			t.Errorf("%s gets image %s", *podClique.Name, *image)
		}
	}
}

// Revisions are numbered, and those that nothing is of go beyond the limit.
func TestHistory(t *testing.T) {
	w := edited(nil)
	w.Object.Spec.RevisionHistoryLimit = ptr.To[int32](1)
	for i, image := range []string{"", "one", "two", "three"} {
		set := plantest.Workers()
		for j := range set.Spec.Template.Cliques {
			set.Spec.Template.Cliques[j].Spec.PodSpec.Containers[0].Image = image
		}
		revision := plan.Configuration[appsv1.ControllerRevision](podcliqueset.Set{Object: set}.Children().Revision)
		revision.Revision = int64(i + 1)
		w.Revisions = append(w.Revisions, revision)
	}
	if got := *w.Children().Revision.Revision; got != 5 {
		t.Errorf("the new revision is number %d", got)
	}
	var gone []int64
	for _, revision := range w.Removals().Revisions {
		gone = append(gone, revision.Revision)
	}
	// The first is what the replicas still have.
	if !slices.Equal(gone, []int64{3, 2}) {
		t.Errorf("revisions %v go", gone)
	}
	w.Object.Spec.Template = *plantest.Workers().Spec.Template.DeepCopy()
	if got := *w.Children().Revision.Revision; got != 5 {
		t.Errorf("the revision that came back is number %d", got)
	}
}
