package cases

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/e2e/cluster"
)

func (s *scope) startOperator(flags ...string) *cluster.Operator {
	s.Helper()
	operator, err := s.StartOperator(s.ctx, flags...)
	if err != nil {
		s.Fatal(err)
	}
	return operator
}

// kill ends an operator without a chance to finish anything.
func (s *scope) kill(operator *cluster.Operator) {
	s.Helper()
	if err := operator.Kill(); err != nil {
		s.Fatal(err)
	}
}

func (s *scope) stop(operator *cluster.Operator) {
	s.Helper()
	if err := operator.Stop(s.ctx); err != nil {
		s.Fatal(err)
	}
}

func (s *scope) leader() string {
	s.Helper()
	lease, err := s.core.CoordinationV1().Leases(s.namespace).Get(s.ctx, "grove-operator", metav1.GetOptions{})
	if err != nil {
		s.Fatal(err)
	}
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// bringUpAnother creates a set elsewhere and waits until it is available. The operator takes work in its order, so that by then
// it has done whatever was to be done before.
func (s *scope) bringUpAnother() {
	s.Helper()
	other := s.inAnotherNamespace()
	other.create(newSet("web", 1, newClique("front", 1, 1)))
	other.waitUntilAvailable("web")
}
