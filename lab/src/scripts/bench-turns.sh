# The floor of the benchmark: the same measurement on a device that no guest has. It takes turns with the guest's, run by run, so
# that the machine is as fast or slow for a run of the guest as for the floor's run beside it.
#
# Both do the same: before each run, before they fill the container, and before their end they say "LAB turn" and wait for a
# line. So each of them is idle, asleep in a read, while the other one works. The guest goes first; the floor is one run behind.

# Where both are spoken to.
ways=/run/turns

# A floor that is silent for this many seconds is ended.
FLOOR_SILENCE=600

# make_ways: new pipes for one life: what is typed on the guest's console, what the floor is told, and what it says. This script
# holds both ends of the first two, so that nobody waits for another to open them.
make_ways() {
    mkdir -p "$ways"
    rm -f "$ways/guest" "$ways/floor" "$ways/said"
    mkfifo "$ways/guest" "$ways/floor" "$ways/said"
    exec 8<>"$ways/guest" 7<>"$ways/floor"
    floor=
}

# turn: the guest waits. The floor does what the guest has just done, then the guest has its turn.
turn() {
    if [ -z "$floor" ]; then start_floor; else floor_turn; fi
    echo go >&8
}

# The floor runs where the guest's processor does, which is idle meanwhile. It must not hold the writing end of its own pipe: so
# it ends by itself when this script does.
start_floor() {
    taskset 1 rig map-bench --device "$E1000E" $measured --json --turns "$ways/said" \
        <"$ways/floor" >"$ways/said" 2>&1 7>&- 8>&- &
    floor=$!
    exec 6<"$ways/said"
    hear_floor
}

floor_turn() {
    [ "$floor" = gone ] && return
    echo go >&7
    hear_floor
}

# hear_floor: waits until the floor wants its next turn, or has told its figures. Anything else is its failure, without which
# the guest goes on.
hear_floor() {
    said=
    read -r -t $FLOOR_SILENCE said <&6
    case "$said" in
        "LAB turn") ;;
        "{"*) tell beside "$said" ;;
        *)
            tell fail "the floor beside $name ended: ${said:-it said nothing}"
            end_floor
            floor=gone
            ;;
    esac
}

# finish_floor: the guest has told its figures, and the floor waits with its own.
finish_floor() {
    [ -z "$floor" ] || floor_turn
    end_floor
}

# end_floor: whatever it is doing. The next life needs its device.
end_floor() {
    case "$floor" in "" | gone) return ;; esac
    kill -9 "$floor" 2>/dev/null
    wait "$floor" 2>/dev/null
    exec 6<&-
    floor=
}
