# Shared by the lab host's and the guest's init: mounts, modules, kernel parameters.

early_mounts() {
    mkdir -p /proc /sys /dev /run /tmp
    mount -t proc proc /proc
    mount -t sysfs sys /sys
    mount -t devtmpfs dev /dev
    mount -t tmpfs run /run
    chmod 1777 /tmp
    dmesg -n 1
}

# load NAME...: loads modules with all they need; a name without a list is built in.
load() {
    for wanted in "$@"; do
        [ -e "/modules/$wanted.load" ] || continue
        for module in $(cat "/modules/$wanted.load"); do
            [ -d "/sys/module/$module" ] || insmod "/modules/$module.ko" || echo "LAB insmod-failed $module"
        done
    done
}

# param NAME: the value of NAME=VALUE on the kernel command line.
param() {
    for word in $(cat /proc/cmdline); do
        case "$word" in "$1="*) echo "${word#*=}" ;; esac
    done
}

# find_pci VENDOR DEVICE [N]: the first PCI function with these ids, or the Nth.
find_pci() {
    skip=${3:-1}
    for function in /sys/bus/pci/devices/*; do
        [ "$(cat "$function/vendor")" = "0x$1" ] && [ "$(cat "$function/device")" = "0x$2" ] || continue
        skip=$((skip - 1))
        [ "$skip" = 0 ] || continue
        basename "$function"
        return 0
    done
    return 1
}

# until_true SECONDS COMMAND...: polls, because devices appear when their drivers have probed.
until_true() {
    tries=$(($1 * 10))
    shift
    while ! "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        usleep 100000
    done
}

# fetch PATH: on the host, a file of /guest, which is made when it is first wanted: the shared folder is slow.
fetch() {
    mkdir -p /guest
    [ -e "$1" ] || cp "/lab/$(basename "$1")" "$1"
}

group_of() { basename "$(readlink "/sys/bus/pci/devices/$1/iommu_group")"; }
