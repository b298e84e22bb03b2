package cases

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/e2e/cluster"
)

// restartOne reports that the containers of a pod have ended with an error, and run again.
func (c *chaos) restartOne() string {
	c.Helper()
	pod := c.choosePod()
	if pod == nil {
		return "nothing to restart"
	}
	for i := range pod.Status.ContainerStatuses {
		container := &pod.Status.ContainerStatuses[i]
		container.RestartCount++
		container.LastTerminationState = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error"}}
		container.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
	}
	status, err := json.Marshal(map[string]any{"containerStatuses": pod.Status.ContainerStatuses})
	c.must(err)
	c.report(pod, string(status))
	return "restart the containers of pod " + pod.Name
}

// loseNode takes a node away, or gives back the one that is away. Its pods run on if it is soon back; otherwise the cluster's garbage
// collector deletes them, and until then what terminates there keeps its name.
func (c *chaos) loseNode() string {
	c.Helper()
	nodes := cluster.DefaultFleet().Nodes()
	n := c.random.IntN(len(nodes))
	if c.lost != nil {
		name := c.lost.Name
		c.restoreNode()
		return "give node " + name + " back"
	}
	c.must(c.core.CoreV1().Nodes().Delete(c.ctx, nodes[n].Name, metav1.DeleteOptions{}))
	c.lost = nodes[n]
	return "lose node " + c.lost.Name
}

// restoreNode gives back the node that is away, if one is.
func (c *chaos) restoreNode() {
	c.Helper()
	if c.lost == nil {
		return
	}
	c.eventually("node "+c.lost.Name+" back", func() (string, error) {
		_, err := c.core.CoreV1().Nodes().Create(c.ctx, c.lost, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			return "the lost node isn't gone yet", nil
		}
		return "", err
	})
	c.lost = nil
}
