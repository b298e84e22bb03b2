//go:build !without_kube_scheduler

package main

import (
	"os"

	"k8s.io/component-base/cli"

	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

func init() {
	faces["kube-scheduler"] = func() { os.Exit(cli.Run(scheduler.NewSchedulerCommand())) }
}
