// Package top sums up what the pods of PodCliqueSets use, by clique.
package top

import (
	"fmt"
	"io"
	"text/tabwriter"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/cmd/kubectl-grove/view"
)

// Use is what the pods of one clique use, in all replicas of a set, or one pod.
type Use struct {
	Namespace string `json:"namespace"`
	Set       string `json:"set"`
	Clique    string `json:"clique"`
	Pod       string `json:"pod,omitempty"`
	// Pods is how many pods there are, Measured of how many the use is known.
	Pods     int `json:"pods"`
	Measured int `json:"measured"`
	// CPU and Memory are what the measured pods use together, Requested what these ask for.
	CPU             resource.Quantity `json:"cpu"`
	Memory          resource.Quantity `json:"memory"`
	RequestedCPU    resource.Quantity `json:"requestedCPU"`
	RequestedMemory resource.Quantity `json:"requestedMemory"`
}

// Of sums up what the pods of a set use, by clique, in the order of the template; each by itself if that is asked for.
func Of(v *view.View, metrics []v1beta1.PodMetrics, each bool) []Use {
	measured := map[string]*v1beta1.PodMetrics{}
	for i := range metrics {
		if metrics[i].Namespace == v.Set.Namespace {
			measured[metrics[i].Name] = &metrics[i]
		}
	}
	var uses []Use
	at := map[string]int{}
	for _, clique := range v.Cliques {
		name := v.NameInTemplate(clique)
		for _, pod := range v.Pods {
			if pod.Labels[v1alpha1.LabelPodClique] != clique.Name {
				continue
			}
			key := name
			if each {
				key = pod.Name
			}
			if _, known := at[key]; !known {
				at[key] = len(uses)
				uses = append(uses, Use{Namespace: v.Set.Namespace, Set: v.Set.Name, Clique: name})
				if each {
					uses[len(uses)-1].Pod = pod.Name
				}
			}
			uses[at[key]].add(pod, measured[pod.Name])
		}
	}
	return uses
}

// add adds a pod; what it uses is nil where that isn't known.
func (u *Use) add(pod *corev1.Pod, metrics *v1beta1.PodMetrics) {
	u.Pods++
	if metrics == nil {
		return
	}
	u.Measured++
	for i := range metrics.Containers {
		u.CPU.Add(metrics.Containers[i].Usage[corev1.ResourceCPU])
		u.Memory.Add(metrics.Containers[i].Usage[corev1.ResourceMemory])
	}
	// Init containers may ask for more, and are over.
	for i := range pod.Spec.Containers {
		requests := pod.Spec.Containers[i].Resources.Requests
		u.RequestedCPU.Add(requests[corev1.ResourceCPU])
		u.RequestedMemory.Add(requests[corev1.ResourceMemory])
	}
}

// Write writes uses as a table. Percentages are of what the pods' containers request.
func Write(out io.Writer, uses []Use, namespaces, each bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	row := func(namespace, pod string, cells ...any) {
		if namespaces {
			fmt.Fprintf(w, "%s\t", namespace)
		}
		fmt.Fprintf(w, "%s\t%s\t", cells...)
		if each {
			fmt.Fprintf(w, "%s\t", pod)
		}
	}
	row("NAMESPACE", "POD", "SET", "CLIQUE")
	fmt.Fprintln(w, "PODS\tCPU(cores)\tCPU(%)\tMEMORY(bytes)\tMEMORY(%)")
	for _, use := range uses {
		row(use.Namespace, use.Pod, use.Set, use.Clique)
		pods := fmt.Sprint(use.Pods)
		if use.Measured < use.Pods {
			pods = fmt.Sprintf("%d of %d", use.Measured, use.Pods)
		}
		if use.Measured == 0 {
			fmt.Fprintf(w, "%s\t-\t-\t-\t-\n", pods)
			continue
		}
		fmt.Fprintf(w, "%s\t%dm\t%s\t%dMi\t%s\n", pods, use.CPU.MilliValue(), share(use.CPU, use.RequestedCPU), use.Memory.Value()>>20, share(use.Memory, use.RequestedMemory))
	}
	return w.Flush()
}

// share is a part of a whole in percent.
func share(part, whole resource.Quantity) string {
	if whole.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%.0f%%", 100*part.AsApproximateFloat64()/whole.AsApproximateFloat64())
}
