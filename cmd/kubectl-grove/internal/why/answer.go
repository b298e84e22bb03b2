// Package why finds the first cause for which a PodCliqueSet, a PodGang or a pod isn't up, from the objects themselves, and says it in words:
// what it is, who waits for whom because of it, and what happens next and when.
package why

import (
	"time"

	"grove.io/grove/cmd/kubectl-grove/internal/nodes"
)

// Answer is why something isn't as it should be.
type Answer struct {
	// About is what was asked about, such as pcs/web, and State sums it up.
	About     string `json:"about"`
	Namespace string `json:"namespace"`
	State     string `json:"state"`
	// Lacks says what is missing; empty where nothing is.
	Lacks string `json:"lacks,omitempty"`
	// Cause is what everything else follows from; nil where nothing is wrong.
	Cause *Cause `json:"cause,omitempty"`
	// Others is how many other replicas of the set aren't available either.
	Others int `json:"others,omitempty"`
}

// Kind is a sort of causes.
type Kind string

// Kinds of causes.
const (
	// Refused: the API server doesn't take a child, or something else has its name.
	Refused Kind = "Refused"
	// Gated: a scheduling gate of a user's holds a pod back.
	Gated Kind = "SchedulingGated"
	// NoPlace: no nodes have room, by what the scheduler's filters say.
	NoPlace Kind = "NoPlace"
	// NotPlaced: nothing that is known here stands against a place, and the scheduler hasn't given one.
	NotPlaced Kind = "NotPlaced"
	// NotCreated: a pod or another child doesn't exist.
	NotCreated Kind = "NotCreated"
	// Terminating: a pod has to be gone before its successor comes.
	Terminating Kind = "Terminating"
	// ImagePull: an image can't be pulled.
	ImagePull Kind = "ImagePull"
	// ContainerFailed: a container ends with an error, or can't be made.
	ContainerFailed Kind = "ContainerFailed"
	// PodFailed: a pod has failed as a whole.
	PodFailed Kind = "PodFailed"
	// Starting: containers are being made.
	Starting Kind = "Starting"
	// NotReady: containers run, and aren't ready.
	NotReady Kind = "NotReady"
	// UpdateStopped and UpdatePaused: an update goes no further.
	UpdateStopped Kind = "UpdateStopped"
	UpdatePaused  Kind = "UpdatePaused"
	// Updating: an update is under way.
	Updating Kind = "Updating"
)

// Cause is what everything else follows from.
type Cause struct {
	Kind Kind `json:"kind"`
	// Object is what the cause is in, such as pod/web-worker-0-0.
	Object string `json:"object"`
	Words  string `json:"words"`
	// Chain says who waits for whom, up to the object.
	Chain []string `json:"chain,omitempty"`
	// NodeGroups say what stands against a place for a pod on which nodes, alike ones together.
	NodeGroups []NodeGroup `json:"nodeGroups,omitempty"`
	// Closest is the domain in which most of the pods have a place that have to be in one.
	Closest *Domain `json:"closest,omitempty"`
	// Scheduler has the scheduler's own words.
	Scheduler string `json:"scheduler,omitempty"`
	// Notes say what else is to be known.
	Notes []string `json:"notes,omitempty"`
	// Next is what happens next.
	Next []Next `json:"next,omitempty"`
}

// NodeGroup are nodes that are alike.
type NodeGroup struct {
	Name  string `json:"name"`
	Nodes int    `json:"nodes"`
	// Fit is how many of them have a place for the pod.
	Fit int `json:"fit"`
	// Against is what stands against the others.
	Against []nodes.Group `json:"against,omitempty"`
}

// Domain is a domain of a topology key, and how many of the pods have a place in it.
type Domain struct {
	Key string `json:"key"`
	nodes.Attempt
	// Against is what stands against a place for the first pod that has none.
	Against []nodes.Group `json:"against,omitempty"`
}

// Next is what happens next.
type Next struct {
	Words string `json:"words"`
	// At is when it happens; nil where no time is set.
	At *time.Time `json:"at,omitempty"`
}

func (c *Cause) next(words string) *Cause {
	c.Next = append(c.Next, Next{Words: words})
	return c
}
