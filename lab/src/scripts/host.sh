# What a job in the lab host is made of. Results go to /lab/out/NAME/, progress to the console as "@lab" lines.

mark() { echo "@lab $*"; }
now() { cut -d. -f1 /proc/uptime; }
fact() { echo "$*" >>"$out/facts"; }

# assign BDF: hands a function to vfio-pci.
assign() {
    node="/sys/bus/pci/devices/$1"
    echo vfio-pci >"$node/driver_override"
    [ -e "$node/driver" ] && echo "$1" >"$node/driver/unbind"
    echo "$1" >/sys/bus/pci/drivers_probe
    group=$(group_of "$1")
    mark assigned "$1" group "$group"
    { echo "bdf $1"; echo "group $group"; sed 's/^/reserved /' "/sys/kernel/iommu_groups/$group/reserved_regions"; } \
        >>/lab/out/assigned
    [ -c "/dev/vfio/$group" ] || mark fail "no /dev/vfio/$group for $1"
}

# free GROUP: a group's node can be opened only while nobody else has it open.
free() { (exec 9<>"/dev/vfio/$1") 2>/dev/null; }

# Pages that VFIO (or anybody) holds. The counters live per processor until they are gathered.
pinned_pages() {
    echo 1 >/proc/sys/vm/stat_refresh
    awk '$1 == "nr_foll_pin_acquired" { a = $2 } $1 == "nr_foll_pin_released" { r = $2 } END { print a - r }' /proc/vmstat
}

# memory_to_give: in KiB. Pages of 4 KiB that were freed wait on lists of each processor, where MemAvailable does not count
# them: 8 MiB more or less from one moment to the next, now that guests have huge pages.
memory_to_give() {
    waiting=$(awk '$1 == "count:" { sum += $2 } END { print sum + 0 }' /proc/zoneinfo)
    echo $(($(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo) + 4 * waiting))
}

locked_kib() { cat /proc/[0-9]*/status 2>/dev/null | awk '$1 == "VmLck:" { sum += $2 } END { print sum + 0 }'; }

# observe: what the running VMM says about its virtual IOMMU while the guest waits.
observe() {
    timeout 30 mixvm viommu show /run/vm.sock --json >"$out/viommu.json" 2>"$out/viommu.err"
    fact viommu-exit $?
    timeout 30 mixvm viommu map /run/vm.sock --svg "$out/viommu.svg" 2>>"$out/viommu.err"
    timeout 30 mixvm viommu map /run/vm.sock >"$out/viommu.map" 2>>"$out/viommu.err"
    fact locked-while-running "$(locked_kib)"
    fact pinned-while-running "$(pinned_pages)"
    grep vfio /proc/interrupts >"$out/host-interrupts"
    mark observed "$name"
}

relay() {
    lines=$(wc -l </run/console)
    [ "$lines" -gt "$shown" ] || return 1
    sed -n "$((shown + 1)),${lines}s/^/@l2 /p" /run/console
    shown=$lines
}

# watch_guest STALL: follows the guest's console until the VMM ends; false when the guest went silent.
watch_guest() {
    shown=0
    asked=
    was_halted=
    was_stopped=
    heard=$(now)
    beat=$heard
    samples=0
    strike_at_start
    was_wired=
    until [ -e /run/exit ]; do
        do_as_asked
        wire_as_asked
        time=$(now)
        strike_when_due
        answer_samples
        if relay; then
            heard=$time
            beat=$time
            if [ -z "$asked" ] && grep -q '^LAB ready' /run/console; then
                asked=1
                observe
                echo go >&8
            fi
        elif [ $((time - heard)) -ge "$1" ]; then
            kill -9 "$(cat /run/pid)"
            until_true 20 test -e /run/exit
            return 1
        elif [ $((time - beat)) -ge 10 ]; then
            beat=$time
            mark waiting "$name" $((time - heard))
        fi
        usleep 300000
    done
    relay
    return 0
}

# guest_once STALL WORDS...: one life of the VMM.
guest_once() {
    stall=$1
    shift
    rm -f /run/vm.sock /run/in /run/exit /run/pid
    : >/run/console
    mkfifo /run/in
    rm -f /run/typed /run/hvc0
    mkfifo /run/typed
    exec 8<>/run/in
    (
        sh -c 'echo $$ >/run/pid; exec "$@"' sh "$@" <&8 >/run/console 2>/run/stderr 8<&-
        echo $? >/run/exit
    ) &
    life=$!
    watch_guest "$stall"
    alive=$?
    wait "$life"
    exec 8<&-
    [ -e /run/vm.sock ] && fact socket-left
    cat /run/console >"$out/console"
    cat /run/stderr >"$out/stderr"
    return $alive
}

# begin: makes the folder of the step $name. False when a lab host that died later had finished it.
begin() {
    out=/lab/out/$name
    if [ -e "$out/finished" ]; then
        moment=
        return 1
    fi
    rm -rf "$out"
    mkdir -p "$out"
}

# finish: the step's results are whole, whatever becomes of the lab host; the watchdog counts these marks.
finish() {
    sync
    : >"$out/finished"
    mark finished "$name"
}

# typed WORDS...: the words as a person would type them.
typed() {
    for word in "$@"; do
        case "$word" in
            *[!a-zA-Z0-9_=./:,+@%-]*) printf "'%s' " "$word" ;;
            *) printf '%s ' "$word" ;;
        esac
    done
}

# renew WORDS...: fresh copies of the data disks that options name, so that one guest finds nothing of another.
renew() {
    for word in "$@"; do
        case "$word" in
            /guest/data.*) rm -f "${word%%,*}" && fetch "${word%%,*}" ;;
        esac
    done
}

# keep WORDS...: puts what the guest made of them to its results.
keep() {
    for word in "$@"; do
        case "$word" in /guest/data.*) cp "${word%%,*}" "$out/" ;; esac
    done
}

# mishap STALL WORDS...: one life of the VMM. True when how it ended may well be the emulator's doing: $why says how, and $most
# how often that is tried again. What is our fault ends the same way each time.
mishap() {
    why=
    silent=
    most=1
    if ! guest_once "$@"; then
        silent=1
        why="the guest was silent for $1 s"
    elif [ -z "$moment" ] && [ "$(cat /run/exit)" = 33 ]; then
        # A processor emulated twice over loses a guest now and then, before its first word or later.
        if grep -q 'triple fault' "$out/stderr"; then
            most=2
            why="the guest crashed with a triple fault"
        elif [ ! -s "$out/console" ]; then
            why="the guest crashed before its first word"
        fi
    fi
    [ -n "$why" ]
}

# guest NAME STALL "BDF..." WORDS...: runs the VMM, then looks at what it left behind.
guest() {
    name=$1
    stall=$2
    functions=$3
    shift 3
    begin || return 0
    for word in "$@"; do
        case "$word" in
            /guest/data.*) ;;
            /guest/*) fetch "$word" ;;
        esac
    done
    renew "$@"
    typed "$@" >"$out/command"
    mark guest "$name"
    mark command "$(cat "$out/command")"
    dmesg -s 1000000 -c >>/lab/out/host-between.dmesg
    pinned=$(pinned_pages)
    fact date-before "$(date +%s)"
    started=$(now)
    again=0
    while mishap "$stall" "$@"; do
        [ $again -lt $most ] || break
        again=$((again + 1))
        mark retry "$name" "$why"
        fact retry 1
        mv "$out/console" "$out/console.stalled"
        renew "$@"
    done
    [ -z "$silent" ] || fact stalled 1
    fact exit "$(cat /run/exit)"
    fact seconds $(($(now) - started))
    fact date-after "$(date +%s)"
    until_true 10 vmm_gone || true
    fact processes "$(vmm_processes)"
    fact locked "$(locked_kib)"
    fact pinned $(($(pinned_pages) - pinned))
    fact host-files "$(cut -f1 /proc/sys/fs/file-nr)"
    fact host-memory "$(memory_to_give)"
    for bdf in $functions; do
        if until_true 5 free "$(group_of "$bdf")"; then fact group-free "$bdf"; else fact group-busy "$bdf"; fi
    done
    dmesg -s 1000000 -c >"$out/host.dmesg"
    keep "$@"
    finish
    mark guest-end "$name" exit "$(cat /run/exit)"
}
