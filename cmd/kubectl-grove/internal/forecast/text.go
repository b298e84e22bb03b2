package forecast

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/cmd/kubectl-grove/internal/cli"
	"grove.io/grove/cmd/kubectl-grove/internal/simulation"
)

// Text writes a forecast for people. Of steps, it writes the first so many, or all for 0.
func (f Forecast) Text(out io.Writer, palette cli.Palette, most int) {
	t := text{out, palette}
	t.line("%s", palette.Strong(fmt.Sprintf("PodCliqueSet %s/%s: %s", f.Namespace, f.Name, f.headline())))
	if f.Refused != "" {
		t.line("  %s", palette.Bad(f.Refused))
	}
	for _, field := range f.Fields {
		t.line("  %s", t.field(field))
	}
	t.conflicts(f)
	for _, problem := range f.Problems {
		t.line("  %s", palette.Bad("the operator will refuse: "+problem))
	}
	t.children(f.Children)
	t.kept(f.Kept)
	t.steps(f, most)
	if f.Outdated != nil {
		t.line("\n%s", palette.Waiting(fmt.Sprintf("%d pods stay of their old podSpec: %s", len(f.Outdated.Pods), f.Outdated.Why)))
	}
}

func (f Forecast) headline() string {
	switch {
	case f.Action == Refused:
		return "is refused"
	case f.Fails():
		return "is refused, since others own what it changes; with --force-conflicts it will be changed"
	case f.Action == Create:
		return "will be created"
	case f.Action == Change:
		return "will be changed"
	default:
		return "no change"
	}
}

type text struct {
	io.Writer
	cli.Palette
}

func (t text) line(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }

func (t text) conflicts(f Forecast) {
	if len(f.Conflicts) == 0 {
		return
	}
	paint, verb := t.Bad, "is owned by"
	if f.Forced {
		paint, verb = t.Waiting, "is taken over from"
	}
	t.line("\nFields of others:")
	for _, conflict := range f.Conflicts {
		t.line("  %s", paint(fmt.Sprintf("%s %s %s", conflict.Field, verb, conflict.Manager)))
	}
}

// longest is how much of a value is shown.
const longest = 60

func (t text) field(f Field) string {
	value := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		if words := []rune(string(data)); len(words) > longest {
			return string(words[:longest]) + "…"
		}
		return string(data)
	}
	switch {
	case nothing(f.Before):
		return t.Good("+ " + f.Path + ": " + value(f.After))
	case nothing(f.After):
		return t.Bad("- " + f.Path + ": " + value(f.Before))
	default:
		return t.Waiting("~ " + f.Path + ": " + value(f.Before) + " → " + value(f.After))
	}
}

// children are written a line for those of a kind of which the same becomes.
func (t text) children(children []Child) {
	if len(children) == 0 {
		return
	}
	t.line("\nChildren:")
	var order []string
	lines := map[string][]Child{}
	for _, child := range children {
		key := child.Kind + "\n" + string(child.Action) + "\n" + strings.Join(child.Changes, ", ")
		if lines[key] == nil {
			order = append(order, key)
		}
		lines[key] = append(lines[key], child)
	}
	for _, key := range order {
		var names []string
		for _, child := range lines[key] {
			names = append(names, child.Name)
		}
		one := lines[key][0]
		words := one.Kind + " " + list(simulation.Ranges(names))
		switch one.Action {
		case Create:
			t.line("  %s", t.Good("+ "+words))
		case Delete:
			t.line("  %s", t.Bad("- "+words))
		default:
			t.line("  %s", t.Waiting("~ "+words+": "+strings.Join(one.Changes, ", ")))
		}
	}
}

func (t text) kept(all []Kept) {
	if len(all) == 0 {
		return
	}
	t.line("\nReplicas that stay as they are:")
	for _, kept := range all {
		why := "the file has what was applied last"
		if kept.Manager != "" {
			why = kept.Manager + " has set them"
		}
		t.line("  %s %s: %d, and %d in the file; %s", kept.Kind, kept.Name, kept.Replicas, kept.InFile, why)
	}
}

func (t text) steps(f Forecast, most int) {
	if f.Action == Unchanged || f.Action == Refused {
		return
	}
	if len(f.Steps) == 0 {
		t.line("\nNo pod is created, deleted or replaced.")
		return
	}
	t.line("\nPods, step by step; each begins once those of the one before are ready:")
	if f.Action != Create {
		t.line("     now: %s", t.capacity(f.Now))
	}
	shown := f.Steps
	if most > 0 && len(shown) > most {
		shown = shown[:most]
	}
	for i, step := range shown {
		t.step(i+1, step)
	}
	switch rest := len(f.Steps) - len(shown); {
	case f.More:
		t.line("     … and more than %d steps more", rest)
	case rest > 0:
		t.line("     … and %d steps more: --steps=0 shows all", rest)
	}
	if f.Action != Create {
		t.line("  At the lowest: %s", t.capacity(f.lowest()))
	}
}

func (t text) step(number int, step Step) {
	prefix := fmt.Sprintf("%4d ", number)
	say := func(paint func(string) string, what string, pods []*corev1.Pod) {
		if len(pods) > 0 {
			t.line("%s%s", prefix, paint(what+" "+podsInWords(pods)))
			prefix = "     "
		}
	}
	if len(step.Waits) > 0 {
		t.line("%s%s", prefix, t.Waiting("once ready, which they aren't now: "+list(simulation.Ranges(step.Waits))))
		prefix = "     "
	}
	say(t.Bad, "delete", step.Deleted)
	say(t.Waiting, "replace", step.Replaced)
	say(t.Waiting, "change in place", step.Changed)
	say(t.Good, "create", step.Created)
	say(t.Faint, "relabel", step.Relabelled)
	t.line("     %s", t.Faint("leaves "+t.capacity(step.Leaves)))
}

func (t text) capacity(c simulation.Capacity) string {
	return fmt.Sprintf("%d of %d replicas, %d of %d units and %d of %d pods ready",
		c.Replicas.Ready, c.Replicas.Of, c.Units.Ready, c.Units.Of, c.Pods.Ready, c.Pods.Of)
}

// lowest is the step's that leaves the fewest pods, of those that leave the fewest replicas and units.
func (f Forecast) lowest() simulation.Capacity {
	lowest := f.Steps[0].Leaves
	for _, step := range f.Steps[1:] {
		if l := step.Leaves; less(l, lowest) {
			lowest = l
		}
	}
	return lowest
}

func less(a, b simulation.Capacity) bool {
	if a.Replicas.Ready != b.Replicas.Ready {
		return a.Replicas.Ready < b.Replicas.Ready
	}
	if a.Units.Ready != b.Units.Ready {
		return a.Units.Ready < b.Units.Ready
	}
	return a.Pods.Ready < b.Pods.Ready
}

// mostNames is how many names, or ranges of them, a line has.
const mostNames = 8

func list(names []string) string {
	if more := len(names) - mostNames; more > 0 {
		return strings.Join(names[:mostNames], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}

// podsInWords names pods or, where that is too long, says how many there are of which PodClique.
func podsInWords(pods []*corev1.Pod) string {
	if ranges := simulation.Ranges(simulation.NamesOf(pods)); len(ranges) <= mostNames {
		return list(ranges)
	}
	of := map[string]int{}
	for _, pod := range pods {
		of[pod.Labels[v1alpha1.LabelPodClique]]++
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		parts = append(parts, fmt.Sprintf("%d of %s", of[name], name))
	}
	return fmt.Sprintf("%d pods: %s", len(pods), list(parts))
}
