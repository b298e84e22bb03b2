package metrics

import (
	"slices"
	"sync"

	"k8s.io/client-go/tools/cache"
	"k8s.io/component-base/metrics"

	"grove.io/grove/apis/grove/v1alpha1"
)

// phases are those that a PodGang can be in.
var phases = []v1alpha1.PodGangPhase{
	v1alpha1.PodGangPending, v1alpha1.PodGangStarting, v1alpha1.PodGangRunning, v1alpha1.PodGangFailed, v1alpha1.PodGangSucceeded,
}

var gangsDesc = metrics.NewDesc(metrics.BuildFQName(namespace, "", "podgangs"),
	"PodGangs by their phase, in the cache of the replica that leads; 0 for each phase in the others.", []string{"phase"}, nil, metrics.ALPHA, "")

// gangs counts PodGangs whenever metrics are asked for: a count that is kept would have to be right after every missed change.
var gangs = &gangCollector{}

type gangCollector struct {
	metrics.BaseStableCollector
	mutex  sync.Mutex
	caches []cache.Store
}

// CountGangs has the PodGangs of a cache counted until the function that it returns is called. Several caches add up.
func CountGangs(store cache.Store) (stop func()) {
	gangs.mutex.Lock()
	defer gangs.mutex.Unlock()
	gangs.caches = append(gangs.caches, store)
	return func() {
		gangs.mutex.Lock()
		defer gangs.mutex.Unlock()
		gangs.caches = slices.DeleteFunc(gangs.caches, func(other cache.Store) bool { return other == store })
	}
}

func (c *gangCollector) DescribeWithStability(descs chan<- *metrics.Desc) { descs <- gangsDesc }

func (c *gangCollector) CollectWithStability(counted chan<- metrics.Metric) {
	count := c.count()
	for _, phase := range phases {
		counted <- metrics.NewLazyConstMetric(gangsDesc, metrics.GaugeValue, float64(count[phase]), string(phase))
	}
}

// count counts gangs by phase. One that hasn't been described yet is pending.
func (c *gangCollector) count() map[v1alpha1.PodGangPhase]int {
	c.mutex.Lock()
	caches := slices.Clone(c.caches)
	c.mutex.Unlock()
	count := map[v1alpha1.PodGangPhase]int{}
	for _, store := range caches {
		for _, obj := range store.List() {
			phase := obj.(*v1alpha1.PodGang).Status.Phase
			if phase == "" {
				phase = v1alpha1.PodGangPending
			}
			count[phase]++
		}
	}
	return count
}
