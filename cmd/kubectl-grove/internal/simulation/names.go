package simulation

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// NamesOf are the names of pods, in their order.
func NamesOf(pods []*corev1.Pod) []string {
	var names []string
	for _, pod := range pods {
		names = append(names, pod.Name)
	}
	slices.Sort(names)
	return names
}

// Ranges writes names that differ only in a number at their end as one: web-0-[0-3,5].
func Ranges(names []string) []string {
	numbers, prefixes := map[string][]int{}, []string{}
	var others []string
	for _, name := range names {
		prefix, last, found := cutLast(name)
		number, err := strconv.Atoi(last)
		if !found || err != nil {
			others = append(others, name)
			continue
		}
		if numbers[prefix] == nil {
			prefixes = append(prefixes, prefix)
		}
		numbers[prefix] = append(numbers[prefix], number)
	}
	var all []string
	for _, prefix := range prefixes {
		all = append(all, prefix+"-"+rangesOf(numbers[prefix]))
	}
	all = append(all, others...)
	slices.SortStableFunc(all, cmp.Compare[string])
	return all
}

func cutLast(name string) (prefix, last string, found bool) {
	at := strings.LastIndex(name, "-")
	if at < 0 {
		return name, "", false
	}
	return name[:at], name[at+1:], true
}

// rangesOf writes numbers as [0-3,5], one alone as itself.
func rangesOf(numbers []int) string {
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	var parts []string
	for i := 0; i < len(numbers); {
		end := i
		for end+1 < len(numbers) && numbers[end+1] == numbers[end]+1 {
			end++
		}
		if end > i {
			parts = append(parts, fmt.Sprintf("%d-%d", numbers[i], numbers[end]))
		} else {
			parts = append(parts, strconv.Itoa(numbers[i]))
		}
		i = end + 1
	}
	if len(numbers) == 1 {
		return parts[0]
	}
	return "[" + strings.Join(parts, ",") + "]"
}
