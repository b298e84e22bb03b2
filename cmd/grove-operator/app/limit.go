package app

import (
	"net/http"
	"strings"
)

// What describes pods may take only a part of the requests in flight, one request for each so many: where the API server is busy, pods
// come first, and more changes go into each status. What PodGangs say is waited for, by pods too.
const (
	podGangStatusShare = 96
	descriptionShare   = 192
)

// limit bounds how many requests are under way at a time.
type limit struct {
	all, podGangStatuses, descriptions chan struct{}
}

func newLimit(inFlight int) limit {
	return limit{
		all:             make(chan struct{}, inFlight),
		podGangStatuses: make(chan struct{}, max(1, inFlight/podGangStatusShare)),
		descriptions:    make(chan struct{}, max(1, inFlight/descriptionShare)),
	}
}

// slots are those that a request takes, in the order in which it waits for them: while it waits for a part, it holds nothing
// that others wait for.
func (l limit) slots(request *http.Request) []chan struct{} {
	path := request.URL.Path
	switch {
	case request.Method == http.MethodGet:
		return []chan struct{}{l.all}
	case strings.HasSuffix(path, "/status") && strings.Contains(path, "/podgangs/"):
		return []chan struct{}{l.podGangStatuses, l.all}
	case strings.HasSuffix(path, "/status"), strings.HasSuffix(path, "/events"):
		return []chan struct{}{l.descriptions, l.all}
	default:
		return []chan struct{}{l.all}
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
	for _, slot := range l.slots(request) {
		select {
		case slot <- struct{}{}:
			defer func() { <-slot }()
		case <-request.Context().Done():
			return nil, request.Context().Err()
		}
	}
	return l.next.RoundTrip(request)
}
