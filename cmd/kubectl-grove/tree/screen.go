package tree

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"grove.io/grove/cmd/kubectl-grove/view"
)

// Screen shows sets as they change: on a terminal it redraws their trees in place, elsewhere it appends a line for each change of a set.
type Screen struct {
	Out io.Writer
	// Live tells whether Out is a terminal.
	Live  bool
	Paint Painter

	started time.Time
	drawn   int
	last    map[string]string
}

// Show shows how sets are now.
func (s *Screen) Show(views []*view.View, now time.Time) {
	if s.started.IsZero() {
		s.started, s.last = now, map[string]string{}
	}
	since := now.Sub(s.started).Seconds()
	if s.Live {
		s.redraw(views, now, since)
		return
	}
	for _, v := range views {
		key := v.Set.Namespace + "/" + v.Set.Name
		if summary := Summary(v); summary != s.last[key] {
			fmt.Fprintf(s.Out, "%5.1fs  %s\n", since, summary)
			s.last[key] = summary
		}
	}
}

// redraw draws the trees over those that were drawn before, with as much of them as there is room for.
func (s *Screen) redraw(views []*view.View, now time.Time, since float64) {
	const up, clear = "\x1b[%dA", "\x1b[J"
	var nodes, lean []Node
	for _, v := range views {
		node := Of(v)
		nodes, lean = append(nodes, node), append(lean, node.Lean())
	}
	height := s.height()
	lines := Lines(nodes, now, s.Paint)
	if len(lines) >= height {
		lines = Lines(lean, now, s.Paint)
	}
	if room := height - 2; len(lines) > room {
		lines = append(lines[:room:room], fmt.Sprintf("… %d more lines", len(lines)-room))
	}
	if s.drawn > 0 {
		fmt.Fprintf(s.Out, up, s.drawn)
	}
	lines = append(lines, fmt.Sprintf("%.1fs", since))
	fmt.Fprintln(s.Out, clear+strings.Join(lines, "\n"))
	s.drawn = len(lines)
}

// height is how many lines a terminal has; many where it doesn't say.
func (s *Screen) height() int {
	const many = 1000
	if file, ok := s.Out.(*os.File); ok {
		if _, height, err := term.GetSize(int(file.Fd())); err == nil && height > 3 {
			return height - 1
		}
	}
	return many
}
