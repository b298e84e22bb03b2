package why

import (
	"fmt"
	"io"
	"strings"
	"time"

	"grove.io/grove/cmd/kubectl-grove/view"
)

// Painter colours words by how good what they say is, or leaves them as they are.
type Painter func(view.Mood, string) string

// Write writes an answer for people.
func (a Answer) Write(w io.Writer, now time.Time, paint Painter) {
	line := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	if a.Cause == nil {
		line("%s: %s. %s", a.About, a.State, paint(view.Good, "Nothing is missing."))
		return
	}
	line("%s: %s", a.About, a.State)
	if a.Lacks != "" {
		line("Lacks: %s", a.Lacks)
	}
	for _, link := range a.Cause.Chain {
		line("       %s", link)
	}
	line("Why:   %s", paint(moodOf(a.Cause.Kind), a.Cause.Words))
	for _, group := range a.Cause.NodeGroups {
		group.write(w)
	}
	if closest := a.Cause.Closest; closest != nil {
		line("       closest: %s %s, with %d nodes, has a place for %d of the %d pods; then pod %s finds none:", closest.Key, closest.Domain, closest.Nodes, closest.Placed, closest.Pods, closest.Missing)
		for _, against := range closest.Against {
			line("         %s", against)
		}
	}
	if a.Cause.Scheduler != "" {
		line("       the scheduler says: %s", a.Cause.Scheduler)
	}
	for _, note := range a.Cause.Notes {
		line("Note:  %s", note)
	}
	for _, next := range a.Cause.Next {
		line("Next:  %s%s", next.when(now), next.Words)
	}
	if a.Others > 0 {
		line("More:  %d other %s available either", a.Others, plural(a.Others, "replica isn't", "replicas aren't"))
	}
}

func (g NodeGroup) write(w io.Writer) {
	fmt.Fprintf(w, "       %d %s %s:\n", g.Nodes, plural(g.Nodes, "node", "nodes"), g.Name)
	for _, against := range g.Against {
		fmt.Fprintf(w, "         %s\n", against)
	}
	if g.Fit > 0 {
		fmt.Fprintf(w, "         %d of %d nodes: room for this pod alone\n", g.Fit, g.Nodes)
	}
}

func (n Next) when(now time.Time) string {
	if n.At == nil {
		return ""
	}
	if left := n.At.Sub(now); left > 0 {
		return fmt.Sprintf("at %s, in %s, ", n.At.Format("2006-01-02 15:04:05 MST"), view.Age(left))
	}
	return fmt.Sprintf("since %s, ", n.At.Format("2006-01-02 15:04:05 MST"))
}

func moodOf(kind Kind) view.Mood {
	switch kind {
	case Starting, NotCreated, Terminating, Updating, NotPlaced, UpdatePaused:
		return view.Waiting
	default:
		return view.Bad
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// Words are an answer in one line.
func (a Answer) Words() string {
	if a.Cause == nil {
		return "nothing is missing"
	}
	return strings.TrimSpace(a.Cause.Words)
}
