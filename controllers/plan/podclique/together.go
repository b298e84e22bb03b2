package podclique

import (
	"grove.io/grove/controllers/plan"
)

// isLost tells whether a pod that doesn't exist was lost from among others that live: by the restartPolicy it doesn't come back alone, but
// with all of them, once the gang's controller has counted that.
func (r release) isLost(id plan.PodIdentity) bool {
	if r.Together() == plan.Alone || !r.WasWhole(r.Gang, id) {
		return false
	}
	return r.peers[r.released.Restarts().Among(id.PodGroup)] > 0
}
