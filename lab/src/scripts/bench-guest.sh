#!/bin/sh
# The guest of the benchmark: measures what lab.do lists, one after the other, and switches itself off. The host looks at its
# own counters when it sees the lines "begin" and "end".
/bin/busybox --install -s /bin
export PATH=/bin
echo "LAB up"
. /lib/common.sh
early_mounts
say() { echo "LAB $*"; }
trap 'say fail "the script of the benchmark ended early"; poweroff -f' EXIT

begin() { # begin NAME: and lets the host read its counters, which takes a processor that is wanted otherwise
    say begin "$1"
    sleep 2
}

measure() { # measure NAME TIMES WORDS...: one measurement of rig, announced and told, with windows so many times as long
    name=$1
    window=$(($(param lab.window) * $2))
    shift 2
    begin "$name"
    result=$(rig "$@" --runs "$(param lab.runs)" --window $window --json 2>&1)
    say end "$name"
    case "$result" in
        '{'*) say result "$name" "$result" ;;
        *) say fail "$name: $result" ;;
    esac
}

disk() {
    load virtio_pci virtio-iommu nvme
    until_true 60 test -b /dev/nvme0n1 || { say fail "no disk"; return; }
    bdf=$(basename "$(ls -d /sys/bus/pci/drivers/nvme/0000:*)")
    say domain "$(cat "/sys/bus/pci/devices/$bdf/iommu_group/type" 2>/dev/null || echo none)"
    measure reads 4 read-bench --path /dev/nvme0n1
}

exits() { measure exits 1 exit-bench; }

count() { # count NAME PAIRS: the host counts meanwhile; what the program costs by itself is the same for few and for many
    begin "$1"
    rig map-bench --device "$bdf" --pairs "$2"
    say end "$1"
}

idle() {
    sync
    sleep 2
    say begin idle
    sleep 5
    say end idle
}

maps() {
    load vfio_iommu_type1 vfio-pci
    # No guest has interrupt remapping to offer.
    echo 1 >/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts
    node=/sys/bus/pci/devices/$bdf
    echo "$bdf" >/sys/bus/pci/drivers/nvme/unbind
    echo vfio-pci >"$node/driver_override"
    echo "$bdf" >/sys/bus/pci/drivers_probe
    # Once before the host counts: it also finds out whether that works at all.
    rig map-bench --device "$bdf" --pairs 100 || say fail "cannot map"
    count few 100
    count pairs 2100
    # In turns with the host's floor: it sees what is said on the console, and answers there, which is standard input too.
    measure maps 1 map-bench --device "$bdf" --live "$(param lab.live)" --turns /dev/console
    echo "$bdf" >/sys/bus/pci/drivers/vfio-pci/unbind
}

for action in $(param lab.do | tr , ' '); do "$action"; done
trap - EXIT
say done
poweroff -f
