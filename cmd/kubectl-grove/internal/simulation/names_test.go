package simulation

import (
	"strings"
	"testing"
)

func TestRanges(t *testing.T) {
	for names, want := range map[string]string{
		"":                        "",
		"a-0":                     "a-0",
		"a-0 a-1 a-2":             "a-[0-2]",
		"a-0 a-2 a-3 a-10":        "a-[0,2-3,10]",
		"a-10 a-9":                "a-[9-10]",
		"b-0 a-0 a-1":             "a-[0-1] b-0",
		"a-0-0 a-0-1 a-1-0 a-1-1": "a-0-[0-1] a-1-[0-1]",
		"alone a-b":               "a-b alone",
	} {
		if got := strings.Join(Ranges(strings.Fields(names)), " "); got != want {
			t.Errorf("Ranges(%q) = %q, want %q", names, got, want)
		}
	}
}
