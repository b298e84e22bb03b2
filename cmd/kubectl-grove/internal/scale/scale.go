// Package scale decides which objects take part when cliques and scaling groups of a PodCliqueSet are scaled by their names in the template.
package scale

import (
	"fmt"
	"strconv"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/cmd/kubectl-grove/internal/rollout"
	"grove.io/grove/cmd/kubectl-grove/view"
	"grove.io/grove/controllers/plan"
)

// Kind is a kind of object that has a scale.
type Kind string

// Kinds that have a scale, as the API calls them.
const (
	Set    Kind = "PodCliqueSet"
	Group  Kind = "PodCliqueScalingGroup"
	Clique Kind = "PodClique"
)

// Request is what was asked for: replicas of the set, and those of groups and cliques by their names in the template.
type Request struct {
	Replicas *int32
	Groups   []string
	Cliques  []string
}

// Step is one object that is scaled.
type Step struct {
	Kind     Kind
	Name     string
	From, To int32
	// Notes are what users should know of it.
	Notes []string
}

// Steps of a request: the set first, so that its new replicas begin as the template says. Nothing is to be done if there is an error: it names what
// is unknown, and what there is.
func Steps(v *view.View, request Request, autoscalers []autoscalingv2.HorizontalPodAutoscaler) ([]Step, error) {
	var steps []Step
	if request.Replicas != nil {
		steps = append(steps, Step{Kind: Set, Name: v.Set.Name, From: v.Set.Spec.Replicas, To: *request.Replicas})
	}
	for _, asked := range request.Groups {
		name, to, err := parse(asked)
		if err != nil {
			return nil, err
		}
		group := v.Group(plan.ScalingGroupName(v.Set.Name, name))
		if group == nil {
			return nil, rollout.Unknown(v.Set, "group", name, GroupNames(v.Set))
		}
		step := Step{Kind: Group, Name: group.Name, From: plan.ReplicasOf(group.Spec.Replicas), To: to}
		step.raised(plan.ScalingGroupMinAvailable(&group.Spec))
		steps = append(steps, step)
	}
	for _, asked := range request.Cliques {
		name, to, err := parse(asked)
		if err != nil {
			return nil, err
		}
		found := false
		for _, clique := range v.Cliques {
			if v.NameInTemplate(clique) == name {
				step := Step{Kind: Clique, Name: clique.Name, From: plan.ReplicasOf(clique.Spec.Replicas), To: to}
				step.raised(plan.CliqueMinAvailable((*v1alpha1.PodCliqueSpec)(&clique.Spec)))
				steps, found = append(steps, step), true
			}
		}
		if !found {
			return nil, rollout.Unknown(v.Set, "clique", name, rollout.CliqueNames(v.Set))
		}
	}
	for i := range steps {
		steps[i].autoscaled(autoscalers)
	}
	return steps, nil
}

// parse reads NAME=NUMBER.
func parse(asked string) (name string, number int32, err error) {
	name, value, divided := strings.Cut(asked, "=")
	parsed, err := strconv.ParseInt(value, 10, 32)
	if !divided || err != nil || parsed < 0 {
		return "", 0, fmt.Errorf("%q must be a name and a number, such as worker=5", asked)
	}
	return name, int32(parsed), nil
}

// raised notes that a number counts for more than it is.
func (s *Step) raised(minAvailable int32) {
	if raised := plan.Raised(s.To, minAvailable); raised != s.To {
		s.Notes = append(s.Notes, fmt.Sprintf("%d is below minAvailable and counts as %d; 0 turns it off", s.To, raised))
	}
}

// autoscaled notes that an autoscaler may set another number.
func (s *Step) autoscaled(autoscalers []autoscalingv2.HorizontalPodAutoscaler) {
	for i := range autoscalers {
		if target := autoscalers[i].Spec.ScaleTargetRef; target.Kind == string(s.Kind) && target.Name == s.Name {
			s.Notes = append(s.Notes, fmt.Sprintf("HorizontalPodAutoscaler %s scales it, and may set another number", autoscalers[i].Name))
		}
	}
}

// GroupNames are those of the scaling groups in a set's template.
func GroupNames(set *v1alpha1.PodCliqueSet) []string {
	var names []string
	for _, group := range plan.TemplateOf(set).ScalingGroups {
		names = append(names, group.Name)
	}
	return names
}
