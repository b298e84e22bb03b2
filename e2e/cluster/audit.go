package cluster

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Request is one request that the API server answered.
type Request struct {
	Time      time.Time
	UserAgent string
	// User is the name of who asked.
	User string
	Verb string
	// Group is the resource's API group; empty for the core group.
	Group string
	// Resource is the plural resource, with the subresource after a slash if there is one; empty for other paths.
	Resource  string
	Namespace string
	Name      string
	// URI is the path with its query.
	URI string
	// Code is the HTTP status, 0 for a watch.
	Code int32
}

// String tells what was asked for.
func (r Request) String() string {
	return fmt.Sprintf("%s %s %s %s/%s -> %d", r.Time.Format("15:04:05.000"), r.Verb, r.Resource, r.Namespace, r.Name, r.Code)
}

// auditEvent is the part of audit.k8s.io/v1 Event that makes a Request.
type auditEvent struct {
	Stage                    string           `json:"stage"`
	RequestURI               string           `json:"requestURI"`
	Verb                     string           `json:"verb"`
	UserAgent                string           `json:"userAgent"`
	RequestReceivedTimestamp metav1.MicroTime `json:"requestReceivedTimestamp"`
	User                     struct {
		Username string `json:"username"`
	} `json:"user"`
	ObjectRef *struct {
		APIGroup, Resource, Subresource, Namespace, Name string
	} `json:"objectRef"`
	ResponseStatus *struct {
		Code int32 `json:"code"`
	} `json:"responseStatus"`
}

// Requests returns the requests in an audit log, received in [from, to), of clients whose user agent begins with
// userAgent. A watch counts once, at its beginning; other requests count when they have been answered.
func Requests(auditLog, userAgent string, from, to time.Time) ([]Request, error) {
	file, err := os.Open(auditLog)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	// Most lines of a long log are of others: to look into them takes many times as long as to read past them.
	var agent []byte
	if userAgent != "" {
		agent = fmt.Appendf(nil, `"userAgent":"%s`, userAgent)
	}
	var requests []Request
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil { // the end, or a line that is being written
			return requests, nil
		}
		if !bytes.Contains(line, agent) {
			continue
		}
		var event auditEvent
		if err := json.Unmarshal(line, &event); err != nil {
			return nil, fmt.Errorf("%s: %w", auditLog, err)
		}
		received := event.RequestReceivedTimestamp.Time
		if event.counts() && strings.HasPrefix(event.UserAgent, userAgent) && !received.Before(from) && received.Before(to) {
			requests = append(requests, event.request())
		}
	}
}

func (e *auditEvent) counts() bool {
	if e.Verb == "watch" {
		return e.Stage == "ResponseStarted"
	}
	return e.Stage == "ResponseComplete"
}

func (e *auditEvent) request() Request {
	r := Request{Time: e.RequestReceivedTimestamp.Time, UserAgent: e.UserAgent, User: e.User.Username, Verb: e.Verb, URI: e.RequestURI}
	if ref := e.ObjectRef; ref != nil {
		r.Group, r.Resource, r.Namespace, r.Name = ref.APIGroup, ref.Resource, ref.Namespace, ref.Name
		if ref.Subresource != "" {
			r.Resource += "/" + ref.Subresource
		}
	}
	if e.ResponseStatus != nil && e.Verb != "watch" {
		r.Code = e.ResponseStatus.Code
	}
	return r
}
