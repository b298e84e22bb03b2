package main

import (
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"grove.io/grove/cmd/kubectl-grove/internal/cli"
	"grove.io/grove/cmd/kubectl-grove/internal/verbs"
)

// newRoot is the command with all its verbs.
func newRoot(env *cli.Env) *cobra.Command {
	root := &cobra.Command{
		Use:   "kubectl-grove",
		Short: "Look at PodCliqueSets, ask why they wait, and change them with care",
		Long: `Look at PodCliqueSets, ask why they wait, and change them with care.

Exit codes are as kubectl's: 0, or 1 after an error, unless a verb says more.
Colours are used on a terminal only, and not where NO_COLOR is set.

Completion of "kubectl grove", names of sets included, needs a file kubectl_complete-grove on the PATH, executable, of these two lines:

  #!/bin/sh
  kubectl grove __complete "$@"`,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl grove"},
		SilenceUsage:  true,
		SilenceErrors: true,
		// What the client libraries log is said by errors, too.
		PersistentPreRun: func(*cobra.Command, []string) { klog.SetOutput(env.ErrOut); klog.LogToStderr(false) },
	}
	root.SetIn(env.In)
	root.SetOut(env.Out)
	root.SetErr(env.ErrOut)
	env.Config.AddFlags(root.PersistentFlags())
	env.RegisterCompletions(root)
	root.AddCommand(commands(env)...)
	return root
}

// commands are the verbs.
func commands(env *cli.Env) []*cobra.Command {
	return []*cobra.Command{
		verbs.Tree(env),
		verbs.Plan(env),
		verbs.Fit(env),
		verbs.Why(env),
		verbs.Rollout(env),
		verbs.Scale(env),
		verbs.Top(env),
	}
}
