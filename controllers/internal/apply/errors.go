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

// Report is what came of writing the children of an owner.
type Report struct {
	// Generation is that of the owner as it was when its children were written.
	Generation int64
	// Problems are what only a user can mend.
	Problems []plan.Problem
}

// Reports remember the last report on each owner, until it is described. The zero value is ready for use.
type Reports struct {
	mu      sync.Mutex
	reports map[cache.ObjectName]Report
}

// Set replaces the report on an owner, and tells whether it has changed.
func (r *Reports) Set(owner cache.ObjectName, report Report) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.reports[owner]
	if r.reports == nil {
		r.reports = map[cache.ObjectName]Report{}
	}
	r.reports[owner] = report
	return before.Generation != report.Generation || !slices.Equal(before.Problems, report.Problems)
}

// Get returns the report on an owner; an empty one if there is none.
func (r *Reports) Get(owner cache.ObjectName) Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reports[owner]
}

// Forget drops the report on an owner that is gone.
func (r *Reports) Forget(owner cache.ObjectName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.reports, owner)
}
