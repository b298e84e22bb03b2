// Package faults has a proxy between a client and an API server that lets requests fail as they do where a control plane is overloaded, cut
// off or restarted, and counts what it did.
package faults

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// Faults says what goes wrong. Shares are of requests, between 0 and 1, and at most 1 together. The zero value is nothing.
type Faults struct {
	// TooManyRequests is the share that is answered with 429 and Retry-After, and InternalErrors that with 500.
	TooManyRequests, InternalErrors float64
	// Unsent is the share that never reaches the API server, and Unanswered that which it carries out without the client getting to know:
	// after Timeout the client's stream is reset, or it gets a 504, as chance will have it.
	Unsent, Unanswered float64
	// Timeout is for how long a request without an answer takes. The client may give up before.
	Timeout time.Duration
	// Expired is the share of watches that are refused with 410 Gone, so that the client lists anew.
	Expired float64
	// Cuts is how often watches end on average, each by a reset of its stream, or as a watch ends that the API server closes; 0 is never.
	Cuts time.Duration
	// Delays is by how much the events of a resource, such as "pods", come late. Those of one watch keep their order.
	Delays map[string]time.Duration
}

// fault is what happens to a request; the value is how it is counted.
type fault string

const (
	none            fault = ""
	tooManyRequests fault = "answers 429"
	internalError   fault = "answers 500"
	unsent          fault = "requests that timed out unsent"
	unanswered      fault = "requests that were carried out and timed out"
	expired         fault = "watches refused with 410"
	watchReset      fault = "watches reset"
	watchClosed     fault = "watches closed"
)

// choose chooses what happens to a request. What is carried out without an answer can't be a watch, whose answer has no end.
func (f Faults) choose(random *rand.Rand, watch bool) fault {
	n := random.Float64()
	for _, one := range []struct {
		fault
		share float64
		of    bool
	}{
		{tooManyRequests, f.TooManyRequests, true},
		{internalError, f.InternalErrors, true},
		{unsent, f.Unsent, true},
		{unanswered, f.Unanswered, !watch},
		{expired, f.Expired, watch},
	} {
		if n -= one.share; n < 0 {
			if one.of {
				return one.fault
			}
			return none
		}
	}
	return none
}

// Counts has how often things have happened, by what they are called. Several proxies may share it. The zero value is ready for use.
type Counts struct {
	mu sync.Mutex
	of map[string]int
}

// Add counts something.
func (c *Counts) Add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[string]int{}
	}
	c.of[what]++
}

// Of is how often something was counted.
func (c *Counts) Of(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[what]
}

// String has one line for each thing that has happened.
func (c *Counts) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var text strings.Builder
	for _, what := range slices.Sorted(maps.Keys(c.of)) {
		fmt.Fprintf(&text, "%7d %s\n", c.of[what], what)
	}
	return text.String()
}
