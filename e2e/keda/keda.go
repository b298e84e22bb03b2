// Package keda pins KEDA, of whose module tests install the CustomResourceDefinitions. It is a module of its own, so that nothing else needs
// what that does.
package keda

import _ "github.com/kedacore/keda/v2/version"
