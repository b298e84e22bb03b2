package cases

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/e2e/cluster"
	"grove.io/grove/e2e/faults"
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
	// nothing begins what a deed says that found nothing to do.
	nothing = "nothing"
	// newsPeriod is how often is told what isn't as the specs say meanwhile.
	newsPeriod = 30 * time.Second
)

// Chaos does at random what users, failing machines, networks and control planes do, for a while, and checks now and then, and in the end,
// that everything becomes what the specs say, that no unit was terminated which wasn't in breach for its whole delay, that no update took more
// away than its budget, that what isn't Grove's is untouched, and that the operator then is at rest. It says how often it did what. Equal seeds
// make equal choices; what they meet depends on the machine.
func Chaos(seed uint64, duration time.Duration) types.Feature {
	return features.New(fmt.Sprintf("chaos with seed %d", seed)).
		Assess("ends as the specs say", step(func(s *scope) {
			s.Logf("this run can be repeated with -seed=%d", seed)
			c := &chaos{scope: s, random: rand.New(rand.NewPCG(seed, 0)), seed: seed, counts: &faults.Counts{}}
			defer func() { s.Logf("what was done, and what went wrong on purpose:\n%s", c.counts) }()
			c.begin()
			terminations := c.watchTerminations()
			for end := time.Now().Add(duration); ; {
				c.do(c.disturbance())
				c.do(c.update())
				for range chaosDeeds {
					c.doSomething()
					c.pause()
				}
				c.settle()
				terminations.check(c)
				c.steady.check(c)
				if !time.Now().Before(end) {
					break
				}
			}
			c.mustRest()
			c.settle()
			s.stop(c.first.operator)
			for _, object := range c.foreigners {
				object.check()
			}
		})).
		Feature()
}

type chaos struct {
	*scope
	random *rand.Rand
	seed   uint64
	// counts has what was done, and what went wrong on purpose.
	counts *faults.Counts
	// first is the operator that always runs, but for moments, and second one that runs beside it at times.
	first, second *instance
	// lost is the node that is away, if one is.
	lost *corev1.Node
	// steady is a set that nothing is done to but updates.
	steady     *steady
	foreigners []foreigner
}

// begin makes all that is there before anything happens.
func (c *chaos) begin() {
	c.Helper()
	c.first, c.second = c.newInstance(), c.newInstance()
	// This one has the clock that is wrong at times built, too, before anything is to happen at a time.
	c.run(c.first, time.Second)
	c.foreigners = c.newForeigners()
	c.steady = c.newSteady()
	c.foreigners = append(c.foreigners, c.steady.newForeigners()...)
	for _, set := range c.sets() {
		c.create(set)
	}
}

// mustRest fails the test if the operator still does anything, once it was at rest.
func (c *chaos) mustRest() {
	c.Helper()
	c.waitUntilQuiet()
	c.steady.waitUntilQuiet()
	work := func(r cluster.Request) bool { return c.isWorkHere(r) || c.steady.isWorkHere(r) }
	if late := c.requestsWithin(quietWindow, work); len(late) > 0 {
		c.Errorf("seed %d: requests of an operator at rest: %s", c.seed, late)
	}
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

// deed is something that may be done.
type deed struct {
	weight int
	// counts is how it is counted.
	counts string
	// do says what it has done.
	do func() string
}

func (c *chaos) disturbance() deed {
	return deed{8, "changes of what goes wrong between operators and the API server", c.disturb}
}

func (c *chaos) update() deed { return deed{4, "updates of the steady set", c.updateSteady} }

func (c *chaos) do(d deed) {
	c.Helper()
	said := d.do()
	if !strings.HasPrefix(said, nothing) {
		c.counts.Add(d.counts)
	}
	c.say(said)
}

// doSomething does one thing at random. The weights make what ends a process rare, since it takes long.
func (c *chaos) doSomething() {
	c.Helper()
	deeds := []deed{
		{8, "sets scaled", func() string { return c.scale(podCliqueSets, 4) }},
		{6, "PodCliques scaled", func() string { return c.scale(podCliques, 5) }},
		{6, "scaling groups scaled", func() string { return c.scale(scalingGroups, 4) }},
		{8, "pods deleted", func() string { return c.deleteOne(pods) }},
		{5, "PodGangs deleted", func() string { return c.deleteOne(podGangs) }},
		{5, "PodCliques deleted", func() string { return c.deleteOne(podCliques) }},
		{2, "scaling groups deleted", func() string { return c.deleteOne(scalingGroups) }},
		{1, "Services deleted", func() string { return c.deleteOne(services) }},
		{3, "PodGroups deleted", func() string { return c.deleteOne(podGroups) }},
		{16, "pods broken", c.breakOne},
		{3, "pods failed", c.failOne},
		{3, "pods restarted", c.restartOne},
		{3, "nodes lost or given back", c.loseNode},
		{4, "sets edited", c.edit},
		{4, "sets recreated", c.recreate},
		c.update(),
		{12, "operators killed and replaced", c.killOperator},
		{5, "second operators started or ended", c.startOrEndSecond},
		c.disturbance(),
		{1, "control planes killed and restarted", c.killControlPlane},
	}
	sum := 0
	for _, deed := range deeds {
		sum += deed.weight
	}
	n := c.random.IntN(sum)
	for _, deed := range deeds {
		if n -= deed.weight; n < 0 {
			c.do(deed)
			return
		}
	}
}

// say logs what was done, and when.
func (c *chaos) say(said string) {
	c.Helper()
	c.Logf("%s %s", time.Now().Format(clock), said)
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
	c.calm()
	c.endSecond()
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
		if deviation == "" && err == nil {
			deviation, err = c.steady.missing()
		}
		if now := time.Now(); now.After(next) {
			next = now.Add(newsPeriod)
			c.Logf("%s not yet as the specs say (error: %v):\n%s", now.Format(clock), err, deviation)
		}
		return deviation, err
	})
	c.say("all is as the specs say")
}
