// Package forecast tells what applying a PodCliqueSet would do: to its fields, to its children, and to its pods step by step.
package forecast

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/cmd/kubectl-grove/internal/dryrun"
	"grove.io/grove/cmd/kubectl-grove/internal/simulation"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/podcliqueset"
)

// Forecast is what applying a set would do.
type Forecast struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Action    Action `json:"action"`
	// ServerSide tells whether it would be applied server-side.
	ServerSide bool `json:"serverSide"`
	// Refused is what the API server says against it.
	Refused string `json:"refused,omitempty"`
	// Conflicts are fields that others own, and Forced tells whether they would be taken over. If not, it is refused, and the rest is what it would
	// do if they were.
	Conflicts []dryrun.Conflict `json:"conflicts,omitempty"`
	Forced    bool              `json:"forced,omitempty"`
	Fields    []Field           `json:"fields,omitempty"`
	Children  []Child           `json:"children,omitempty"`
	// Kept are replicas that stay other than the file has them.
	Kept []Kept `json:"kept,omitempty"`
	// Problems are what the operator would refuse.
	Problems []string `json:"problems,omitempty"`
	// Now is what is ready, Steps what happens one after the other.
	Now   simulation.Capacity `json:"now"`
	Steps []Step              `json:"steps,omitempty"`
	// More tells that there are more steps than were played.
	More bool `json:"more,omitempty"`
	// Outdated pods stay as they are after the last step, for a reason.
	Outdated *Outdated `json:"outdated,omitempty"`
}

// Step is what happens without waiting for a pod to become ready.
type Step struct {
	simulation.Step
	Delete  []string `json:"delete,omitempty"`
	Create  []string `json:"create,omitempty"`
	Replace []string `json:"replace,omitempty"`
	Change  []string `json:"change,omitempty"`
	Relabel []string `json:"relabel,omitempty"`
}

// Kept is a child's replicas that others have set, or an autoscaler sets.
type Kept struct {
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	Replicas int32  `json:"replicas"`
	// InFile is what the file says.
	InFile int32 `json:"inFile"`
	// Manager has set them; it is empty for the set's own, which are kept since the file has the number that was applied last.
	Manager string `json:"manager,omitempty"`
}

// Outdated are pods of podSpecs other than the file's.
type Outdated struct {
	Pods []string `json:"pods"`
	Why  string   `json:"why"`
}

// mostSteps bounds what is played of a long update.
const mostSteps = 1000

// Of is the forecast for what a dry run made of a set, whose children and pods were observed; of a new set nothing but the set itself.
func Of(result dryrun.Result, observed podcliqueset.Set, pods []*corev1.Pod, scheduling plan.Scheduling, now time.Time) Forecast {
	f := Forecast{ServerSide: result.ServerSide, Conflicts: result.Conflicts, Forced: result.Forced, Refused: result.Refused}
	switch {
	case result.Set == nil:
		f.Action = Refused
		return f
	case result.Live == nil:
		f.Action = Create
	default:
		if f.Fields = fieldsOf(result.Live, result.Set); len(f.Fields) == 0 {
			f.Action = Unchanged
		} else {
			f.Action = Change
		}
	}
	f.Namespace, f.Name = result.Set.Namespace, result.Set.Name
	before := observed
	w := simulation.New(observed, pods, scheduling, now)
	f.Now = w.Capacity()
	if f.Action == Unchanged {
		return f
	}
	w.Change(result.Set)
	for _, problem := range w.Set.Children().Problems {
		f.Problems = append(f.Problems, problem.Message)
	}
	steps, ended := w.Run(mostSteps)
	for _, step := range steps {
		f.Steps = append(f.Steps, Step{
			Step: step, Delete: simulation.NamesOf(step.Deleted), Create: simulation.NamesOf(step.Created),
			Replace: simulation.NamesOf(step.Replaced), Change: simulation.NamesOf(step.Changed), Relabel: simulation.NamesOf(step.Relabelled),
		})
	}
	f.More = !ended
	f.Children = childrenOf(before, w.Set)
	f.Kept = kept(before, w.Set)
	if ended {
		f.Outdated = outdated(w)
	}
	return f
}

// Changes tells whether applying would change anything.
func (f Forecast) Changes() bool { return f.Action != Unchanged }

// Fails tells whether applying would be refused.
func (f Forecast) Fails() bool { return f.Action == Refused || len(f.Conflicts) > 0 && !f.Forced }

// outdated are the pods that are of another podSpec than the set's once there is nothing left to do.
func outdated(w *simulation.World) *Outdated {
	t := plan.TemplateOf(w.Object)
	hashes := map[string]string{}
	for j, hash := range t.PodTemplateHashes() {
		for i := range w.Object.Spec.Replicas {
			hashes[plan.PodCliqueName(w.Object.Name, t.Cliques()[j].Name, i)] = hash
		}
	}
	var old []*corev1.Pod
	for _, pod := range w.Pods() {
		if hash, ok := hashes[pod.Labels[v1alpha1.LabelPodClique]]; ok && pod.Labels[v1alpha1.LabelPodTemplateHash] != hash {
			old = append(old, pod)
		}
	}
	if len(old) == 0 {
		return nil
	}
	strategy := w.Object.Spec.UpdateStrategy
	why := "they are about to be replaced, once what they wait for has happened"
	switch {
	case strategy.Type == v1alpha1.OnDelete:
		why = "updateStrategy.type is OnDelete: each is replaced once somebody deletes it"
	case strategy.Paused:
		why = "updateStrategy.paused holds the update back"
	case strategy.Partition > 0:
		why = fmt.Sprintf("updateStrategy.partition keeps replicas below %d as they are", strategy.Partition)
	}
	return &Outdated{Pods: simulation.NamesOf(old), Why: why}
}

// kept are the replicas of children that will be other than the template has them.
func kept(before, after podcliqueset.Set) []Kept {
	t := plan.TemplateOf(after.Object)
	var all []Kept
	add := func(kind, name string, replicas *int32, inFile *int32, live metav1.Object) {
		if is, said := plan.ReplicasOf(replicas), plan.ReplicasOf(inFile); is != said && inFile != nil {
			all = append(all, Kept{Kind: kind, Name: name, Replicas: is, InFile: said, Manager: managerOfReplicas(live)})
		}
	}
	for _, config := range t.ScalingGroups {
		name := plan.ScalingGroupName(after.Object.Name, config.Name)
		if live := before.ScalingGroups[name]; live != nil && after.ScalingGroups[name] != nil {
			add("PodCliqueScalingGroup", name, after.ScalingGroups[name].Spec.Replicas, config.Replicas, live)
		}
	}
	for i := range after.Object.Spec.Replicas {
		for j := range t.Cliques() {
			name := plan.PodCliqueName(after.Object.Name, t.Cliques()[j].Name, i)
			if live := before.PodCliques[name]; live != nil && after.PodCliques[name] != nil {
				add("PodClique", name, after.PodCliques[name].Spec.Replicas, t.Cliques()[j].Spec.Replicas, live)
			}
		}
	}
	return all
}

// managerOfReplicas is who has set a child's replicas last, unless that is Grove.
func managerOfReplicas(child metav1.Object) string {
	path, manager := fieldpath.MakePathOrDie("spec", "replicas"), ""
	var at time.Time
	for _, entry := range child.GetManagedFields() {
		if entry.Manager == plan.SetManager || entry.FieldsV1 == nil {
			continue
		}
		var fields fieldpath.Set
		if fields.FromJSON(entry.FieldsV1.GetRawReader()) != nil || !fields.Has(path) {
			continue
		}
		if manager == "" || entry.Time != nil && entry.Time.After(at) {
			manager = entry.Manager
			if entry.Time != nil {
				at = entry.Time.Time
			}
		}
	}
	return manager
}
