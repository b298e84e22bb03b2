package cases

import (
	"errors"
	"path/filepath"
	"time"

	"grove.io/grove/e2e/cluster"
	"grove.io/grove/e2e/faults"
)

const (
	// mostSkew is by how much the clock of an operator's machine is wrong at most, in either direction.
	mostSkew = time.Minute
	// latest is by how much events come late at most, and longestTimeout for how long a request goes without an answer.
	latest, longestTimeout = 5 * time.Second, 2 * time.Second
)

// lateResources are those whose events come late at times, each by its own time.
var lateResources = []string{
	"podcliquesets", "podcliques", "podcliquescalinggroups", "podgangs", "pods", "podgroups", "services", "controllerrevisions", "nodes",
}

// instance is an operator that reaches the API server through a proxy of its own.
type instance struct {
	proxy      *faults.Proxy
	kubeconfig string
	// disturbed tells whether requests fail.
	disturbed bool
	// operator is nil while none runs.
	operator *cluster.Operator
}

// newInstance starts the proxy.
func (c *chaos) newInstance() *instance {
	c.Helper()
	proxy, err := faults.Start(c.Config, c.random.Uint64(), c.counts)
	c.must(err)
	c.Cleanup(proxy.Close)
	i := &instance{proxy: proxy, kubeconfig: filepath.Join(c.TempDir(), "kubeconfig")}
	c.must(cluster.WriteKubeconfig(i.kubeconfig, proxy.Config(), ""))
	return i
}

// run starts an operator whose clock is ahead. While requests fail it may end before it is ready, and is started again, as by a kubelet.
func (c *chaos) run(i *instance, ahead time.Duration) {
	c.Helper()
	start := func() (*cluster.Operator, error) { return c.StartOperator(c.ctx, "--kubeconfig="+i.kubeconfig) }
	if ahead != 0 {
		start = func() (*cluster.Operator, error) {
			return c.StartSkewed(c.ctx, ahead, "--kubeconfig="+i.kubeconfig)
		}
	}
	for {
		operator, err := start()
		if err == nil {
			i.operator = operator
			return
		}
		if errors.Is(err, cluster.ErrRace) || !i.disturbed || c.ctx.Err() != nil {
			c.Fatalf("seed %d: %v", c.seed, err)
		}
		c.counts.Add("operators that ended before they were ready")
	}
}

// skew is by how much the clock of the next operator is ahead: for one in three by nothing.
func (c *chaos) skew() time.Duration {
	n, skew := c.random.IntN(3), time.Duration(c.random.Int64N(int64(2*mostSkew))-int64(mostSkew)).Round(time.Second)
	if n == 0 || skew == 0 {
		return 0
	}
	c.counts.Add("operators with a wrong clock")
	return skew
}

func (c *chaos) killOperator() string {
	c.Helper()
	c.must(c.first.operator.Kill())
	c.pause()
	skew := c.skew()
	c.run(c.first, skew)
	return "kill the operator and start another, whose clock is ahead by " + skew.String()
}

// startOrEndSecond has a second operator work beside the first, as if there were no lease, or ends it.
func (c *chaos) startOrEndSecond() string {
	c.Helper()
	if c.second.operator == nil {
		skew := c.skew()
		c.run(c.second, skew)
		return "start a second operator, whose clock is ahead by " + skew.String()
	}
	if c.random.IntN(2) == 0 {
		c.must(c.second.operator.Kill())
		c.second.operator = nil
		return "kill the second operator"
	}
	c.endSecond()
	return "stop the second operator"
}

// endSecond stops the second operator, if there is one.
func (c *chaos) endSecond() {
	c.Helper()
	if c.second.operator != nil {
		c.stop(c.second.operator)
		c.second.operator = nil
	}
}

// disturb changes what goes wrong between operators and the API server.
func (c *chaos) disturb() string {
	c.Helper()
	said := "disturb the operators:"
	for _, i := range []*instance{c.first, c.second} {
		name, set := c.chooseFaults()
		i.proxy.Set(set)
		i.disturbed = true
		said += " " + name
	}
	return said
}

// chooseFaults chooses among what an overloaded API server does, a network that loses answers, and one that is slow.
func (c *chaos) chooseFaults() (string, faults.Faults) {
	refusals := faults.Faults{TooManyRequests: 0.1, InternalErrors: 0.15}
	losses := faults.Faults{Unsent: 0.05, Unanswered: 0.15, Timeout: time.Duration(c.random.Int64N(int64(longestTimeout)))}
	cuts := faults.Faults{Cuts: 2 * time.Second, Expired: 0.3}
	late := faults.Faults{Delays: map[string]time.Duration{}}
	for _, resource := range lateResources {
		if delay := c.random.Int64N(int64(latest)); c.random.IntN(2) == 0 {
			late.Delays[resource] = time.Duration(delay)
		}
	}
	all := faults.Faults{
		TooManyRequests: 0.03, InternalErrors: 0.05, Unsent: 0.02, Unanswered: 0.05, Timeout: losses.Timeout,
		Expired: cuts.Expired, Cuts: 2 * cuts.Cuts, Delays: late.Delays,
	}
	switch c.random.IntN(5) {
	case 0:
		return "refusals", refusals
	case 1:
		return "losses", losses
	case 2:
		return "cuts", cuts
	case 3:
		return "delays", late
	default:
		return "everything", all
	}
}

// calm lets all requests through.
func (c *chaos) calm() {
	for _, i := range []*instance{c.first, c.second} {
		i.proxy.Set(faults.Faults{})
		i.disturbed = false
	}
}
