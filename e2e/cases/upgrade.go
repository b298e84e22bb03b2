package cases

import (
	"errors"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/e2e/cluster"
)

// beforeUpdates is the last commit whose operator left pods of an older podSpec alone.
const beforeUpdates = "b5045deaf6da40513c6a922d83c5dcfaf37494f9"

// oddSpellings says the same in ways that differ, and what the API server would say by default.
const oddSpellings = `
apiVersion: grove.io/v1alpha1
kind: PodCliqueSet
metadata: {name: odd}
spec:
  replicas: 2
  template:
    cliques:
    - name: plain
      spec:
        replicas: 1
        podSpec:
          containers:
          - name: main
            image: %[1]s
            resources: {requests: {cpu: 500m, memory: 1Gi}, limits: {cpu: "1", memory: 1Gi}}
    - name: wordy
      labels: {}
      annotations: {}
      spec:
        roleName: wordy
        replicas: 1
        minAvailable: 1
        startsAfter: []
        podSpec:
          restartPolicy: Always
          dnsPolicy: ClusterFirst
          schedulerName: default-scheduler
          terminationGracePeriodSeconds: 30
          enableServiceLinks: true
          securityContext: {}
          nodeSelector: {}
          tolerations: []
          imagePullSecrets: []
          initContainers: []
          volumes:
          - {name: scratch, emptyDir: {}}
          - {name: token, projected: {defaultMode: 420, sources: []}}
          containers:
          - name: main
            image: %[1]s
            imagePullPolicy: IfNotPresent
            command: []
            args: []
            env: [{name: EMPTY, value: ""}, {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]
            envFrom: []
            ports: [{containerPort: 80, protocol: TCP}]
            resources: {requests: {cpu: "0.5", memory: 1024Mi}, limits: {cpu: 1000m, memory: 1048576Ki}, claims: []}
            volumeMounts: [{name: scratch, mountPath: /scratch, readOnly: false}]
            livenessProbe: {tcpSocket: {port: 80}, timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3}
            terminationMessagePath: /dev/termination-log
            terminationMessagePolicy: File
            securityContext: {}
            stdin: false
    - name: whole
      spec:
        podSpec: {containers: [{name: main, image: "%[1]s", resources: {requests: {cpu: 1, memory: "1e9"}, limits: {cpu: 2.0e0, memory: "1000M"}}}]}
`

// UpgradeToUpdates checks that another operator than the one that made pods replaces none that are as they should be, however their podSpecs are
// spelled, and those that an earlier one has left behind one replica at a time.
func UpgradeToUpdates() types.Feature {
	return features.New("upgrade of the operator").
		Assess("replaces nothing but what was left behind", step(func(s *scope) {
			earlier, err := s.StartEarlier(s.ctx, beforeUpdates)
			if errors.Is(err, cluster.ErrNoCommit) {
				s.Skipf("there is no earlier operator to upgrade from: %v", err)
			}
			if err != nil {
				s.Fatal(err)
			}
			oddPods := [][]string{}
			for i := range 2 {
				for _, clique := range []string{"plain", "wordy", "whole"} {
					oddPods = append(oddPods, podNames(fmt.Sprintf("odd-%s-%d", clique, i), 1))
				}
			}
			base0, scaled0 := duoPods("left", 0)
			base1, scaled1 := duoPods("left", 1)
			leftPods := [][]string{base0, scaled0, base1, scaled1}
			s.mustKubectl("apply", "--server-side", "--validate=strict", "-f", s.fileOf(fmt.Appendf(nil, oddSpellings, image)))
			s.create(newDuo("left", longDelay))
			odd, left := s.waitForPods("odd", oddPods...), s.waitForPods("left", leftPods...)
			s.waitUntilAvailable("odd")
			s.waitUntilAvailable("left")
			s.setImage("left", "example.com/v2")
			s.waitForPodCliquesOf("left", "example.com/v2")
			hashes := s.templateHashes("odd")
			s.mustKeep(left, s.waitForPods("left", leftPods...))
			s.stop(earlier)

			down := s.overlook("left", func(pod *corev1.Pod) string { return pod.Labels[v1alpha1.LabelPodGang] })
			operator := s.startOperator()
			s.mustReplace(left, s.waitUntilOfImage("left", "example.com/v2", leftPods...))
			if at := down(); len(at) != 1 {
				s.Errorf("replicas were down at once: %v", at)
			}
			s.waitUntilQuiet()
			s.mustKeep(odd, s.waitForPods("odd", oddPods...))
			if after := s.templateHashes("odd"); !maps.Equal(hashes, after) {
				s.Errorf("hashes of podSpecs were %v, and are %v", hashes, after)
			}
			if progress := s.waitUntilAvailable("odd").Status.RollingUpdateProgress; progress != nil {
				s.Errorf("the set that is as it should be was updated: %+v", progress)
			}

			s.roll("odd", "1")
			s.waitUntilUpdated("odd")
			s.mustBeVersion("odd", "1")
			s.mustReplace(odd, s.waitForPods("odd", oddPods...))
			s.stop(operator)
		})).
		Feature()
}

// templateHashes are the hashes that a set's PodCliques and pods bear, and that of the set itself.
func (s *scope) templateHashes(name string) map[string]string {
	s.Helper()
	options := metav1.ListOptions{LabelSelector: ofSet(name)}
	podCliques, err := s.grove.GroveV1alpha1().PodCliques(s.namespace).List(s.ctx, options)
	if err != nil {
		s.Fatal(err)
	}
	all, err := s.podsOf(name)
	if err != nil {
		s.Fatal(err)
	}
	set, err := s.grove.GroveV1alpha1().PodCliqueSets(s.namespace).Get(s.ctx, name, metav1.GetOptions{})
	if err != nil {
		s.Fatal(err)
	}
	hashes := map[string]string{"set": set.Status.CurrentGenerationHash}
	for i := range podCliques.Items {
		hashes["PodClique "+podCliques.Items[i].Name] = podCliques.Items[i].Labels[v1alpha1.LabelPodTemplateHash]
	}
	for i := range all {
		hashes["pod "+all[i].Name] = all[i].Labels[v1alpha1.LabelPodTemplateHash]
	}
	return hashes
}

// waitForPodCliquesOf waits until all PodCliques of a set have an image.
func (s *scope) waitForPodCliquesOf(set, image string) {
	s.Helper()
	s.eventually("image "+image+" in all PodCliques", func() (string, error) {
		list, err := s.grove.GroveV1alpha1().PodCliques(s.namespace).List(s.ctx, metav1.ListOptions{LabelSelector: ofSet(set)})
		if err != nil {
			return "", err
		}
		for i := range list.Items {
			if got := list.Items[i].Spec.PodSpec.Containers[0].Image; got != image {
				return list.Items[i].Name + " has " + got, nil
			}
		}
		return "", nil
	})
}
