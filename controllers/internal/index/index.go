// Package index finds objects in caches by what they belong to.
package index

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
)

// controller is the name of the index by the UID of an object's controller.
const controller = "controller"

// orphan is the name of the index of objects without a controller, by the name of an object that may adopt them.
const orphan = "orphan"

// ByController are the indexers of a cache whose objects are looked up with Controlled.
var ByController = cache.Indexers{controller: controllerUID}

// labelled is the name of the index by a label.
const labelled = "labelled"

// WithLabel are the indexers of a cache whose objects are looked up with Labelled by the value of a label.
func WithLabel(label string) cache.Indexers {
	return cache.Indexers{labelled: func(obj any) ([]string, error) {
		object, ok := obj.(metav1.Object)
		if !ok || object.GetLabels()[label] == "" {
			return nil, nil
		}
		return []string{object.GetNamespace() + "/" + object.GetLabels()[label]}, nil
	}}
}

// node is the name of the index of pods by the node that they are bound to.
const node = "node"

// ByNode are the indexers of a cache of pods that are looked up with OnNode.
var ByNode = cache.Indexers{node: func(obj any) ([]string, error) {
	pod, ok := obj.(*corev1.Pod)
	if !ok || pod.Spec.NodeName == "" {
		return nil, nil
	}
	return []string{pod.Spec.NodeName}, nil
}}

// OnNode returns the pods in a cache that are bound to a node.
func OnNode(indexer cache.Indexer, name string) []*corev1.Pod {
	return found[*corev1.Pod](indexer, node, name)
}

// ByLabel are the indexers of a cache whose objects are looked up with Controlled, and with Orphans by the value of a label.
func ByLabel(label string) cache.Indexers {
	return cache.Indexers{controller: controllerUID, orphan: func(obj any) ([]string, error) {
		object, ok := obj.(metav1.Object)
		if !ok || metav1.GetControllerOfNoCopy(object) != nil || object.GetLabels()[label] == "" {
			return nil, nil
		}
		return []string{object.GetNamespace() + "/" + object.GetLabels()[label]}, nil
	}}
}

// Orphans returns the objects in a cache that have no controller, and bear the owner's name in the label that the cache has an index of.
func Orphans[T any](indexer cache.Indexer, owner metav1.Object) []T {
	return found[T](indexer, orphan, owner.GetNamespace()+"/"+owner.GetName())
}

// Family returns the objects in a cache that the owner controls, and those that it may adopt.
func Family[T any](indexer cache.Indexer, owner metav1.Object) []T {
	return append(Controlled[T](indexer, owner.GetUID()), Orphans[T](indexer, owner)...)
}

func controllerUID(obj any) ([]string, error) {
	object, ok := obj.(metav1.Object)
	if !ok {
		return nil, nil
	}
	ref := metav1.GetControllerOfNoCopy(object)
	if ref == nil {
		return nil, nil
	}
	return []string{string(ref.UID)}, nil
}

// Controlled returns the objects in a cache whose controller is the owner. They are the cache's own: don't change them.
func Controlled[T any](indexer cache.Indexer, owner types.UID) []T {
	return found[T](indexer, controller, string(owner))
}

func found[T any](indexer cache.Indexer, name, value string) []T {
	// The only error is an index that the cache wasn't given, a mistake of the program's that any test finds.
	all, err := indexer.ByIndex(name, value)
	if err != nil {
		panic(err)
	}
	objects := make([]T, 0, len(all))
	for _, obj := range all {
		if object, ok := obj.(T); ok {
			objects = append(objects, object)
		}
	}
	return objects
}

// Labelled returns the objects in a cache of one namespace that bear a value in the label that the cache has an index of.
func Labelled[T any](indexer cache.Indexer, namespace, value string) []T {
	return found[T](indexer, labelled, namespace+"/"+value)
}

// Named are objects by name.
func Named[T metav1.Object](objects []T) map[string]T {
	named := make(map[string]T, len(objects))
	for _, object := range objects {
		named[object.GetName()] = object
	}
	return named
}

// ControllerKey returns the key of an object's controller, if that is of a kind.
func ControllerKey(kind string, object metav1.Object) []cache.ObjectName {
	ref := metav1.GetControllerOfNoCopy(object)
	if ref == nil || ref.Kind != kind {
		return nil
	}
	return []cache.ObjectName{cache.NewObjectName(object.GetNamespace(), ref.Name)}
}

// Keys returns the keys of objects.
func Keys[T metav1.Object](objects []T) []cache.ObjectName {
	keys := make([]cache.ObjectName, 0, len(objects))
	for _, object := range objects {
		keys = append(keys, cache.MetaObjectToName(object))
	}
	return keys
}
