package apply

import (
	"errors"
	"fmt"

	utilerrors "k8s.io/apimachinery/pkg/util/errors"

	"grove.io/grove/controllers/plan"
)

// refused is the error of a child that can't be as it should until a user does something about it. Trying again soon is
// of no use.
type refused struct{ plan.Problem }

func (r refused) Error() string { return r.Reason + ": " + r.Message }

func refuse(reason, format string, args ...any) error {
	return refused{plan.Problem{Reason: reason, Message: fmt.Sprintf(format, args...)}}
}

func isRefused(err error) bool { return errors.As(err, new(refused)) }

// Problems takes out of an error, which may be an aggregate, what only a user can mend. The rest is worth another try.
func Problems(err error) (problems []plan.Problem, rest error) {
	if err == nil {
		return nil, nil
	}
	for _, one := range utilerrors.Flatten(utilerrors.NewAggregate([]error{err})).Errors() {
		var r refused
		if errors.As(one, &r) {
			problems = append(problems, r.Problem)
		}
	}
	return problems, utilerrors.FilterOut(err, isRefused)
}
