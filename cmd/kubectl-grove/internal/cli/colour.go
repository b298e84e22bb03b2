package cli

import (
	"io"
	"os"

	"golang.org/x/term"

	"grove.io/grove/cmd/kubectl-grove/view"
)

// Palette gives words a colour by what they mean. Its zero value leaves them as they are.
type Palette struct {
	Colours bool
}

// Mood colours words by how good what they say is.
func (p Palette) Mood(mood view.Mood, words string) string {
	switch mood {
	case view.Good:
		return p.Good(words)
	case view.Waiting:
		return p.Waiting(words)
	default:
		return p.Bad(words)
	}
}

// Good is for what is as it should be.
func (p Palette) Good(words string) string { return p.paint("32", words) }

// Waiting is for what isn't yet.
func (p Palette) Waiting(words string) string { return p.paint("33", words) }

// Bad is for what is wrong.
func (p Palette) Bad(words string) string { return p.paint("31", words) }

// Strong is for what is to be read first.
func (p Palette) Strong(words string) string { return p.paint("1", words) }

// Faint is for what is beside the point.
func (p Palette) Faint(words string) string { return p.paint("2", words) }

func (p Palette) paint(code, words string) string {
	if !p.Colours || words == "" {
		return words
	}
	return "\x1b[" + code + "m" + words + "\x1b[0m"
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// coloursWanted follows https://no-color.org, and what terminals say of themselves.
func coloursWanted() bool { return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" }
