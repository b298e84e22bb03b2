// Package plan decides what Grove does. Its functions are pure: from objects as they were observed, and the time, they
// compute the children that shall exist, the statuses that describe them, and what to tell the user. Nothing here reads
// a cache, calls an API server, looks at a clock or logs.
//
// Words used here: a replica is one of the set's spec.replicas, with index i; a group replica is one of a scaling group's
// spec.replicas, with index g; a slice is the pods of one clique in one replica or, for a member of a scaling group, in
// one group replica; a unit is what is placed all or nothing.
package plan
