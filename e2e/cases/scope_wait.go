package cases

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// patience is how long a case waits for anything: generous, since many cases share a machine.
const patience = 2 * time.Minute

// pollPeriod is how often a case looks, and kindPollPeriod where containers want the processors, too.
const pollPeriod, kindPollPeriod = 50 * time.Millisecond, 250 * time.Millisecond

// eventually waits until missing returns "", and fails the test with its last answer otherwise.
func (s *scope) eventually(what string, missing func() (string, error)) {
	s.Helper()
	s.eventuallyWithin(patience, what, missing)
}

// eventuallyWithin is eventually for what may take longer.
func (s *scope) eventuallyWithin(patience time.Duration, what string, missing func() (string, error)) {
	s.Helper()
	last := "nothing was seen"
	period := pollPeriod
	if s.Kind != nil {
		period = kindPollPeriod
	}
	err := wait.PollUntilContextTimeout(s.ctx, period, patience, true, func(context.Context) (bool, error) {
		answer, err := missing()
		if err != nil {
			last = err.Error()
			return false, nil
		}
		last = answer
		return answer == "", nil
	})
	if err != nil {
		s.Fatalf("%s: %v; last seen:\n%s", what, err, last)
	}
}
