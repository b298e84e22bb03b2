package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// ticksPerSecond is the unit of times in /proc/PID/stat, the same on every platform that Kubernetes runs on.
const ticksPerSecond = 100

// cpuTime is how long a process has used a processor, in user and system mode.
func cpuTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The second field, the program's name in parentheses, may contain spaces.
	_, rest, ok := bytes.Cut(stat, []byte(") "))
	fields := bytes.Fields(rest)
	const utime, stime = 14 - 3, 15 - 3 // proc(5) counts from 1, and these follow the second
	if !ok || len(fields) <= stime {
		return 0, fmt.Errorf("/proc/%d/stat is not as expected: %s", pid, stat)
	}
	user, userErr := strconv.ParseInt(string(fields[utime]), 10, 64)
	system, systemErr := strconv.ParseInt(string(fields[stime]), 10, 64)
	return time.Duration(user+system) * time.Second / ticksPerSecond, errors.Join(userErr, systemErr)
}

// resetPeakMemory lets peakMemory begin anew.
func resetPeakMemory(pid int) error {
	const peakOnly = "5" // proc_pid_clear_refs(5)
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte(peakOnly), 0)
}

// peakMemory is the largest resident set of a process so far, in bytes.
func peakMemory(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, ok := bytes.Cut(status, []byte("\nVmHWM:"))
	fields := bytes.Fields(rest)
	if !ok || len(fields) == 0 {
		return 0, fmt.Errorf("/proc/%d/status has no VmHWM", pid)
	}
	kilobytes, err := strconv.ParseInt(string(fields[0]), 10, 64)
	return kilobytes << 10, err
}
