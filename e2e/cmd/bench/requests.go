package main

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"grove.io/grove/e2e/cluster"
)

// operatorAgent begins the operator's user agent.
const operatorAgent = "grove-operator"

// requests are numbers of requests by what they ask for.
type requests map[string]int

// requestsOf counts the operator's requests from one time to another, watches, leases and neighbours aside.
func (b *bench) requestsOf(from, to time.Time) (requests, error) {
	all, err := cluster.Requests(b.cluster.AuditLog, operatorAgent, from, to)
	if err != nil {
		return nil, err
	}
	counts := requests{}
	for _, request := range all {
		if request.Verb != "watch" && request.Resource != "leases" && request.Namespace != neighbours {
			counts[describe(request)]++
		}
	}
	return counts, nil
}

// describe tells applies that create an object from others, which the verb doesn't.
func describe(r cluster.Request) string {
	what := r.Verb + " " + r.Resource
	switch {
	case strings.Contains(r.URI, "dryRun="):
		return what + dryRun
	case r.Code == http.StatusCreated && r.Verb == "patch":
		return what + " (created)"
	case r.Code >= http.StatusBadRequest:
		return what + " (" + http.StatusText(int(r.Code)) + ")"
	default:
		return what
	}
}

func (r requests) total() int {
	total := 0
	for _, count := range r {
		total += count
	}
	return total
}

// dryRun ends what was only tried: at its start the operator asks so what the API server serves.
const dryRun = " (dry run)"

// writes are those that change something.
func (r requests) writes() int {
	writes := 0
	for what, count := range r {
		if !strings.HasPrefix(what, "get ") && !strings.HasPrefix(what, "list ") && !strings.HasSuffix(what, dryRun) {
			writes += count
		}
	}
	return writes
}

// mostFirst are the keys, those with the highest numbers first.
func (r requests) mostFirst() []string {
	return slices.SortedFunc(maps.Keys(r), func(a, b string) int {
		if r[a] != r[b] {
			return r[b] - r[a]
		}
		return strings.Compare(a, b)
	})
}

// atMostOneStatus tells whether nothing was written but one status.
func (r requests) atMostOneStatus() bool {
	for what := range r {
		if !strings.HasSuffix(what, "/status") {
			return false
		}
	}
	return r.total() <= 1
}
