# Hooks of host.sh for hard ends of the VMM, and for a look at what its processes hold.

# Whom `strike` kills (`host`: nobody, the host takes the disk back), and when: set by kill_at, empty in an ordinary life.
victim=
moment=

# pids_of ROLE: `main`, `any` worker, or the worker of that role.
pids_of() {
    case "$1" in
        main) cat /run/pid 2>/dev/null ;;
        any) grep -al '^worker ' /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3 ;;
        *) grep -al "^worker $1" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3 ;;
    esac
}

vmm_processes() { grep -al -e '^worker ' -e '^mixvm' /proc/[0-9]*/cmdline 2>/dev/null | wc -l; }
vmm_gone() { [ "$(vmm_processes)" = 0 ]; }

# The host takes the disk back while the guest uses it, which holds up who asks until the VMM has let it go; then VFIO has it
# again, for the next guest.
take_back() {
    (
        echo "$NVME" >"/sys/bus/pci/devices/$NVME/driver/unbind" && fact struck "$moment" host
        echo "$NVME" >/sys/bus/pci/drivers_probe
    ) &
    mark struck host "$moment"
    moment=struck
}

strike() {
    [ "$victim" != host ] || { take_back; return; }
    pids=$(pids_of "$victim")
    [ -n "$pids" ] || return 0
    kill -9 $pids && fact struck "$moment" "$victim"
    mark struck "$victim" "$moment"
    moment=struck
}

# At the first sight of a process that is to die before the guest's first instruction. Main stands still meanwhile, so
# that the number of its processors' threads says whether it was in time.
strike_at_start() {
    [ "$moment" = start ] || return 0
    sight=$victim
    [ "$victim" != main ] || sight=any
    until [ -n "$(pids_of "$sight")" ]; do
        [ ! -e /run/exit ] || return 0
        usleep 10000
    done
    main=$(cat /run/pid)
    kill -STOP "$main"
    fact vcpus "$(cat "/proc/$main"/task/*/comm | grep -c '^vcpu')"
    strike
    kill -CONT "$main" 2>/dev/null
}

# Whether a processor of the guest runs.
guest_runs() { grep -qs '^vcpu' "/proc/$(cat /run/pid)"/task/*/comm; }

# Halts the guest and has `rig death` drive its disk, kill, and drive the disk again. What it says becomes facts.
strike_and_look() {
    mixvm suspend /run/vm.sock || fact control-failed suspend
    case "$(uname -m)" in
        x86_64) ram=0 ;;
        *) ram=0x80000000 ;;
    esac
    mark looking "$victim"
    rig death --main "$(cat /run/pid)" --victim "$(pids_of "$victim")" --device "$NVME" --ram $ram >"$out/death" 2>&1
    fact rig "exit $? death"
    sed 's/^/rig /' "$out/death" >>"$out/facts"
    grep -q '^killed' "$out/death" && fact struck "$moment" "$victim"
    mark struck "$victim" "$moment"
    moment=struck
}

strike_when_due() {
    case "$moment" in
        oracle)
            grep -q '^LAB idle' /run/console && strike_and_look
            return
            ;;
        boot) guest_runs && sleep 2 ;;
        dma) grep -q '^LAB dma' /run/console ;;
        idle) grep -q '^LAB idle' /run/console ;;
        *) false ;;
    esac && strike
}

# kill_at MOMENT ROLE COMMAND...: a guest whose VMM loses a process.
kill_at() {
    moment=$1
    victim=$2
    shift 2
    "$@"
    moment=
}

# Descriptors, memory of its own and locked memory of each process, when the guest asks for it.
answer_samples() {
    asked_samples=$(grep -c '^LAB sample' /run/console)
    [ "$asked_samples" -gt "$samples" ] || return 0
    samples=$asked_samples
    label=$(grep '^LAB sample' /run/console | tail -n 1 | tr -d '\r' | cut -d' ' -f3)
    for pid in $(pids_of main) $(pids_of any); do
        role=$(tr '\0' '\n' <"/proc/$pid/cmdline" | head -n 1 | sed 's/^worker //; s/ /-/g')
        held=$(awk '$1 == "RssAnon:" { r = $2 } $1 == "VmLck:" { l = $2 } END { print r, l }' "/proc/$pid/status")
        fact sample "$label" "$role" "$(ls "/proc/$pid/fd" | wc -l)" "$held"
    done
    case "$label" in kernel-* | fresh-*) look "$label" ;; esac
    mark sample "$label"
    echo go >&8
}

# look MOMENT: the virtual IOMMU while nothing changes, and what the kernel has pinned.
look() {
    mixvm viommu show /run/vm.sock --json --mappings >"$out/viommu.at-$1" || fact control-failed "viommu show at $1"
    fact look "$1" $(($(pinned_pages) - pinned))
}
