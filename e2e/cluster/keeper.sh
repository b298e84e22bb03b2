# Waits until its standard input ends, which happens when the process that started the cluster closes it or dies in
# whatever way; then ends every process whose id is in a .pid file of the cluster's directory, and removes the directory.
trap '' INT TERM HUP
dir=$1
cat >/dev/null

# A pid may have been reused: where /proc tells, only a process that names the directory counts.
alive() {
	kill -0 "$1" 2>/dev/null && { [ ! -d /proc/self ] || grep -qF -- "$dir" "/proc/$1/cmdline" 2>/dev/null; }
}

# Kills the processes of the given .pid files, and waits up to 5 s until they are gone.
end() {
	pids=
	for file; do
		[ -r "$file" ] && pids="$pids $(cat "$file")"
	done
	for pid in $pids; do
		alive "$pid" && kill -KILL "$pid"
	done
	rounds=50
	for pid in $pids; do
		while alive "$pid" && [ $rounds -gt 0 ]; do
			rounds=$((rounds - 1))
			sleep 0.1
		done
	done
}

end "$dir"/pids/*.pid               # kwokctl and operators first, so that nothing new is started
end "$dir"/clusters/*/pids/*.pid
rm -rf "$dir"
