package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"

	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/util/workqueue"
)

// writers is how many children of one owner are written at a time.
const writers = 16

// inParallel calls do for each item, several at a time, and aggregates the errors. Items that a cancelled context leaves out
// are an error too.
func inParallel[T any](ctx context.Context, items []T, do func(T) error) error {
	errs := make([]error, len(items))
	begun := make([]bool, len(items))
	workqueue.ParallelizeUntil(ctx, writers, len(items), func(i int) {
		begun[i] = true
		errs[i] = do(items[i])
	})
	for i := range items {
		if !begun[i] {
			return utilerrors.NewAggregate(append(errs, ctx.Err()))
		}
	}
	return utilerrors.NewAggregate(errs)
}

var seed = maphash.MakeSeed()

// hashOf identifies what a configuration says, within this process.
func hashOf(config any) (uint64, error) {
	data, err := json.Marshal(config)
	if err != nil {
		return 0, fmt.Errorf("encoding %T: %w", config, err)
	}
	return maphash.Bytes(seed, data), nil
}
