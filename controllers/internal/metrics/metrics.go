// Package metrics has what the operator counts and measures of its work, beside what client-go's packages do of theirs. Labels have few
// values, which are all known from the start: nothing is labelled with a name, and a series that was never counted is served as 0.
// docs/metrics.md explains each metric to those who watch it.
package metrics

import (
	"time"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

// namespace begins the name of every metric.
const namespace = "grove"

// Results of requests that apply an object.
const (
	// Success: the object was applied.
	Success = "success"
	// Conflict: somebody else was faster, and what was decided from is no longer true.
	Conflict = "conflict"
	// Refused: the API server doesn't take the object, such as for a quota, and a user is told.
	Refused = "refused"
	// Gone: the object or its namespace is being deleted, and needs nothing any more.
	Gone = "gone"
	// Failed: anything else, such as an API server that doesn't answer.
	Failed = "error"
)

var results = []string{Success, Conflict, Refused, Gone, Failed}

// failures are the results of a reconciliation that are errors.
var failures = []string{Failed, Conflict, Refused}

// units are the sorts of gang units: the base unit that every gang has, and those that scaling adds.
var units = []string{unit(true), unit(false)}

func unit(base bool) string {
	if base {
		return "base"
	}
	return "scaled"
}

// gangSeconds are buckets from what takes a scheduler's cycle to the hours that a model takes to load, or a gang waits for place.
var gangSeconds = []float64{1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800}

var (
	timeToScheduled = metrics.NewHistogram(&metrics.HistogramOpts{
		Namespace: namespace, Name: "podgang_time_to_scheduled_seconds", Buckets: gangSeconds,
		Help: "Seconds from the creation of a PodGang until every pod that its base unit needs was first bound to a node.",
	})
	timeToReady = metrics.NewHistogram(&metrics.HistogramOpts{
		Namespace: namespace, Name: "podgang_time_to_ready_seconds", Buckets: gangSeconds,
		Help: "Seconds from the creation of a PodGang until every pod that its base unit needs was first ready.",
	})
	breaches = metrics.NewCounterVec(&metrics.CounterOpts{
		Namespace: namespace, Name: "gang_unit_breaches_total",
		Help: "Times that an available gang unit fell below its minimum of pods.",
	}, []string{"unit"})
	terminations = metrics.NewCounterVec(&metrics.CounterOpts{
		Namespace: namespace, Name: "gang_unit_terminations_total",
		Help: "Times that a gang unit was terminated since it was below its minimum for the whole terminationDelay.",
	}, []string{"unit"})
	restarts = metrics.NewCounterVec(&metrics.CounterOpts{
		Namespace: namespace, Name: "pod_group_restarts_total",
		Help: "Times that all pods of a pod group were recreated together, as the restartPolicy says.",
	}, []string{"unit"})
	applyRequests = metrics.NewCounterVec(&metrics.CounterOpts{
		Namespace: namespace, Name: "apply_requests_total",
		Help: "Requests that apply an object or, with the subresource status, its status, by the kind of the object and the result.",
	}, []string{"kind", "subresource", "result"})
	reconcileDuration = metrics.NewHistogramVec(&metrics.HistogramOpts{
		Namespace: namespace, Name: "reconcile_duration_seconds", Buckets: metrics.ExponentialBuckets(0.0001, 4, 10),
		Help: "Seconds that a reconciliation took, by the loop that it is of.",
	}, []string{"loop"})
	reconcileErrors = metrics.NewCounterVec(&metrics.CounterOpts{
		Namespace: namespace, Name: "reconcile_errors_total",
		Help: "Reconciliations that ended with an error and are tried again, by the loop and the error's reason.",
	}, []string{"loop", "reason"})
)

func init() {
	legacyregistry.MustRegister(timeToScheduled, timeToReady, breaches, terminations, restarts, applyRequests, reconcileDuration, reconcileErrors)
	legacyregistry.CustomMustRegister(gangs)
	for _, unit := range units {
		breaches.WithLabelValues(unit)
		terminations.WithLabelValues(unit)
		restarts.WithLabelValues(unit)
	}
}

// GangScheduled tells how long a gang took until it was first scheduled.
func GangScheduled(took time.Duration) { timeToScheduled.Observe(took.Seconds()) }

// GangReady tells how long a gang took until it was first ready.
func GangReady(took time.Duration) { timeToReady.Observe(took.Seconds()) }

// Breached counts a unit that fell below its minimum.
func Breached(base bool) { breaches.WithLabelValues(unit(base)).Inc() }

// Terminated counts a unit that was terminated.
func Terminated(base bool) { terminations.WithLabelValues(unit(base)).Inc() }

// Restarted counts a pod group, of a base unit or of another, that was recreated as a whole.
func Restarted(base bool) { restarts.WithLabelValues(unit(base)).Inc() }

// Applies counts the requests that apply the objects of one kind, or a subresource of them.
type Applies struct{ kind, subresource string }

// NewApplies returns a counter that is served from now on. The subresource is empty for the objects themselves.
func NewApplies(kind, subresource string) Applies {
	a := Applies{kind: kind, subresource: subresource}
	for _, result := range results {
		applyRequests.WithLabelValues(kind, subresource, result)
	}
	return a
}

// Count counts a request by its result.
func (a Applies) Count(result string) {
	applyRequests.WithLabelValues(a.kind, a.subresource, result).Inc()
}

// Reconciles measures the reconciliations of one loop.
type Reconciles struct{ loop string }

// NewReconciles returns a measure that is served from now on.
func NewReconciles(loop string) Reconciles {
	reconcileDuration.WithLabelValues(loop)
	for _, failure := range failures {
		reconcileErrors.WithLabelValues(loop, failure)
	}
	return Reconciles{loop: loop}
}

// Took tells how long a reconciliation took.
func (r Reconciles) Took(took time.Duration) {
	reconcileDuration.WithLabelValues(r.loop).Observe(took.Seconds())
}

// Failed counts an error by its reason: Failed, Conflict or Refused.
func (r Reconciles) Failed(reason string) { reconcileErrors.WithLabelValues(r.loop, reason).Inc() }
