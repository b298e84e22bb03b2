package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// Output is the flag -o of a verb.
type Output struct {
	format  string
	formats []string
}

// AddOutput gives a command the flag -o, for json and yaml and maybe more formats of its own.
func AddOutput(cmd *cobra.Command, more ...string) *Output {
	o := &Output{formats: append([]string{"json", "yaml"}, more...)}
	cmd.Flags().StringVarP(&o.format, "output", "o", "", "Output format: "+strings.Join(o.formats, ", ")+"; text for people by default")
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(o.formats, cobra.ShellCompDirectiveNoFileComp)))
	return o
}

// Is tells whether a format was asked for.
func (o *Output) Is(format string) bool { return o.format == format }

// Validate refuses unknown formats; call it before anything is asked of the cluster.
func (o *Output) Validate() error {
	if o.format != "" && !slices.Contains(o.formats, o.format) {
		return fmt.Errorf("unknown output format %q: use one of %s", o.format, strings.Join(o.formats, ", "))
	}
	return nil
}

// Print writes a value as JSON or YAML; it reports whether one of these was asked for.
func (o *Output) Print(w io.Writer, value any) (bool, error) {
	switch o.format {
	case "json":
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "    ")
		return true, encoder.Encode(value)
	case "yaml":
		data, err := yaml.Marshal(value)
		if err != nil {
			return true, err
		}
		_, err = w.Write(data)
		return true, err
	}
	return false, nil
}
