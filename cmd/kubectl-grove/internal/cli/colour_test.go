package cli

import (
	"bytes"
	"testing"

	"grove.io/grove/cmd/kubectl-grove/view"
)

func TestColours(t *testing.T) {
	if words := (Palette{}).Mood(view.Bad, "Failed"); words != "Failed" {
		t.Errorf("without colours: %q", words)
	}
	if words := (Palette{Colours: true}).Mood(view.Bad, "Failed"); words != "\x1b[31mFailed\x1b[0m" {
		t.Errorf("with colours: %q", words)
	}
	if env := NewEnv(nil, &bytes.Buffer{}, &bytes.Buffer{}); env.Palette.Colours || env.Live {
		t.Error("what isn't a terminal has colours")
	}
	for name, value := range map[string]string{"NO_COLOR": "1", "TERM": "dumb"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("NO_COLOR", "")
			t.Setenv("TERM", "xterm")
			if !coloursWanted() {
				t.Error("no colours on a terminal")
			}
			t.Setenv(name, value)
			if coloursWanted() {
				t.Error("colours are wanted all the same")
			}
		})
	}
}
