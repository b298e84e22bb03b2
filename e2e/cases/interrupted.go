package cases

import (
	"fmt"
	"math/rand/v2"
	"time"

	"sigs.k8s.io/e2e-framework/pkg/features"
	e2etypes "sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/e2e/cluster"
)

const (
	// killsPerUpdate is how often the operator dies during each update.
	killsPerUpdate = 3
	// statesOfPod is through how many states a pod goes at least when it is replaced: gone, there, bound, ready.
	statesOfPod = 4
)

// UpdateInterrupted checks that updates whose operator is killed at random points go on from what the next one finds: none takes more away at
// any moment than it would have, or replaces a pod twice, and all end alike.
func UpdateInterrupted(seed uint64, updates int) e2etypes.Feature {
	return features.New("update interrupted").
		Assess("goes on where it was", step(func(s *scope) {
			s.Logf("repeat it with -args -seed %d -interrupted-updates %d", seed, updates)
			random := rand.New(rand.NewPCG(seed, 3))
			names := rollingPods(2)
			operator := s.startOperator()
			s.create(newRolling(2))
			s.waitForPods("web", names)
			s.waitUntilAvailable("web")
			for update := range updates {
				watched, from := s.watchPods("web", names, rollsByOne), time.Now()
				s.roll("web", fmt.Sprint(update))
				for _, states := range randomPoints(random, killsPerUpdate, statesOfPod*len(names)) {
					operator = s.replaceOperator(operator, watched.after(states))
				}
				s.waitUntilUpdated("web")
				watched.check(s)
				s.mustBeVersion("web", fmt.Sprint(update))
				for _, name := range names {
					if times := watched.deleted[name]; times != 1 {
						s.Errorf("update %d replaced pod %s %d times", update, name, times)
					}
				}
				if s.Failed() {
					s.Logf("the operators' writes meanwhile: %s", s.requests(from, time.Now(), s.isWriteHere))
					s.FailNow()
				}
			}
			s.stop(operator)
		})).
		Feature()
}

// randomPoints are so many numbers below one, each not below the one before.
func randomPoints(random *rand.Rand, count, below int) []int {
	var points []int
	from := 0
	for left := count; left > 0; left-- {
		from += random.IntN((below-from)/left + 1)
		points = append(points, from)
	}
	return points
}

// replaceOperator kills an operator at a moment, and starts another.
func (s *scope) replaceOperator(operator *cluster.Operator, at <-chan struct{}) *cluster.Operator {
	s.Helper()
	select {
	case <-at:
	case <-s.ctx.Done():
		s.Fatal(s.ctx.Err())
	}
	s.kill(operator)
	return s.startOperator()
}
