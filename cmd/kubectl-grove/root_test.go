package main

import (
	"testing"

	"grove.io/grove/cmd/kubectl-grove/internal/clitest"
)

func TestHelp(t *testing.T) {
	out, code := clitest.Run(t, clitest.Clients(nil), newRoot, "--help")
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	clitest.Golden(t, "help.txt", out)
}
