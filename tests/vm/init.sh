#!/bin/busybox sh
# SPDX-License-Identifier: BSD-3-Clause
# /init of the guests: mounts the host's / by 9p, under a throw-away overlay in RAM, and does what
# the test says. The test's end is a virtio-serial port: a line in is a command for the shell; its
# status and the length of its output come back in one line, then the output.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev && mount -t proc proc /proc && mount -t sysfs sys /sys
exec </dev/console >/dev/console 2>&1

fail() {
  echo "GUEST FAILED: $*"
  poweroff -f
}
for module in virtio_pci virtio_console 9pnet_virtio 9p overlay; do
  modprobe $module || fail "modprobe $module"
done

mkdir -p /host /ram /root
mount -t 9p -o ro,trans=virtio,version=9p2000.L,cache=loose,msize=524288 root /host || fail "mount 9p"
mount -t tmpfs ram /ram && mkdir /ram/upper /ram/work
mount -t overlay -o lowerdir=/host,upperdir=/ram/upper,workdir=/ram/work root /root ||
  fail "mount overlay"
for d in dev proc sys; do mount --rbind /$d /root/$d; done
for d in run dev/shm; do mkdir -p /root/$d && mount -t tmpfs tmp /root/$d; done
# The host's kernel is another one, and a minimal host has no modprobe.
mkdir -p /root/lib/modules /root/run/busybox
mount --bind /lib/modules /root/lib/modules && mount --bind /bin /root/run/busybox
ip link set lo up

for port in /sys/class/virtio-ports/*; do
  [ "$(cat "$port/name")" != agent ] || agent=/dev/${port##*/}
done
[ -c "$agent" ] || fail "no virtio-serial port 'agent'"
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/busybox
exec 3<>"$agent"
echo "GUEST READY"
while read -r line <&3; do
  echo "+ $line"
  chroot /root /bin/sh -c "$line" >/ram/output 2>&1 </dev/null 3>&-
  echo "$? $(stat -c %s /ram/output)" >&3
  cat /ram/output >&3
done
poweroff -f
