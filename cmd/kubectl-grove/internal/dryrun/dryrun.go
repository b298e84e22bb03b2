// Package dryrun asks the API server what applying a PodCliqueSet would make of it, as kubectl apply would send it, and changes nothing.
package dryrun

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/utils/ptr"

	groveclient "grove.io/grove/apis/client/clientset/versioned/typed/grove/v1alpha1"
	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/cmd/kubectl-grove/internal/manifest"
)

// clientSide is the field manager of kubectl apply without --server-side.
const clientSide = "kubectl-client-side-apply"

// Options are those of kubectl apply.
type Options struct {
	// FieldManager is who applies server-side.
	FieldManager string
	// ForceConflicts takes over fields that others own.
	ForceConflicts bool
	// ServerSide is false for kubectl apply without --server-side. Without a value it is as the object was applied before, and true for one
	// that is new.
	ServerSide *bool
}

// Result is what the API server made of it.
type Result struct {
	// Live is the set as it is; nil if there is none.
	Live *v1alpha1.PodCliqueSet
	// Set is as it would be; nil if it was refused.
	Set *v1alpha1.PodCliqueSet
	// ServerSide tells how it was applied.
	ServerSide bool
	// Conflicts are fields that others own and the file would change. They are refused unless conflicts are forced.
	Conflicts []Conflict
	// Forced tells whether they were.
	Forced bool
	// Refused says what admission has against it; empty if nothing.
	Refused string
}

// Conflict is a field that another manager owns.
type Conflict struct {
	Field   string `json:"field"`
	Manager string `json:"manager"`
}

// Apply applies a set in a dry run. The error is of what kept it from being tried.
func Apply(ctx context.Context, sets groveclient.PodCliqueSetInterface, document manifest.Document, o Options) (Result, error) {
	result := Result{Forced: o.ForceConflicts}
	live, err := sets.Get(ctx, document.GetName(), metav1.GetOptions{})
	if err == nil {
		result.Live = live
	} else if !apierrors.IsNotFound(err) {
		return result, err
	}
	result.ServerSide = ptr.Deref(o.ServerSide, result.Live == nil || !appliedByClient(live))
	data, err := document.MarshalJSON()
	if err != nil {
		return result, fmt.Errorf("%s: %w", document.From, err)
	}
	if !result.ServerSide && result.Live != nil {
		result.Set, err = mergeByClient(ctx, sets, live, data)
	} else {
		err = result.applyByServer(ctx, sets, document.GetName(), data, o)
	}
	if refusal(err) {
		result.Set, result.Refused = nil, err.Error()
		return result, nil
	}
	return result, err
}

// refusal tells whether the API server has understood, and says no to what was asked, rather than to who asks.
func refusal(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsForbidden(err) && !strings.Contains(err.Error(), "is forbidden: User ")
}

// appliedByClient tells whether an object was applied by kubectl apply without --server-side the last time.
func appliedByClient(live *v1alpha1.PodCliqueSet) bool {
	return live.Annotations[corev1.LastAppliedConfigAnnotation] != ""
}

// applyByServer applies as kubectl apply --server-side does. Fields that kubectl apply has set without it are the same person's; kubectl
// takes them over by itself.
func (r *Result) applyByServer(ctx context.Context, sets groveclient.PodCliqueSetInterface, name string, data []byte, o Options) error {
	options := metav1.PatchOptions{
		DryRun: []string{metav1.DryRunAll}, FieldManager: o.FieldManager, FieldValidation: metav1.FieldValidationStrict, Force: ptr.To(false),
	}
	set, err := sets.Patch(ctx, name, types.ApplyPatchType, data, options)
	if apierrors.IsConflict(err) {
		r.Conflicts = conflictsOf(err)
		options.Force = ptr.To(true)
		set, err = sets.Patch(ctx, name, types.ApplyPatchType, data, options)
	}
	if err == nil {
		r.Set = set
	}
	return err
}

// conflictsOf reads the conflicts out of the API server's answer.
func conflictsOf(err error) []Conflict {
	status, ok := err.(apierrors.APIStatus)
	if !ok || status.Status().Details == nil {
		return nil
	}
	var conflicts []Conflict
	for _, cause := range status.Status().Details.Causes {
		if cause.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		// The message is: conflict with "MANAGER" using VERSION.
		manager := cause.Message
		if _, rest, found := strings.Cut(cause.Message, `"`); found {
			manager, _, _ = strings.Cut(rest, `"`)
		}
		if manager != clientSide {
			conflicts = append(conflicts, Conflict{Field: strings.TrimPrefix(cause.Field, "."), Manager: cmp.Or(manager, "another manager")})
		}
	}
	return conflicts
}

// mergeByClient applies as kubectl apply does without --server-side: fields that the last configuration had and this one hasn't go.
func mergeByClient(ctx context.Context, sets groveclient.PodCliqueSetInterface, live *v1alpha1.PodCliqueSet, data []byte) (*v1alpha1.PodCliqueSet, error) {
	current, err := json.Marshal(live)
	if err != nil {
		return nil, err
	}
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch([]byte(live.Annotations[corev1.LastAppliedConfigAnnotation]), data, current)
	if err != nil {
		return nil, fmt.Errorf("merging with what was applied last: %w", err)
	}
	return sets.Patch(ctx, live.Name, types.MergePatchType, patch, metav1.PatchOptions{
		DryRun: []string{metav1.DryRunAll}, FieldManager: clientSide, FieldValidation: metav1.FieldValidationStrict,
	})
}
