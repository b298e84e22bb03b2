package crds_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"

	"grove.io/grove/crds"
)

// maxSize keeps a CustomResourceDefinition well below what etcd and the API server take in one request.
const maxSize = 512 << 10

// Ceilings of what the API server estimates when a CustomResourceDefinition is created, in units of CEL's cost: its own
// for one expression, and half of its own for all of them, so that there is room for more.
const (
	maxExpressionCost = validation.StaticEstimatedCostLimit
	maxTotalCost      = validation.StaticEstimatedCRDCostLimit / 2
)

func TestSize(t *testing.T) {
	paths, err := filepath.Glob("*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > maxSize {
			t.Errorf("%s has %d bytes, more than %d", path, info.Size(), maxSize)
		}
	}
}

func TestAll(t *testing.T) {
	all, err := crds.All()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, crd := range all {
		names = append(names, crd.Name)
		if n := len(crd.Spec.Versions); n != 1 || !crd.Spec.Versions[0].Storage || !crd.Spec.Versions[0].Served {
			t.Errorf("%s: want one version, served and stored, got %d", crd.Name, n)
		}
		if crd.Spec.Conversion != nil {
			t.Errorf("%s: want no conversion, got %v", crd.Name, crd.Spec.Conversion)
		}
	}
	want := []string{"podcliques.grove.io", "podcliquescalinggroups.grove.io", "podcliquesets.grove.io", "podgangs.grove.io"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestStaticChecks does what the API server does to a CustomResourceDefinition that is created.
func TestStaticChecks(t *testing.T) {
	for _, crd := range internalCRDs(t) {
		if errs := validation.ValidateCustomResourceDefinition(t.Context(), crd); len(errs) > 0 {
			t.Errorf("%s: %v", crd.Name, errs.ToAggregate())
		}
	}
}

// TestStaticCosts logs the estimates for each rule and its message (with -v).
func TestStaticCosts(t *testing.T) {
	for _, crd := range internalCRDs(t) {
		schema := rootSchema(crd)
		costs := staticCosts{T: t}
		costs.add(schema, validation.RootCELContext(schema), nil)
		t.Logf("%9d           %s in all", costs.total, crd.Name)
		if costs.total > maxTotalCost {
			t.Errorf("%s: all rules together are estimated to cost %d, more than %d", crd.Name, costs.total, uint64(maxTotalCost))
		}
	}
}

// staticCosts sums up estimates of rules and their messages.
type staticCosts struct {
	*testing.T
	total uint64
}

func (c *staticCosts) add(schema *apiextensions.JSONSchemaProps, context *validation.CELSchemaContext, path *field.Path) {
	c.addRules(schema, context, path)
	for name, property := range schema.Properties {
		c.add(&property, context.ChildPropertyContext(&property, name), path.Child(name))
	}
	if items := schema.Items; items != nil && items.Schema != nil {
		c.add(items.Schema, context.ChildItemsContext(items.Schema), path.Key(""))
	}
	if values := schema.AdditionalProperties; values != nil && values.Schema != nil {
		c.add(values.Schema, context.ChildAdditionalPropertiesContext(values.Schema), path.Key(""))
	}
}

func (c *staticCosts) addRules(schema *apiextensions.JSONSchemaProps, context *validation.CELSchemaContext, path *field.Path) {
	if len(schema.XValidations) == 0 {
		return
	}
	if context.MaxCardinality == nil {
		c.Fatalf("%s: a rule in something that has no maximum size", path)
	}
	for i, result := range c.compile(context) {
		rule, message := result.MaxCost**context.MaxCardinality, result.MessageExpressionMaxCost
		c.Logf("%9d %9d %s: %.80s", rule, message, path, schema.XValidations[i].Rule)
		if max(rule, message) > maxExpressionCost {
			c.Errorf("%s: %s: estimated to cost %d, its message %d, more than %d",
				path, schema.XValidations[i].Rule, rule, message, uint64(maxExpressionCost))
		}
		c.total += rule + message
	}
}

func (c *staticCosts) compile(context *validation.CELSchemaContext) []cel.CompilationResult {
	info, err := context.TypeInfo()
	if err != nil {
		c.Fatal(err)
	}
	environments := environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion())
	results, err := cel.Compile(info.Schema, info.DeclType, celconfig.PerCallLimit, environments, cel.NewExpressionsEnvLoader())
	if err != nil {
		c.Fatal(err)
	}
	return results
}

// internalCRDs are the CustomResourceDefinitions in the form in which the API server validates them.
func internalCRDs(t testing.TB) []*apiextensions.CustomResourceDefinition {
	t.Helper()
	all, err := crds.All()
	if err != nil {
		t.Fatal(err)
	}
	internal := make([]*apiextensions.CustomResourceDefinition, len(all))
	for i, crd := range all {
		apiextensionsv1.SetDefaults_CustomResourceDefinition(crd)
		apiextensionsv1.SetDefaults_CustomResourceDefinitionSpec(&crd.Spec)
		internal[i] = &apiextensions.CustomResourceDefinition{}
		if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(crd, internal[i], nil); err != nil {
			t.Fatal(err)
		}
	}
	return internal
}

func rootSchema(crd *apiextensions.CustomResourceDefinition) *apiextensions.JSONSchemaProps {
	return crd.Spec.Validation.OpenAPIV3Schema
}
