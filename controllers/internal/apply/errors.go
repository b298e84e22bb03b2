package apply

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/tools/cache"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// refused is the error of a child that can't be as it should until a user does something about it. Trying again soon is
// of no use.
type refused struct{ plan.Problem }

func (r refused) Error() string { return r.Reason + ": " + r.Message }

func refuse(reason, format string, args ...any) error {
	return refused{plan.Problem{Reason: reason, Message: fmt.Sprintf(format, args...)}}
}

// Refuse is the error of problems that a planner found.
func Refuse(problems []plan.Problem) error {
	var errs []error
	for _, problem := range problems {
		errs = append(errs, refused{problem})
	}
	return utilerrors.NewAggregate(errs)
}

func isRefused(err error) bool { return errors.As(err, new(refused)) }

const tooLarge = v1alpha1.ReasonTooLarge

// isTooLarge tells whether an object is larger than the API server or etcd takes. What etcd says comes as an internal error.
func isTooLarge(err error) bool {
	return err != nil && (apierrors.IsRequestEntityTooLargeError(err) ||
		strings.Contains(err.Error(), "etcdserver: request is too large") ||
		strings.Contains(err.Error(), "trying to send message larger than max"))
}

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

// Reports remember the last report on each owner, until it is described. The zero value is ready for use.
type Reports struct {
	mu      sync.Mutex
	reports map[cache.ObjectName]reported
}

// reported is what was reported of the object that had a UID.
type reported struct {
	uid types.UID
	plan.Report
	// beginning is the generation of the owner whose first problem was added; 0 once all is known.
	beginning int64
}

// Set replaces the report on an owner by what came of writing its children, and tells whether it has changed.
func (r *Reports) Set(owner metav1.Object, err error) (changed bool) {
	problems, _ := Problems(err)
	if len(problems) == 0 && err != nil {
		// What failed for a moment is tried again; whether all is applied isn't known yet.
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reports == nil {
		r.reports = map[cache.ObjectName]reported{}
	}
	name := cache.MetaObjectToName(owner)
	before := r.reports[name]
	r.reports[name] = reported{uid: owner.GetUID(), Report: plan.Report{Generation: owner.GetGeneration(), Problems: problems}}
	return before.uid != owner.GetUID() || before.Generation != owner.GetGeneration() || !slices.Equal(before.Problems, problems)
}

// Add reports the first problem of an owner not all of whose children have been written yet, if none is known of it as it is, and tells whether it did.
// All of them are reported with Set.
func (r *Reports) Add(owner metav1.Object, err error) (changed bool) {
	problems, _ := Problems(err)
	r.mu.Lock()
	defer r.mu.Unlock()
	name := cache.MetaObjectToName(owner)
	before := r.reports[name]
	if before.uid != owner.GetUID() {
		before = reported{uid: owner.GetUID()}
	}
	told := before.beginning == owner.GetGeneration() || before.Generation == owner.GetGeneration() && len(before.Problems) > 0
	if len(problems) == 0 || told {
		return false
	}
	if r.reports == nil {
		r.reports = map[cache.ObjectName]reported{}
	}
	before.beginning, before.Problems = owner.GetGeneration(), problems
	r.reports[name] = before
	return true
}

// Get returns the report on an owner; an empty one if there is none. What was said of an earlier object of its name isn't said of it.
func (r *Reports) Get(owner metav1.Object) plan.Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	if found := r.reports[cache.MetaObjectToName(owner)]; found.uid == owner.GetUID() {
		return found.Report
	}
	return plan.Report{}
}

// Forget drops the report on an owner that is gone.
func (r *Reports) Forget(owner cache.ObjectName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.reports, owner)
}
