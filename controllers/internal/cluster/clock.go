package cluster

import "k8s.io/utils/clock"

// systemClock is what controllers take for the time. It has a file of its own, which the end-to-end tests replace when they build an operator
// that runs on a machine whose clock is wrong.
func systemClock() clock.PassiveClock { return clock.RealClock{} }
