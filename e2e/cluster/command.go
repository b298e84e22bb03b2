package cluster

import (
	"os"

	"grove.io/grove/e2e/kubebuild"
)

// Output runs a command, and puts what it wrote to stderr into the error.
var Output = kubebuild.Output

// repository returns the root of the module around the working directory, and go's environment there.
var repository = kubebuild.Repository

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
