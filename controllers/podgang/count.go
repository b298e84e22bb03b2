package podgang

import (
	"time"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/metrics"
	"grove.io/grove/controllers/plan/podgang"
)

// written counts what became of a PodGang, and tells users.
func (c *controller) written(podGang *v1alpha1.PodGang, before, after *v1alpha1.PodGangStatus) {
	count(podgang.TallyOf(podGang, before, after), c.cluster.Clock.Now().Sub(podGang.CreationTimestamp.Time))
	c.tell(podGang, before, after)
}

// count tells metrics of a gang of some age.
func count(tally podgang.Tally, age time.Duration) {
	if tally.Scheduled {
		metrics.GangScheduled(age)
	}
	if tally.Ready {
		metrics.GangReady(age)
	}
	for _, base := range tally.Breached {
		metrics.Breached(base)
	}
	for _, base := range tally.Terminated {
		metrics.Terminated(base)
	}
	for _, base := range tally.Restarted {
		metrics.Restarted(base)
	}
}
