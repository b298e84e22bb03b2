package main

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"

	"grove.io/grove/e2e/cluster"
)

// startsIn is how long it takes a pod to be ready that this program plays the kubelet of. It is little beside what a model needs to be loaded.
const startsIn = time.Second

// readyStatus is what a kubelet says of a pod that is ready.
const readyStatus = `{"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [{"name": "main", ` +
	`"ready": true, "started": true, "restartCount": 0, "image": "", "imageID": "", "state": {"running": {}}}]}}`

// unattended are the annotations of pods that no fake kubelet runs.
var unattended = map[string]string{cluster.AnnotationNobody: cluster.AnnotationNobodyValue}

// kubelet plays the kubelets of unattended pods: they are ready a while after they were bound, and gone at once when they are deleted.
type kubelet struct {
	ctx  context.Context
	core kubernetes.Interface

	mu sync.Mutex
	// bound and ended are the pods that it has begun with.
	bound, ended map[types.UID]bool
}

// follow adds what an informer of pods sees, before it runs.
func (k *kubelet) follow(pods cache.SharedIndexInformer) error {
	_, err := pods.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { k.see(obj.(*corev1.Pod)) },
		UpdateFunc: func(_, after any) { k.see(after.(*corev1.Pod)) },
	})
	return err
}

func (k *kubelet) see(pod *corev1.Pod) {
	if pod.Annotations[cluster.AnnotationNobody] != cluster.AnnotationNobodyValue || pod.Spec.NodeName == "" {
		return
	}
	first := func(pods map[types.UID]bool) bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		was := pods[pod.UID]
		pods[pod.UID] = true
		return !was
	}
	client := k.core.CoreV1().Pods(pod.Namespace)
	switch {
	case pod.DeletionTimestamp != nil && first(k.ended):
		now := metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0), Preconditions: &metav1.Preconditions{UID: &pod.UID}}
		go client.Delete(k.ctx, pod.Name, now)
	case pod.DeletionTimestamp == nil && first(k.bound):
		// A pod that has gone meanwhile isn't there to be made ready, and one of its name has a status of its own soon.
		time.AfterFunc(startsIn, func() {
			client.Patch(k.ctx, pod.Name, types.StrategicMergePatchType, readyOf(pod), metav1.PatchOptions{}, "status")
		})
	}
}

// readyOf is the patch that makes a pod ready, and none that has its name after it.
func readyOf(pod *corev1.Pod) []byte {
	return []byte(`{"metadata": {"uid": "` + string(pod.UID) + `"}, ` + readyStatus[1:])
}
