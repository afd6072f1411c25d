# Hooks of host.sh for guests that ask to be halted or ended: suspend, resume and stop over the control socket, and a signal.

# Longer than a guest's watchdog for stuck processors sleeps: 20 s.
HALT_SECONDS=30

control() { mixvm "$1" /run/vm.sock || fact control-failed "$1"; }

# Processor time of the VMM's threads that run the guest, in hundredths of a second.
vcpu_time() { cat "/proc/$(cat /run/pid)"/task/*/stat | awk '$2 ~ /^\(vcpu/ { sum += $14 + $15 } END { print sum + 0 }'; }

halt_machine() {
    time=$(vcpu_time)
    sleep 3
    fact vcpu-time-running $(($(vcpu_time) - time))
    control suspend
    control suspend
    time=$(vcpu_time)
    bytes=$(wc -c </run/console)
    sleep $HALT_SECONDS
    fact vcpu-time-halted $(($(vcpu_time) - time))
    fact console-halted $(($(wc -c </run/console) - bytes))
    mixvm viommu show /run/vm.sock --json --mappings >"$out/viommu.halted" || fact control-failed "viommu show"
    fact pinned-halted $(($(pinned_pages) - pinned))
    beats=$(grep -c '^LAB beat' /run/console)
    control resume
    control resume
    until_true 60 more_beats "$beats" || fact control-failed "resume: the guest shows no life"
    mark halted "$name"
    echo go >&8
}

more_beats() { [ "$(grep -c '^LAB beat' /run/console)" -gt $(($1 + 2)) ]; }

# do_as_asked: once for each wish.
do_as_asked() {
    if [ -z "$was_halted" ] && grep -q '^LAB halt-me' /run/console; then
        was_halted=1
        halt_machine
    elif [ -z "$was_stopped" ] && grep -q '^LAB stop-me' /run/console; then
        was_stopped=1
        control suspend
        control stop
    elif [ -z "$was_stopped" ] && grep -q '^LAB terminate-me' /run/console; then
        was_stopped=1
        kill -TERM "$(cat /run/pid)"
    fi
}
