package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"runtime/debug"

	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/util/workqueue"
)

// Recover, deferred, makes an error of a panic: one object must not end the operator for all.
func Recover(err *error) {
	if reason := recover(); reason != nil {
		*err = fmt.Errorf("panic: %v\n%s", reason, debug.Stack())
	}
}

// Each calls do for each item, a number of them at a time, and aggregates the errors. Items that a cancelled context leaves
// out are an error too, and so is a panic.
func Each[T any](ctx context.Context, atATime int, items []T, do func(T) error) error {
	errs := make([]error, len(items))
	begun := make([]bool, len(items))
	workqueue.ParallelizeUntil(ctx, atATime, len(items), func(i int) {
		defer Recover(&errs[i])
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

// KeepAnnotations returns wanted metadata with the annotations that are owned, for Kind.Lazy.
func KeepAnnotations(owned, wanted *metav1ac.ObjectMetaApplyConfiguration) *metav1ac.ObjectMetaApplyConfiguration {
	if owned == nil || wanted == nil {
		return wanted
	}
	kept := *wanted
	kept.Annotations = owned.Annotations
	return &kept
}

// withoutVersion copies a configuration and leaves out the resourceVersion, which can be set to another value but not unset. An
// empty one isn't the same: the API server refuses it for custom resources.
func withoutVersion[C any](config C) (C, error) {
	var without C
	data, err := json.Marshal(config)
	if err != nil {
		return without, fmt.Errorf("encoding %T: %w", config, err)
	}
	var object, metadata map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
		return without, fmt.Errorf("decoding %T: %w", config, err)
	}
	if err := json.Unmarshal(object["metadata"], &metadata); err != nil {
		return without, fmt.Errorf("decoding the metadata of %T: %w", config, err)
	}
	delete(metadata, "resourceVersion")
	if object["metadata"], err = json.Marshal(metadata); err != nil {
		return without, fmt.Errorf("encoding the metadata of %T: %w", config, err)
	}
	if data, err = json.Marshal(object); err != nil {
		return without, fmt.Errorf("encoding %T: %w", config, err)
	}
	return without, json.Unmarshal(data, &without)
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
