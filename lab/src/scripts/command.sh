# Programs that run in the lab host itself. What they say goes to the console line by line, as a guest's words do.
#
# Nothing here looks again and again: a program of the shell takes an emulated processor for 5 to 20 ms, from what is measured.

# Seconds between two words that a step still runs.
STILL_RUNS=10
# Seconds that a program has left once it was asked to end; nobody else ends it, as long as the clock strikes.
KILL_AFTER=30
# Where what is said goes on its way.
heard=/run/heard

# command_step NAME LIMIT SHELL_TEXT: runs anything in the lab host for at most LIMIT seconds.
command_step() {
    name=$1
    begin || return 0
    mark step "$name"
    run_aloud "$2" "$3"
    cat "$heard/console" >"$out/console"
    cat "$heard/stderr" >"$out/stderr"
    fact exit "$status"
    finish
    mark step-end "$name"
}

# run_aloud LIMIT SHELL_TEXT: leaves all that was said in $heard/console and $heard/stderr, and how it ended in $status.
run_aloud() {
    rm -rf "$heard"
    mkdir -p "$heard"
    mkfifo "$heard/said"
    : >"$heard/console"
    exec 9<>"$heard/said"
    (
        timeout -k $KILL_AFTER "$1" sh -c "$2" </dev/null 2>"$heard/stderr"
        echo "@lab-ended $?"
    ) >&9 9>&- &
    (while sleep $STILL_RUNS; do echo "@lab-runs"; done) >&9 9>&- &
    clock=$!
    relay_said <&9
    kill "$clock" 2>/dev/null
    exec 9<&-
}

# relay_said: until the program has ended. Its own words may end without a new line, and the clock's come at any time.
relay_said() {
    quiet=0
    begun=
    while IFS= read -r line; do
        case "$line" in
            *"@lab-runs")
                begun=$begun${line%"@lab-runs"}
                [ $quiet = 0 ] || mark waiting "$name" $quiet
                quiet=$((quiet + STILL_RUNS))
                ;;
            *"@lab-ended "*)
                status=${line##*"@lab-ended "}
                line=$begun${line%"@lab-ended "*}
                [ -z "$line" ] || said
                return
                ;;
            *)
                line=$begun$line
                begun=
                quiet=0
                said
                ;;
        esac
    done
}

said() {
    printf '%s\n' "$line" >>"$heard/console"
    printf '@l2 %s\n' "$line"
}
