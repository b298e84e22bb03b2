package fit

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"grove.io/grove/cmd/kubectl-grove/internal/cli"
	"grove.io/grove/cmd/kubectl-grove/internal/nodes"
	"grove.io/grove/cmd/kubectl-grove/internal/simulation"
)

// Text writes for people whether a set fits.
func (f Fit) Text(out io.Writer, palette cli.Palette) {
	line := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	words := "fits"
	switch {
	case f.Refused != "":
		words = "is refused"
	case !f.Fits:
		words = "doesn't fit"
	}
	line("%s", palette.Strong(fmt.Sprintf("PodCliqueSet %s/%s %s", f.Namespace, f.Name, words)))
	if f.Refused != "" {
		line("  %s", palette.Bad(f.Refused))
		return
	}
	for _, unit := range f.Units {
		for _, words := range unit.words(palette) {
			line("  %s", words)
		}
	}
	if s := f.Surplus; s != nil {
		paint := palette.Good
		if s.Placed < s.Pods {
			paint = palette.Waiting
		}
		line("  %s", paint(fmt.Sprintf("surplus above minAvailable: %d of %d pods fit", s.Placed, s.Pods)))
		for _, words := range lacks(s.Missing, s.Lacks) {
			line("      %s", words)
		}
	}
	if len(f.Beyond) > 0 {
		line("  %s", palette.Waiting("not looked at: "+strings.Join(f.Beyond, ", ")))
	}
}

// words are the lines on a unit.
func (u Unit) words(palette cli.Palette) []string {
	name := fmt.Sprintf("replica %d, %s: ", u.Replica, u.Name)
	switch u.State {
	case Placed:
		return []string{palette.Good(name+"placed") + u.where()}
	case Fits:
		return []string{palette.Good(fmt.Sprintf("%s%d pods fit", name, u.Pods)) + u.where()}
	case Waits:
		return []string{palette.Waiting(name + "waits, since the base unit doesn't fit")}
	}
	words := palette.Bad(fmt.Sprintf("%sdoesn't fit", name))
	if u.Closest.Domain != "" {
		words += fmt.Sprintf("; closest is %s %s, where ", u.TopologyKey, u.Closest.Domain)
	} else {
		words += ": "
	}
	all := []string{words + fmt.Sprintf("%d of its %d pods do", u.Closest.Placed, u.Pods)}
	for _, why := range lacks(u.Closest.Missing, u.Closest.Lacks) {
		all = append(all, "    "+why)
	}
	return all
}

// where says in which domains, and on which nodes.
func (u Unit) where() string {
	words := ""
	if u.Domain != "" {
		words += fmt.Sprintf(", in %s %s", u.TopologyKey, u.Domain)
	}
	for _, pack := range u.Packs {
		words += fmt.Sprintf(", packed in %s %s", pack.TopologyKey, pack.Domain)
	}
	if ranges := simulation.Ranges(slices.Sorted(maps.Keys(u.Nodes))); len(ranges) <= mostNodes {
		return words + ", on " + strings.Join(ranges, " ")
	}
	return words + fmt.Sprintf(", on %d nodes", len(u.Nodes))
}

// mostNodes is how many nodes, or ranges of them, are named.
const mostNodes = 4

// lacks says why a pod finds no place.
func lacks(pod string, why []nodes.Group) []string {
	if pod == "" {
		return nil
	}
	if len(why) == 0 {
		return []string{"pod " + pod + ": there are no nodes"}
	}
	lines := []string{"pod " + pod + ":"}
	for _, group := range why {
		lines = append(lines, "  "+group.String())
	}
	return lines
}
