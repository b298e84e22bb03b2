package logging

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/klog/v2"
)

func TestLogs(t *testing.T) {
	defer klog.ClearLogger()
	for name, test := range map[string]struct {
		level, format string
		want          []string
	}{
		"error":   {"error", JSON, []string{`{"level":"error","msg":"failure","error":"why"}`}},
		"info":    {"info", JSON, []string{`{"level":"info","msg":"start"}`, `{"level":"error","msg":"failure","error":"why"}`, `{"level":"info","msg":"from client-go"}`}},
		"debug":   {"debug", JSON, []string{`{"level":"info","msg":"start"}`, `{"level":"debug","msg":"decision"}`, `{"level":"error","msg":"failure","error":"why"}`, `{"level":"info","msg":"from client-go"}`}},
		"console": {"info", Console, []string{"info\tstart", `error	failure	{"error": "why"}`, "info\tfrom client-go"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			logger := New(test.level, test.format, &out)
			logger.Info("start")
			logger.V(2).Info("decision")
			logger.Error(errors.New("why"), "failure")
			klog.InfoS("from client-go")
			klog.Flush()
			var got []string
			for line := range strings.Lines(out.String()) {
				line = regexp.MustCompile(`"ts":"[^"]*",|^[^{\t]*\t`).ReplaceAllString(line, "")
				got = append(got, strings.TrimSuffix(line, "\n"))
			}
			for i, want := range test.want {
				test.want[i] = strings.ReplaceAll(want, `\t`, "\t")
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
