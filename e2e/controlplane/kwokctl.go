//go:build !without_kwokctl

package main

import (
	kwokctl "sigs.k8s.io/kwok/pkg/kwokctl/cmd"
	_ "sigs.k8s.io/kwok/pkg/kwokctl/runtime/binary" // the runtime that starts plain processes
)

func init() {
	faces["kwokctl"] = func() { runWithKwokConfig(kwokctl.NewCommand) }
}
