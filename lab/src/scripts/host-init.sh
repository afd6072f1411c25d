#!/bin/sh
# The lab host's first process: brings up VFIO, KVM and the shared folder, runs the job, switches the machine off.
/bin/busybox --install -s /bin
export PATH=/bin
. /lib/common.sh
. /lib/host.sh
. /lib/command.sh
. /lib/control.sh
. /lib/stress.sh
. /lib/wire.sh
early_mounts
# As on any host, for the jail's own tests: what is hidden must be there.
mkdir -p /etc /mnt
: >/etc/passwd
mark host-up
load 9pnet_virtio 9p
mkdir -p /lab
if ! mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 lab /lab; then
    mark fail "the shared folder cannot be mounted"
    poweroff -f
fi
load vfio_iommu_type1 vfio-pci tun $(param lab.modules | tr , ' ')
mkdir -p /lab/out /lab/bin
for program in /lab/bin/*; do [ -f "$program" ] && cp "$program" /bin/; done
[ -c /dev/kvm ] || mark fail "the lab host has no /dev/kvm"
[ -c /dev/vfio/vfio ] || mark fail "the lab host has no /dev/vfio/vfio"
# Guests' memory in huge pages: emulated twice over, each fault and each page zeroed and pinned costs dearly.
echo always >/sys/kernel/mm/transparent_hugepage/shmem_enabled
dmesg -s 1000000 >/lab/out/host-boot.dmesg
[ -x /bin/rig ] && { rig hold-vm >/dev/null & }
mark host-ready
if [ "$(param lab.shell)" = 1 ]; then
    . /lab/job.sh
    echo "The lab host. The shared folder is /lab; 'poweroff -f' ends it."
    setsid cttyhack sh
else
    . /lab/job.sh
fi
mark done
sync
umount /lab
poweroff -f
