#!/bin/sh
# The guest's first process: says what its IOMMU, disk and network look like, waits to be observed, then ends as asked.
/bin/busybox --install -s /bin
export PATH=/bin
. /lib/common.sh
say() { echo "LAB $*"; }
[ -e /proc/mounts ] || early_mounts
# The guest ends by itself even when a step below fails.
trap 'say fail "guest script ended early"; poweroff -f' EXIT

# With lab.root=NODE everything from here on runs from a disk, behind the IOMMU like every other device.
node=$(param lab.root)
if [ -n "$node" ] && [ ! -e /pattern ]; then
    load virtio_pci virtio-iommu virtio_blk crc32c_generic ext4
    mkdir -p /disk
    if ! until_true 30 test -b "$node" || ! mount -t ext4 "$node" /disk; then
        say fail "$node cannot be mounted"
        dmesg -s 1000000 | tail -n 20 | sed 's/^/LAB dmesg /'
        poweroff -f
    fi
    for folder in proc sys dev run; do mount --move "/$folder" "/disk/$folder"; done
    trap - EXIT
    exec switch_root /disk /init
fi

# sample NAME: has the host look at the VMM's processes while this guest stands still.
sample() {
    say sample "$1"
    read -t 120 -r answer || say fail "nobody looked at $1"
}

say up "$(cut -d' ' -f1 /proc/uptime)"
say date "$(date +%s)"
say cpus "$(grep -c ^processor /proc/cpuinfo)"
# The IOMMU's driver first: it decides about each device when that device's driver probes. With `late-iommu` the device's
# driver is there before, and its probe is put off until the IOMMU is.
case ",$(param lab.do)," in
    *,late-iommu,*)
        load nvme
        sleep 1
        [ -b /dev/nvme0n1 ] && say fail "the disk came up without its IOMMU"
        ;;
esac
left=$(param lab.kexec)
# What the kernel before has left, while nobody has touched it.
[ -z "$left" ] || sample "fresh-$left"
case ",$(param lab.do)," in
    *,raw,*) ;; # a driver of the test's own takes the IOMMU
    *) load virtio_pci virtio-iommu ;;
esac

irqs() { # irqs PATTERN: interrupts taken so far, one line per vector
    awk -v pattern="$1" '$NF ~ pattern { sum = 0; for (i = 2; $i ~ /^[0-9]+$/ && i < NF; i++) sum += $i; print "LAB irq", $NF, sum }' \
        /proc/interrupts
}

disk() {
    load nvme
    if ! until_true 30 test -b /dev/nvme0n1; then
        say fail "no NVMe disk appeared"
        dmesg -s 1000000 | grep -iE 'nvme|iommu|pci' | tail -n 30 | sed 's/^/LAB dmesg /'
        return
    fi
    say disk-up "$(cut -d' ' -f1 /proc/uptime)"
    mib=$(param lab.mib)
    digest=$(dd if=/dev/nvme0n1 bs=1M count="$mib" iflag=direct 2>/dev/null | sha256sum | cut -d' ' -f1)
    say digest "$digest"
    # A device that reads the guest's memory: copy one MiB of the pattern into the scratch end of the disk.
    from=$(($(param lab.index) % mib))
    dd if=/dev/nvme0n1 of=/dev/nvme0n1 bs=1M count=1 skip="$from" seek="$mib" iflag=direct oflag=direct conv=notrunc 2>/dev/null
    one=$(dd if=/dev/nvme0n1 bs=1M count=1 skip="$from" iflag=direct 2>/dev/null | sha256sum)
    two=$(dd if=/dev/nvme0n1 bs=1M count=1 skip="$mib" iflag=direct 2>/dev/null | sha256sum)
    if [ "$one" = "$two" ]; then say write ok; else say write wrong; fi
    # Each processor has a queue of its own: use them all.
    for cpu in $(seq 0 $(($(grep -c ^processor /proc/cpuinfo) - 1))); do
        taskset -c "$cpu" dd if=/dev/nvme0n1 of=/dev/null bs=4k count=8 skip="$cpu" iflag=direct 2>/dev/null
    done
    irqs '^nvme'
}

# The disk that this script is read from, and the source of random bytes: both are emulated, both behind the IOMMU.
emulated() {
    say emulated root "$(awk '$2 == "/" { root = $1 } END { print root }' /proc/mounts)"
    say emulated digest "$(sha256sum </pattern | cut -d' ' -f1)"
    dd if=/dev/nvme0n1 of=/copy bs=1M count=4 iflag=direct 2>/dev/null
    sync
    echo 3 >/proc/sys/vm/drop_caches
    one=$(sha256sum </copy)
    two=$(dd if=/dev/nvme0n1 bs=1M count=4 iflag=direct 2>/dev/null | sha256sum)
    if [ "$one" = "$two" ]; then say emulated copy ok; else say emulated copy wrong; fi
    load virtio-rng
    until_true 10 test -c /dev/hwrng
    one=$(dd if=/dev/hwrng bs=64 count=8 2>/dev/null | sha256sum)
    two=$(dd if=/dev/hwrng bs=64 count=8 2>/dev/null | sha256sum)
    none=$(sha256sum </dev/null)
    if [ "$one" != "$two" ] && [ "$one" != "$none" ]; then say emulated random ok; else say emulated random wrong; fi
}

# The data disks: what is on them, a copy that is read back past every cache, and a hole.
data_disks() {
    load virtio_blk
    until_true 30 test -b /dev/vdb || { say fail "not both data disks appeared"; return; }
    for node in /dev/vda /dev/vdb; do
        name=$(cat "/sys/block/$(basename $node)/serial")
        mib() { dd if=$node bs=1M count=1 skip="$1" iflag=direct 2>/dev/null | sha256sum | cut -d' ' -f1; }
        say emulated "$name-digest" "$(mib 0)"
        dd if=$node of=$node bs=1M count=1 seek=8 iflag=direct oflag=direct conv=notrunc,fsync 2>/dev/null
        if [ "$(mib 8)" = "$(mib 0)" ]; then say emulated "$name-copy" ok; else say emulated "$name-copy" wrong; fi
        zeros=$(dd if=/dev/zero bs=1M count=1 2>/dev/null | sha256sum | cut -d' ' -f1)
        if [ "$(mib 9)" = "$zeros" ]; then say emulated "$name-hole" ok; else say emulated "$name-hole" wrong; fi
    done
}

# Starts another kernel in place of this one until lab.kexec is 0. The kernel comes from an emulated disk, its root file system
# is packed from this one. The last time this kernel is not asked: it panics in the middle of DMA, and no driver ends anything.
next_kernel() {
    say kernel "$left" "$digest"
    sample "kernel-$left"
    [ "$left" -gt 0 ] || return 0
    load virtio_blk
    until_true 30 test -b /dev/vda || say fail "no disk with a kernel"
    cat /dev/vda >/run/kernel
    (cd / && { echo dev && echo dev/console && find bin init lib modules; } | cpio -o -H newc) >/run/initrd 2>/run/cpio.err
    line=$(sed "s/lab.kexec=$left/lab.kexec=$((left - 1))/" /proc/cmdline)
    set -- --kernel /run/kernel --initrd /run/initrd --command-line "$line"
    if [ "$left" = 1 ]; then
        rig kexec "$@" --when-it-panics || say fail "no kernel for a panic"
        (while :; do dd if=/dev/nvme0n1 of=/dev/null bs=1M iflag=direct 2>/dev/null; done) &
        sleep 1
        say panic
        echo c >/proc/sysrq-trigger
    fi
    put_down
    rig kexec "$@"
    say fail "no other kernel"
}

# The shortest life that uses the disk: one MiB of it, then the reset.
one_mib() {
    load nvme
    until_true 30 test -b /dev/nvme0n1 || say fail "no NVMe disk appeared"
    say one-mib "$(dd if=/dev/nvme0n1 bs=1M count=1 iflag=direct 2>/dev/null | sha256sum | cut -d' ' -f1)"
    sample life
    put_down
    say end reboot
    trap - EXIT
    reboot -f
}

# For guests that do not end by themselves: DMA for ever, or nothing at all.
until_killed() {
    load nvme
    until_true 30 test -b /dev/nvme0n1 || say fail "no NVMe disk appeared"
    say "$1"
    while [ "$1" = dma ]; do dd if=/dev/nvme0n1 of=/dev/null bs=1M iflag=direct 2>/dev/null; done
    sleep 300
}

# Takes the disk's driver off and puts it back, which detaches the endpoint and attaches it anew.
rebind() {
    node=/sys/bus/pci/drivers/nvme
    bdf=$(basename "$(ls -d $node/0000:* | head -n 1)")
    quick() { dd if=/dev/nvme0n1 bs=1M count=2 iflag=direct 2>/dev/null | sha256sum; }
    before=$(quick)
    last=$(param lab.rebinds)
    for cycle in $(seq "${last:-5}"); do
        echo "$bdf" >$node/unbind
        # Looked at while nothing is mapped for it: what is there after the last cycle and not after the first has leaked.
        if [ -n "$last" ] && { [ "$cycle" = 1 ] || [ "$cycle" = "$last" ]; }; then sample "unbound-$cycle"; fi
        echo "$bdf" >$node/bind
        until_true 30 test -b /dev/nvme0n1 || { say fail "no disk after rebinding, cycle $cycle"; return; }
        [ "$(quick)" = "$before" ] || { say fail "another digest after rebinding, cycle $cycle"; return; }
        say rebound "$cycle"
    done
}

# Works on while the host halts the machine and lets it go on, with a heartbeat; the digest counts that is read afterwards.
be_halted() {
    barks >/run/barks
    say halt-me
    until read -t 1 -r answer; do
        dd if=/dev/nvme0n1 of=/dev/null bs=1M count=1 iflag=direct 2>/dev/null || say fail "the disk cannot be read"
        say beat "$(cut -d' ' -f1 /proc/uptime)"
    done
    say digest "$(dd if=/dev/nvme0n1 bs=1M count="$(param lab.mib)" iflag=direct 2>/dev/null | sha256sum | cut -d' ' -f1)"
    # An emulated processor may have stood still before: only what is new counts.
    barks | tail -n +$(($(wc -l </run/barks) + 1)) >/run/new-barks
    sed 's/^/LAB bark /' /run/new-barks
    say barks "$(wc -l </run/new-barks)"
}

# What the kernel has said about processors, tasks or disks that stood still.
barks() { dmesg -s 1000000 | grep -iE 'soft lockup|rcu.*(stall|starved)|blocked for more than|nvme.*timeout'; }

# From here on everything is said and heard through a virtio-console.
terminal() {
    load virtio_pci virtio_console
    # The node is there before the console is, and a redirection that fails would end this script.
    until_true 20 sh -c ': </dev/hvc0' 2>/dev/null || { say fail "no emulated console"; return; }
    exec </dev/hvc0 >/dev/hvc0 2>&1
    stty -echo
}

# The emulated network card and console: data both ways, each way's sum told by the other side.
wire() {
    load virtio_pci virtio_net virtio_console
    until_true 20 test -d /sys/bus/virtio/drivers/virtio_net/virtio*/net || { say fail "no emulated network card"; return; }
    port=$(ls -d /sys/bus/virtio/drivers/virtio_net/virtio*/net/* | head -n 1)
    say emulated mac "$(cat "$port/address")"
    port=$(basename "$port")
    ip link set "$port" up
    ip addr add 10.9.0.2/24 dev "$port"
    until_true 20 test -c /dev/hvc0 || { say fail "no emulated console"; return; }
    say wire-me
    if until_true 40 ping -c 1 -W 1 10.9.0.1 >/run/ping && ping -c 3 -s 1400 -W 5 10.9.0.1 >/run/ping; then
        say emulated ping ok
    fi
    # Each processor sends through a queue of its own, where the card has so many, and the answers come back beside it.
    for cpu in $(seq 0 $(($(grep -c ^processor /proc/cpuinfo) - 1))); do
        taskset -c "$cpu" ping -c 5 -s 1000 -W 5 10.9.0.1 >/dev/null || say emulated ping "lost-$cpu"
    done
    irqs '^virtio.*put'
    numbers=$(seq 1 100000 | sha256sum | cut -d' ' -f1)
    # `nc` ends at the first end of either side: this one has nothing to say, but must not end.
    mkfifo /run/quiet
    came=$(timeout 60 nc 10.9.0.1 5000 <>/run/quiet | sha256sum | cut -d' ' -f1)
    if [ "$came" = "$numbers" ]; then say emulated received ok; else say emulated received wrong; fi
    seq 1 100000 | timeout 60 nc 10.9.0.1 5001
    exec 7<>/dev/hvc0
    stty -echo <&7
    echo "what came?" >&7
    read -t 60 -r came <&7
    exec 7<&-
    if [ "$came" = "$numbers" ]; then say emulated sent ok; else say emulated sent "${came:-nothing}"; fi
}

network() {
    load e1000e
    bdf=$(find_pci 8086 10d3) || { say fail "no e1000e in the guest"; return; }
    until_true 20 test -d "/sys/bus/pci/devices/$bdf/net" || { say fail "e1000e did not bind"; return; }
    port=$(ls "/sys/bus/pci/devices/$bdf/net" | head -n 1)
    say msi-vectors "$(ls "/sys/bus/pci/devices/$bdf/msi_irqs" | wc -l)"
    ip link set "$port" up
    ip addr add 10.0.2.15/24 dev "$port"
    if until_true 20 grep -q 1 "/sys/class/net/$port/carrier" && ping -c 3 -W 5 10.0.2.2 >/run/ping; then
        say ping ok
    else
        say ping failed
    fi
    irqs "^$port"
}

# Runs what each lab.rig=WORD,WORD... of the kernel command line says; all that it says becomes facts.
run_rig() {
    param lab.rig >/run/rig-commands
    # Where a program was when a signal ended it, and why it was, is in the kernel's log.
    echo 1 >/proc/sys/debug/exception-trace
    while read -r words <&3; do
        words=$(echo "$words" | tr , ' ')
        {
            rig $words 2>&1
            code=$?
            echo "exit $code $words"
            [ "$code" -lt 128 ] || dmesg -s 1000000 | tail -n 30 | sed 's/^/LAB dmesg /' >&2
        } </dev/null | while IFS= read -r line; do say rig "$line"; done
    done 3</run/rig-commands
}

# Modules for a VFIO user in here. Guests without interrupt remapping must allow unsafe interrupts; it harms nobody else.
load_vfio() {
    load vfio_iommu_type1 vfio-pci
    echo 1 >/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts
}

facts() {
    dmesg -s 1000000 | grep -i iommu | sed 's/^/LAB dmesg /'
    if dmesg -s 1000000 | grep 'KASLR disabled'; then say fail "the kernel was given no seed"; fi
    for group in /sys/kernel/iommu_groups/*; do
        [ -d "$group" ] || continue
        number=$(basename "$group")
        for device in "$group"/devices/*; do
            driver=none
            [ -e "$device/driver" ] && driver=$(basename "$(readlink "$device/driver")")
            say group "$number" "$(cat "$group/type")" "$(basename "$device")" "$driver"
        done
        sed "s/^/LAB reserved $number /" "$group/reserved_regions"
    done
}

# Takes the drivers off their devices. A kernel with "virtio: break and reset virtio devices on device_shutdown()" resets
# the virtio-iommu before it shuts down devices that probed without being put off; those then hang on blocked DMA.
put_down() {
    for driver in nvme e1000e; do
        for node in "/sys/bus/pci/drivers/$driver"/0000:*; do
            [ -e "$node" ] && basename "$node" >"/sys/bus/pci/drivers/$driver/unbind" && say unbound "$(basename "$node")"
        done
    done
}

end=poweroff
keep=
stop=
for action in $(param lab.do | tr , ' '); do
    case "$action" in
        disk) disk ;;
        network) network ;;
        rebind) rebind ;;
        kexec) next_kernel ;;
        emulated) emulated ;;
        data) data_disks ;;
        terminal) terminal ;;
        wire) wire ;;
        vfio) load_vfio ;;
        rig) run_rig ;;
        halt) be_halted ;;
        stop | terminate) stop=$action ;;
        one-mib) one_mib ;;
        dma | idle) until_killed "$action" ;;
        reboot) end=reboot ;;
        keep) keep=1 ;;
    esac
done
facts
say ready "$(cut -d' ' -f1 /proc/uptime)"
if read -t 120 -r answer; then say told "$answer"; else say fail "nobody answered"; fi
[ -n "$keep" ] || put_down
if [ -n "$stop" ]; then
    say "$stop-me"
    sleep 300
    say fail "nobody stopped the machine"
fi
say end "$end"
trap - EXIT
sync
mount -o remount,ro / 2>/dev/null
$end -f
