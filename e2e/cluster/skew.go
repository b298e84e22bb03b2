package cluster

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// skewVariable is the environment variable that a skewed operator reads by how much its clock is ahead.
const skewVariable = "GROVE_E2E_CLOCK_SKEW"

// skewedClock takes the place of controllers/internal/cluster/clock.go in a skewed operator. Its timers, logs, leases and the times of its
// events are those of the machine.
const skewedClock = `package cluster

import (
	"os"
	"time"

	"k8s.io/utils/clock"
)

type skewed struct {
	clock.RealClock
	ahead time.Duration
}

func (s skewed) Now() time.Time { return s.RealClock.Now().Add(s.ahead) }

func (s skewed) Since(t time.Time) time.Duration { return s.Now().Sub(t) }

func systemClock() clock.PassiveClock {
	ahead, err := time.ParseDuration(os.Getenv("` + skewVariable + `"))
	if err != nil {
		panic(err)
	}
	return skewed{ahead: ahead}
}
`

// BuildSkewed builds an operator whose clock can be wrong, for StartSkewedOperator, and returns its path. All but the clock's source is as in
// the operator that Build builds.
func (c *Cluster) BuildSkewed(ctx context.Context) (string, error) {
	root, _, err := repository(ctx)
	if err != nil {
		return "", err
	}
	source, overlay := filepath.Join(c.dir, "skewed_clock.go"), filepath.Join(c.dir, "overlay.json")
	if err := os.WriteFile(source, []byte(skewedClock), 0o644); err != nil {
		return "", err
	}
	replaced := map[string]string{filepath.Join(root, "controllers", "internal", "cluster", "clock.go"): source}
	content, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(overlay, content, 0o644); err != nil {
		return "", err
	}
	return c.build(ctx, OperatorProgram, OperatorProgram+"-skewed", true, "-overlay", overlay)
}

// StartSkewedOperator is StartOperator for an operator of BuildSkewed, whose clock is ahead by some time, or behind if that is negative.
func (c *Cluster) StartSkewedOperator(ctx context.Context, path string, ahead time.Duration, flags ...string) (*Operator, error) {
	return c.startOperator(ctx, path, []string{skewVariable + "=" + ahead.String()}, flags)
}
