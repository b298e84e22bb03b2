package app

import (
	"net/http"
	"strings"
)

// shareOfDescriptions is which part of the requests in flight may be descriptions: where the API server is busy, pods come first, and
// more changes go into each status.
const shareOfDescriptions = 48

// limit bounds how many requests are under way at a time.
type limit struct {
	all          chan struct{}
	descriptions chan struct{}
}

func newLimit(inFlight int) limit {
	return limit{
		all:          make(chan struct{}, inFlight),
		descriptions: make(chan struct{}, max(1, inFlight/shareOfDescriptions)),
	}
}

// limitInFlight keeps requests within a limit. Watches don't count: they are under way all the time.
type limitInFlight struct {
	next http.RoundTripper
	limit
}

// RoundTrip waits until the limit allows a request, and sends it.
func (l *limitInFlight) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Query().Get("watch") == "true" {
		return l.next.RoundTrip(request)
	}
	slots := []chan struct{}{l.all}
	if describes(request) {
		// Waiting descriptions hold none of the slots that others wait for.
		slots = []chan struct{}{l.descriptions, l.all}
	}
	for _, slot := range slots {
		select {
		case slot <- struct{}{}:
			defer func() { <-slot }()
		case <-request.Context().Done():
			return nil, request.Context().Err()
		}
	}
	return l.next.RoundTrip(request)
}

// describes tells whether a request writes what describes pods, rather than what makes them: a status, an event or a PodGang.
func describes(request *http.Request) bool {
	path := request.URL.Path
	return request.Method != http.MethodGet &&
		(strings.HasSuffix(path, "/status") || strings.HasSuffix(path, "/events") || strings.Contains(path, "/podgangs/"))
}
