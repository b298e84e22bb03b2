package apply

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/cache"

	"grove.io/grove/apis/grove/v1alpha1"
)

// CollectionClient is the part of a typed client that deletes many objects with one request.
type CollectionClient interface {
	DeleteCollection(ctx context.Context, options metav1.DeleteOptions, list metav1.ListOptions) error
}

// mostSpared bounds how many names a request can leave out, which makes it longer. Beyond it, garbage collection does the work.
const mostSpared = 100

// Spared are the names of the objects in a cache of one namespace that are labelled as a set's, and aren't to go with it, in their order.
func Spared(store cache.Indexer, namespace, set string, goes func(metav1.Object) bool) []string {
	var spared []string
	for _, obj := range store.List() {
		object, ok := obj.(metav1.Object)
		if ok && object.GetNamespace() == namespace && object.GetLabels()[v1alpha1.LabelPodCliqueSet] == set && !goes(object) {
			spared = append(spared, object.GetName())
		}
	}
	slices.Sort(spared)
	return spared
}

// DeleteCollection is DeleteCollections of all that is labelled as a set's, with one request.
func DeleteCollection(ctx context.Context, client CollectionClient, set string, spare []string) error {
	return DeleteCollections(ctx, client, set, []labels.Selector{labels.Everything()}, spare)
}

// DeleteCollections deletes the children of a set that some selectors match besides, with a request for each selector, all at
// a time. Objects with the names to spare stay. Garbage collection would delete them too, one by one and slowly.
func DeleteCollections(ctx context.Context, client CollectionClient, set string, selectors []labels.Selector, spare []string) error {
	if len(spare) > mostSpared {
		return nil
	}
	var others []fields.Selector
	for _, name := range spare {
		others = append(others, fields.OneTermNotEqualSelector(metav1.ObjectNameField, name))
	}
	but := fields.AndSelectors(others...).String()
	ofSet, _ := labels.Set{v1alpha1.LabelPodCliqueSet: set, v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}.AsSelector().Requirements()
	return Each(ctx, len(selectors), selectors, func(selector labels.Selector) error {
		selector = selector.Add(ofSet...)
		err := client.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: selector.String(), FieldSelector: but})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("deleting what is labelled %s: %w", selector, err)
		}
		return nil
	})
}
