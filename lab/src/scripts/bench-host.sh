# The host's side of the benchmark: lives of virtual machine monitors, and what the host's own counters say meanwhile. What is
# measured goes to the console as lines "@bench KEY ...", which `cargo lab bench` reads.

. /lib/common.sh
. /bin/bench-turns.sh

mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
# Huge pages are made before guests run, not while they do.
echo 4294967295 >/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs

tell() { echo "@bench $*"; }

# Time since the host's start in hundredths of a second.
hundredths() { cut -d' ' -f1 /proc/uptime | tr -d .; }

# members PROGRAM: the processes that run it. One program for all of them: to start one takes the emulated host 20 ms.
members() { ls -l /proc/[0-9]*/exe 2>/dev/null | sed -n "s,.* \(/proc/[0-9]*\)/exe -> .*/$1\$,\1,p"; }

# The kernel's count of exits from all guests; the time in hundredths that the processes ran, and the thread that serves the
# virtual IOMMU; how often this thread slept or was made to wait.
counters() {
    cat /sys/kernel/debug/kvm/exits 2>/dev/null || echo 0
    ran $pids
    ran $tasks
    for task in $tasks; do cat "$task/status"; done | awk '/ctxt_switches/ { sum += $2 } END { print sum + 0 }'
}
ran() { for it in "$@"; do cat "$it/stat"; done | sed 's/.*) //' | awk '{ sum += $12 + $13 } END { print sum + 0 }'; }

# Resident memory of the processes without guest RAM, which is a memory file with both monitors.
own_kib() {
    for process in $pids; do cat "$process/smaps"; done |
        awk '/^[0-9a-f]+-[0-9a-f]+ / { ram = $6 ~ /memfd:/ } $1 == "Rss:" && !ram { sum += $2 } END { print sum + 0 }'
}

# Guest RAM that is mapped in huge pages, in MiB: of the process that has most of it.
huge_mib() {
    for process in $pids; do
        awk '/^[0-9a-f]+-[0-9a-f]+ / { ram = $6 ~ /memfd:/ } $1 == "ShmemPmdMapped:" && ram { sum += $2 } END { print int(sum / 1024) }' \
            "$process/smaps"
    done | sort -n | tail -n 1
}

# even_memory: guests come one after the other, and what the one leaves behind is in the way of the next one's huge pages: memory
# that lies scattered, and the switch, where a floor was killed that had it.
even_memory() {
    echo 1 >/proc/sys/vm/compact_memory
    echo always >/sys/kernel/mm/transparent_hugepage/shmem_enabled
}

find_tasks() {
    pids=$(members "$1")
    tasks=
    for task in $(tasks_of $pids); do
        read -r comm <"$task/comm"
        [ "$comm" = virtio-iommu ] && [ "${task%/task/*}" != "/proc/${task##*/}" ] && tasks="$tasks $task"
    done
}
tasks_of() { for process in "$@"; do echo "$process"/task/*; done; }

# settle: the guest's processor has the host's first one for itself and its devices' interrupts, the monitor's other threads have
# the rest, as whoever assigns devices for speed pins them. Where the scheduler puts them changes from second to second
# otherwise, and what a read costs with it. A host with one processor has nothing to place.
settle() {
    [ "$(nproc)" -gt 1 ] || return
    rest=$(printf %x $(((1 << $(nproc)) - 2)))
    for irq in $(sed -n 's/^ *\([0-9]*\):.*vfio-msi.*/\1/p' /proc/interrupts); do
        echo 1 >"/proc/irq/$irq/smp_affinity"
    done
    for task in $(tasks_of $pids); do
        read -r comm <"$task/comm"
        case "$comm" in
            vcpu* | "CPU "*) mask=1 ;;
            *) mask=$rest ;;
        esac
        taskset -p "$mask" "${task##*/}" >/dev/null
    done
}

# life NAME PROGRAM WORDS...: one life of a monitor; the floor beside it measures as $measured says. There is a second
# life when the guest did not come to its end, as nested guests of an emulated host do now and then.
life() {
    for file in guest-kernel guest-kernel-packed guest.img; do fetch "/guest/$file"; done
    live "$@"
    [ -e /run/life-done ] && return
    tell retry "$1"
    live "$@"
}

live() {
    name=$1
    program=$2
    shift 2
    rm -f /run/life-done
    make_ways
    even_memory
    tell life "$name"
    pids=
    tasks=
    born=$(hundredths)
    "$@" <"$ways/guest" 2>"/lab/out/$name.stderr" 7>&- 8>&- | { follow; end_floor; end_members "$program"; }
    [ -e /run/life-done ] || { tell fail "$name ended early"; tail -n 3 "/lab/out/$name.stderr" | sed 's/^/@bench fail /'; }
    tell died
}

# A guest that is silent for this many seconds is ended.
SILENCE=900

# Reads the guest's console and tells what it says.
follow() {
    while IFS= read -r -t $SILENCE line; do
        line=${line%"$(printf '\r')"}
        case "$line" in
            "LAB turn") turn ;;
            "LAB up") tell up $(($(hundredths) - born)) ;;
            "LAB begin "*)
                what=${line#LAB begin }
                find_tasks "$program"
                settle
                before=$(counters)
                ;;
            "LAB end "*)
                tell span "$what" $before $(counters)
                case "$what" in
                    idle) tell own-kib "$(own_kib)"; tell huge-mib "$(huge_mib)" ;;
                    maps) tell huge-mib "$(huge_mib)"; finish_floor ;;
                esac
                ;;
            "LAB result "* | "LAB domain "* | "LAB fail "*) tell "${line#LAB }" ;;
            "LAB done")
                # Nobody waits for the guest to switch itself off: some kernels take a minute for it.
                : >/run/life-done
                return
                ;;
        esac
    done
}

# A monitor must not keep the disk from the next one.
end_members() {
    for process in $(members "$1"); do kill -9 "${process#/proc/}" 2>/dev/null; done
    until_true 20 gone "$1" || tell fail "$name cannot be ended"
}
gone() { [ -z "$(members "$1")" ]; }

# peer WORDS...: a program of the other distribution's folder.
peer() {
    if [ ! -d /peer/usr ]; then
        mkdir -p /peer
        mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose,ro peer /peer || return 1
        for folder in dev proc sys; do mount --bind "/$folder" "/peer/$folder"; done
        mount --bind /guest "/peer/mnt"
        mount -t tmpfs tmp /peer/tmp
    fi
    PATH=/usr/bin:/bin chroot /peer "$@"
}
