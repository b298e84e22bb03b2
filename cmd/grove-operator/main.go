// Command grove-operator turns PodCliqueSets into gangs of pods.
package main

import (
	"os"

	"grove.io/grove/cmd/grove-operator/app"
)

func main() {
	os.Exit(app.Main(os.Args[1:], os.Stdout, os.Stderr))
}
