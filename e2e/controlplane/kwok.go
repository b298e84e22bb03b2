//go:build !without_kwok

package main

import kwok "sigs.k8s.io/kwok/pkg/kwok/cmd"

func init() {
	faces["kwok"] = func() { runWithKwokConfig(kwok.NewCommand) }
	faces["kwok-controller"] = faces["kwok"] // kwokctl's name for it
}
