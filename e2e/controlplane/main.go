// Command controlplane is a Kubernetes control plane in one program: it behaves as etcd, kube-apiserver,
// kube-controller-manager, kube-scheduler, kubectl, kwok or kwokctl, whichever name it is called by.
//
// The seven share most of their packages: linked as one they need half the processor time for linking, and a third of the
// disk, that they need one by one. Compiling, most of a first build, is the same.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register" // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

var faces = map[string]func(){
	"etcd":                    func() { etcdmain.Main(os.Args) },
	"kube-apiserver":          func() { os.Exit(cli.Run(apiserver.NewAPIServerCommand())) },
	"kube-controller-manager": func() { os.Exit(cli.Run(controllermanager.NewControllerManagerCommand())) },
	"kube-scheduler":          func() { os.Exit(cli.Run(scheduler.NewSchedulerCommand())) },
	"kubectl":                 func() { kubectlutil.CheckErr(cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand())) },
	"kwok":                    runKwok,
	"kwok-controller":         runKwok, // kwokctl's name for it
	"kwokctl":                 runKwokctl,
}

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
