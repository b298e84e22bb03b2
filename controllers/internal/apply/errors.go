package apply

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/tools/cache"

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

// Reports remember the problems of each owner's children until they are described.
type Reports struct {
	mu       sync.Mutex
	problems map[cache.ObjectName][]plan.Problem
}

// Set replaces the problems of an owner, and tells whether they have changed.
func (r *Reports) Set(owner cache.ObjectName, problems []plan.Problem) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Equal(r.problems[owner], problems) {
		return false
	}
	if r.problems == nil {
		r.problems = map[cache.ObjectName][]plan.Problem{}
	}
	if len(problems) == 0 {
		delete(r.problems, owner)
	} else {
		r.problems[owner] = problems
	}
	return true
}

// Get returns the problems of an owner.
func (r *Reports) Get(owner cache.ObjectName) []plan.Problem {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.problems[owner]
}
