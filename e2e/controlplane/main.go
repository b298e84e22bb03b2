// Command controlplane is a Kubernetes control plane in one program: it behaves as etcd, kube-apiserver,
// kube-controller-manager, kube-scheduler, kubectl, kwok or kwokctl, whichever name it is called by.
//
// The seven share most of their packages: linked as one they need half the processor time for linking, and a third of the
// disk, that they need one by one. Compiling, most of a first build, is the same. The build tags without_etcd, without_kube_apiserver and
// so on leave one out, for whoever has it already.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	_ "k8s.io/component-base/logs/json/register" // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
)

// faces are what the program can be, by the names that it is called by. Each is added by a file of its own.
var faces = map[string]func(){}

func main() {
	name := filepath.Base(os.Args[0])
	face, ok := faces[name]
	if !ok {
		names := slices.Sorted(maps.Keys(faces))
		fmt.Fprintf(os.Stderr, "controlplane: called as %q; link it to one of: %s\n", name, strings.Join(names, ", "))
		os.Exit(2)
	}
	face()
}
