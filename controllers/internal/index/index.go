// Package index finds objects in caches by what they belong to.
package index

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
)

// controller is the name of the index by the UID of an object's controller.
const controller = "controller"

// ByController are the indexers of a cache whose objects are looked up with Controlled.
var ByController = cache.Indexers{controller: controllerUID}

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
	// The only error is an index that the cache wasn't given, a mistake of the program's that any test finds.
	found, err := indexer.ByIndex(controller, string(owner))
	if err != nil {
		panic(err)
	}
	objects := make([]T, 0, len(found))
	for _, obj := range found {
		if object, ok := obj.(T); ok {
			objects = append(objects, object)
		}
	}
	return objects
}

// Named returns the objects in a cache whose controller is the owner, by name.
func Named[T metav1.Object](indexer cache.Indexer, owner types.UID) map[string]T {
	named := map[string]T{}
	for _, object := range Controlled[T](indexer, owner) {
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
