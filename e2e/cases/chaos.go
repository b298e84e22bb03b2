package cases

import (
	"fmt"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/e2e/cluster"
)

const (
	// clock is how a run tells when something happened, to be found in the operator's log.
	clock = "15:04:05.000"
	// chaosDeeds is how much happens between two checks.
	chaosDeeds = 25
	// longestPause bounds the random time between two deeds, so that they meet what is on its way in every state.
	longestPause = time.Second
	// settlePatience is for how long everything may take to be what the specs say: what was lost several times in a row stays away for up to
	// five minutes.
	settlePatience = 5*time.Minute + patience
	// newsPeriod is how often is told what isn't as the specs say meanwhile.
	newsPeriod = 30 * time.Second
)

// Chaos does at random what users and failing machines do, for a while, and checks now and then, and in the end, that everything becomes
// what the specs say, that no unit was terminated which wasn't in breach for its whole delay, and that the operator then is at rest. Equal
// seeds make equal choices; what they meet depends on the machine.
func Chaos(seed uint64, duration time.Duration) types.Feature {
	return features.New(fmt.Sprintf("chaos with seed %d", seed)).
		Assess("ends as the specs say", step(func(s *scope) {
			s.Logf("this run can be repeated with -seed=%d", seed)
			c := &chaos{scope: s, random: rand.New(rand.NewPCG(seed, 0)), seed: seed, operator: s.startOperator()}
			for _, set := range c.sets() {
				s.create(set)
			}
			terminations := c.watchTerminations()
			for end := time.Now().Add(duration); ; {
				for range chaosDeeds {
					c.doSomething()
					c.pause()
				}
				c.settle()
				terminations.check(c)
				if !time.Now().Before(end) {
					break
				}
			}
			s.waitUntilQuiet()
			c.settle()
			s.stop(c.operator)
		})).
		Feature()
}

type chaos struct {
	*scope
	random   *rand.Rand
	seed     uint64
	operator *cluster.Operator
	// lost is the node that is away, if one is.
	lost *corev1.Node
}

// sets have cliques of each sort, as they are created: gangs that are terminated soon after they have broken, and late; pods that come back
// alone, and with their group replica; and a start in order, in one rack.
func (c *chaos) sets() []*v1alpha1.PodCliqueSet {
	web := newSet("web", 2, newClique("front", 2, 1), newClique("back", 2, 2))
	web.Spec.Template.TerminationDelay = &metav1.Duration{Duration: shortDelay}
	job := newSet("job", 1, newClique("lead", 1, 1), newClique("worker", 3, 2), newClique("proxy", 1, 1))
	team := newGroup("team", 2, 1, "lead", "worker")
	team.RestartPolicy = v1alpha1.RestartPolicyRecreateGroup
	job.Spec.Template.PodCliqueScalingGroups = []v1alpha1.PodCliqueScalingGroupConfig{team}
	job.Spec.Template.TerminationDelay = &metav1.Duration{Duration: shortDelay}
	packedSet := inOrder(newSet("packed", 2, newClique("first", 2, 2), newClique("second", 1, 1), newClique("third", 2, 1)))
	packedSet.Spec.Template.SchedulingPolicyConfig = packed(cluster.LabelRack, "first", "second")
	return []*v1alpha1.PodCliqueSet{web, job, packedSet}
}

// doSomething does one thing at random. The weights make what ends a process rare, since it takes long.
func (c *chaos) doSomething() {
	c.Helper()
	deeds := []struct {
		weight int
		do     func() string
	}{
		{8, func() string { return c.scale(podCliqueSets, 4) }},
		{6, func() string { return c.scale(podCliques, 5) }},
		{6, func() string { return c.scale(scalingGroups, 4) }},
		{8, func() string { return c.deleteOne(pods) }},
		{5, func() string { return c.deleteOne(podGangs) }},
		{5, func() string { return c.deleteOne(podCliques) }},
		{2, func() string { return c.deleteOne(scalingGroups) }},
		{1, func() string { return c.deleteOne(services) }},
		{3, func() string { return c.deleteOne(podGroups) }},
		{16, c.breakOne},
		{3, c.failOne},
		{3, c.restartOne},
		{3, c.loseNode},
		{4, c.edit},
		{4, c.recreate},
		{4, c.killOperator},
		{1, c.killControlPlane},
	}
	sum := 0
	for _, deed := range deeds {
		sum += deed.weight
	}
	n := c.random.IntN(sum)
	for _, deed := range deeds {
		if n -= deed.weight; n < 0 {
			c.Logf("%s %s", time.Now().Format(clock), deed.do())
			return
		}
	}
}

func (c *chaos) pause() {
	c.Helper()
	select {
	case <-time.After(time.Duration(c.random.Int64N(int64(longestPause)))):
	case <-c.ctx.Done():
		c.Fatalf("seed %d: %v", c.seed, c.ctx.Err())
	}
}

// settle waits until everything is what the specs say, once what has broken is mended.
func (c *chaos) settle() {
	c.Helper()
	c.restoreNode()
	c.mendAll()
	var names []string
	for _, set := range c.sets() {
		names = append(names, set.Name)
	}
	next := time.Now().Add(newsPeriod)
	c.eventuallyWithin(settlePatience, fmt.Sprintf("seed %d: everything as the specs say", c.seed), func() (string, error) {
		deviation, orphans, err := c.deviation(names)
		c.deleteAll(orphans)
		if now := time.Now(); now.After(next) {
			next = now.Add(newsPeriod)
			c.Logf("%s not yet as the specs say (error: %v):\n%s", now.Format(clock), err, deviation)
		}
		return deviation, err
	})
	c.Logf("%s all is as the specs say", time.Now().Format(clock))
}
