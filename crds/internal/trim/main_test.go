package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTrimKeepsOwnDescriptions(t *testing.T) {
	const in = `---
properties:
  spec:
    description: what the user asks for
    properties:
      description:
        description: a field that is named so
        type: string
      podSpec:
        description: the pods
        properties:
          containers:
            description: foreign
            items:
              description: foreign
              type: object
            type: array
          description:
            description: a foreign field that is named so
            type: string
    type: object
type: object
`
	const want = `---
properties:
  spec:
    description: what the user asks for
    properties:
      description:
        description: a field that is named so
        type: string
      podSpec:
        description: the pods
        properties:
          containers:
            items:
              type: object
            type: array
          description:
            type: string
    type: object
type: object
`
	got, err := trim([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestTrimmed: what is checked in has been trimmed, and a second time changes nothing.
func TestTrimmed(t *testing.T) {
	paths, err := filepath.Glob("../../grove.io_*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal("no CustomResourceDefinitions", err)
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		again, err := trim(content)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(content), string(again)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", path, diff)
		}
	}
}
