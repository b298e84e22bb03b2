package cli

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
)

// completionTimeout is how long a person who has pressed the tab key may wait.
const completionTimeout = 3 * time.Second

// RegisterCompletions completes the values of flags that all verbs have: contexts, clusters and users of the kubeconfig, and namespaces.
func (e *Env) RegisterCompletions(root *cobra.Command) {
	fromKubeconfig := func(names func() []string) cobra.CompletionFunc {
		return func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
			return startingWith(typed, names()), cobra.ShellCompDirectiveNoFileComp
		}
	}
	kubeconfig := e.Config.Load
	cobra.CheckErr(root.RegisterFlagCompletionFunc("context", fromKubeconfig(func() []string {
		config, _ := kubeconfig().RawConfig()
		return slices.Collect(maps.Keys(config.Contexts))
	})))
	cobra.CheckErr(root.RegisterFlagCompletionFunc("cluster", fromKubeconfig(func() []string {
		config, _ := kubeconfig().RawConfig()
		return slices.Collect(maps.Keys(config.Clusters))
	})))
	cobra.CheckErr(root.RegisterFlagCompletionFunc("user", fromKubeconfig(func() []string {
		config, _ := kubeconfig().RawConfig()
		return slices.Collect(maps.Keys(config.AuthInfos))
	})))
	cobra.CheckErr(root.RegisterFlagCompletionFunc("namespace", e.completion(func(ctx context.Context, clients *Clients) ([]string, error) {
		list, err := clients.Core.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		return namesOf(list.Items), nil
	})))
}

// CompleteSets completes the first argument by the names of PodCliqueSets.
func (e *Env) CompleteSets(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return e.completion(func(ctx context.Context, clients *Clients) ([]string, error) {
		list, err := clients.Grove.GroveV1alpha1().PodCliqueSets(clients.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		return namesOf(list.Items), nil
	})(cmd, args, typed)
}

// SetName is the name of a set as kubectl takes it, such as pcs/web.
func SetName(arg string) string {
	_, name := KindAndName(arg)
	return name
}

// KindAndName divides an argument such as pg/web-0; the kind is empty where none is said.
func KindAndName(arg string) (kind, name string) {
	if kind, name, divided := strings.Cut(arg, "/"); divided {
		return kind, name
	}
	return "", arg
}

// CompleteFlag completes the values of a flag by what a set has, which is the command's argument.
func (e *Env) CompleteFlag(cmd *cobra.Command, flag string, values func(*v1alpha1.PodCliqueSet) []string) {
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return e.completion(func(ctx context.Context, clients *Clients) ([]string, error) {
			set, err := clients.Grove.GroveV1alpha1().PodCliqueSets(clients.Namespace).Get(ctx, SetName(args[0]), metav1.GetOptions{})
			if err != nil {
				return nil, err
			}
			return values(set), nil
		})(cmd, args, typed)
	}))
}

// completion completes by what a cluster has, and by nothing if that can't be known.
func (e *Env) completion(names func(context.Context, *Clients) ([]string, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		ctx := cmd.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		ctx, cancel := context.WithTimeout(ctx, completionTimeout)
		defer cancel()
		clients, err := e.Connect()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		found, err := names(ctx, clients)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return startingWith(typed, found), cobra.ShellCompDirectiveNoFileComp
	}
}

func namesOf[T any, P interface {
	*T
	metav1.Object
}](items []T) []string {
	var names []string
	for i := range items {
		names = append(names, P(&items[i]).GetName())
	}
	return names
}

func startingWith(typed string, names []string) []string {
	slices.Sort(names)
	return slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, typed) })
}
