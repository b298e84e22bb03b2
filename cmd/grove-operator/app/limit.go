package app

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// requestTimeout is how long a request may take, its answer included. The API server gives up after a minute; what keeps it, or a proxy before
// it, from answering at all would hold a slot, and the key that the request is about, for ever.
const requestTimeout = 90 * time.Second

// limitInFlight bounds how many requests are under way at a time, each until its response has been read to the end or closed: a
// long list counts for as long as it takes. Watches don't count, since they are under way all the time.
type limitInFlight struct {
	next  http.RoundTripper
	slots *semaphore.Weighted
}

// RoundTrip waits until the limit allows a request, and sends it. One that isn't a watch ends with an error after requestTimeout.
func (l *limitInFlight) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Query().Get("watch") == "true" {
		return l.next.RoundTrip(request)
	}
	if err := l.slots.Acquire(request.Context(), 1); err != nil {
		if request.Body != nil {
			request.Body.Close() // as every RoundTripper has to, also where it sends nothing
		}
		return nil, err
	}
	ctx, cancel := context.WithTimeout(request.Context(), requestTimeout)
	release := sync.OnceFunc(func() {
		cancel()
		l.slots.Release(1)
	})
	response, err := l.next.RoundTrip(request.WithContext(ctx))
	if err != nil {
		release()
		return nil, err
	}
	response.Body = &countedBody{ReadCloser: response.Body, release: release}
	return response, nil
}

// countedBody is the body of a response that counts until it ends.
type countedBody struct {
	io.ReadCloser
	release func()
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.release()
	}
	return n, err
}

func (b *countedBody) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}
