package cases

import (
	"fmt"
	"strings"
	"time"

	"grove.io/grove/controllers"
	"grove.io/grove/e2e/cluster"
)

// operatorAgent begins the operator's user agent.
const operatorAgent = "grove-operator"

// quietWindow is how long the operator has to have done nothing to be at rest: until then it may hold a status that nobody waits for.
const quietWindow = controllers.LongestHold

// waitUntilQuiet waits until the operator has done nothing for a while.
func (s *scope) waitUntilQuiet() {
	s.Helper()
	const while = quietWindow
	from := time.Now()
	s.eventually("operator at rest", func() (string, error) {
		now := time.Now()
		if now.Sub(from) < while {
			return "too early to tell", nil
		}
		if last := s.requests(now.Add(-while), now, s.isWorkHere); len(last) > 0 {
			return fmt.Sprint(last), nil
		}
		return "", nil
	})
}

// mustNotHaveWritten fails the test if the operator has written anything in the scope's namespace since a time.
func (s *scope) mustNotHaveWritten(from time.Time) {
	s.Helper()
	if all := s.requests(from, time.Now(), func(cluster.Request) bool { return true }); len(all) == 0 {
		s.Error("the audit log knows nothing of the operator")
	}
	if got := s.requests(from, time.Now(), s.isWriteHere); len(got) > 0 {
		s.Errorf("the operator wrote though nothing was to be changed: %s", got)
	}
}

// requestsWithin returns the operator's requests of the time to come.
func (s *scope) requestsWithin(window time.Duration, count func(cluster.Request) bool) requestList {
	s.Helper()
	from := time.Now()
	select {
	case <-s.ctx.Done():
		s.Fatal(s.ctx.Err())
	case <-time.After(window):
	}
	return s.requests(from, time.Now(), count)
}

func (s *scope) requests(from, to time.Time, count func(cluster.Request) bool) requestList {
	s.Helper()
	all, err := cluster.Requests(s.AuditLog, operatorAgent, from, to)
	if err != nil {
		s.Fatal(err)
	}
	var counted requestList
	for _, request := range all {
		if count(request) {
			counted = append(counted, request)
		}
	}
	return counted
}

// isWorkHere tells what an operator sends about its work in the scope's namespace from what it sends at rest, too. Elsewhere
// namespaces of other cases are being deleted, and their nodes.
func (s *scope) isWorkHere(r cluster.Request) bool {
	others := r.Resource == "nodes" && strings.HasPrefix(r.Name, namespacePrefix) && !strings.HasPrefix(r.Name, s.namespace)
	return (r.Namespace == s.namespace || r.Namespace == "") && !others && r.Verb != "watch" && r.Resource != "leases"
}

func (s *scope) isWriteHere(r cluster.Request) bool {
	return s.isWorkHere(r) && r.Verb != "get" && r.Verb != "list"
}

// requestList prints one request a line.
type requestList []cluster.Request

func (l requestList) String() string {
	var text strings.Builder
	for _, request := range l {
		fmt.Fprintf(&text, "\n%s", request)
	}
	return text.String()
}
