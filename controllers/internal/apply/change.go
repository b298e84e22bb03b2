package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Change applies configurations to objects that were read and belong to children of the owner, several at a time, each to the very version that
// was read: the error is a conflict where there is a newer one. An object that the API server would never take so is deleted, to be made anew by
// whoever controls it. What is forbidden, by a quota or a policy, is a problem for a user: a new object wouldn't be allowed either.
func (k *Kind[T, C]) Change(ctx context.Context, owner Owner, read []T, wanted []C) error {
	pairs := make([]int, len(read))
	for i := range pairs {
		pairs[i] = i
	}
	return Each(ctx, atATime, pairs, func(i int) error {
		live := read[i]
		err := k.unlessRefused(owner, wanted[i], func(name cache.ObjectName) error {
			return k.send(ctx, owner, name, wanted[i].WithUID(live.GetUID()).WithResourceVersion(live.GetResourceVersion()))
		})
		var r refused
		switch {
		case errors.As(err, &r) && r.Reason == v1alpha1.ReasonInvalidChild:
			return k.Delete(ctx, owner, []T{live})
		case apierrors.IsNotFound(err):
			return nil
		default:
			return err
		}
	})
}

// Resizes are the clients of the subresource resize of pods.
func Resizes(client func(namespace string) corev1client.PodInterface) func(namespace string) Client[*corev1.Pod, *corev1ac.PodApplyConfiguration] {
	return func(namespace string) Client[*corev1.Pod, *corev1ac.PodApplyConfiguration] {
		return resizes{client(namespace)}
	}
}

// resizes applies to the subresource, which client-go has no method for.
type resizes struct{ corev1client.PodInterface }

func (r resizes) Apply(ctx context.Context, pod *corev1ac.PodApplyConfiguration, options metav1.ApplyOptions) (*corev1.Pod, error) {
	data, err := json.Marshal(pod)
	if err != nil {
		return nil, fmt.Errorf("encoding pod %s: %w", *pod.Name, err)
	}
	return r.Patch(ctx, *pod.Name, types.ApplyPatchType, data, options.ToPatchOptions(), "resize")
}
