package tree

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"grove.io/grove/cmd/kubectl-grove/view"
)

// Painter colours words by how good what they say is, or leaves them as they are.
type Painter func(view.Mood, string) string

// Plain leaves words as they are.
func Plain(_ view.Mood, words string) string { return words }

// row is a line of the table before its columns have their widths.
type row struct {
	cells [5]string
	mood  view.Mood
}

// Lines are trees as a table, with a head. Paint colours statuses.
func Lines(nodes []Node, now time.Time, paint Painter) []string {
	rows := []row{{cells: [5]string{"NAME", "READY", "STATUS", "NODE", "SINCE"}, mood: view.Good}}
	for _, node := range nodes {
		rows = append(rows, rowsOf(node, "", "", now)...)
	}
	var widths [5]int
	for _, row := range rows {
		for i, cell := range row.cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var lines []string
	for n, row := range rows {
		var line strings.Builder
		for i, cell := range row.cells {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == statusColumn && n > 0 {
				cell = paint(row.mood, cell)
			}
			line.WriteString(cell + padding + "   ")
		}
		lines = append(lines, strings.TrimRight(line.String(), " "))
	}
	return lines
}

const statusColumn = 2

// rowsOf are a node and its parts. Branch is what leads to the node itself, trunk what leads past it to its parts.
func rowsOf(node Node, branch, trunk string, now time.Time) []row {
	ready := fmt.Sprintf("%d/%d", node.Ready, node.Total)
	if !node.isPod() {
		ready = bar(node.Ready, node.Total) + " " + ready
	}
	rows := []row{{cells: [5]string{branch + node.Name, ready, node.Status, node.Node, age(node.Since, now)}, mood: node.Mood}}
	for i, part := range node.Parts {
		if i < len(node.Parts)-1 {
			rows = append(rows, rowsOf(part, trunk+"├─ ", trunk+"│  ", now)...)
		} else {
			rows = append(rows, rowsOf(part, trunk+"└─ ", trunk+"   ", now)...)
		}
	}
	return rows
}

// bar draws a share of 10 characters.
func bar(part, whole int) string {
	const width = 10
	filled := width
	if whole > 0 {
		filled = min(width, width*part/whole)
	}
	return strings.Repeat("█", filled) + strings.Repeat("░", width-filled)
}

// Summary is a set in one line.
func Summary(v *view.View) string {
	wanted, ready := v.PodCounts()
	return fmt.Sprintf("PodCliqueSet %s: %s, %d of %d replicas available; %d PodGangs, %d PodCliques, %d PodCliqueScalingGroups; %d pods, %d of %d ready",
		v.Set.Name, phaseWord(string(v.Set.Status.Phase)), v.Set.Status.AvailableReplicas, v.Set.Spec.Replicas,
		len(v.Gangs), len(v.Cliques), len(v.Groups), len(v.Pods), ready, wanted)
}
