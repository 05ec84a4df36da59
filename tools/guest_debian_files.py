"""What the whole Debian of tools/guest_debian.py holds: its packages, its own configuration, and the script that
configures it in the guest."""

# A system as debootstrap would install it, with systemd-networkd for its network; what boots it by itself; and what
# tests and benchmarks use.
PACKAGES = ["?and(?or(?essential,?priority(required),?priority(important)),"
            "?not(?exact-name(ifupdown)),?not(?exact-name(dhcpcd-base)))",
            "dbus", "libpam-systemd", "systemd-resolved", "openssh-server", "wget", "ca-certificates",
            "linux-image-riscv64", "initramfs-tools", "zstd", "grub-efi-riscv64", "u-boot-menu",
            "apt", "gcc", "libc6-dev", "python3", "libpython3.13-testsuite", "gawk", "xz-utils", "openssl",
            "stress-ng", "fio", "iperf3"]

# The disk's own files, in place of what packages bring.
FILES = {
    "etc/fstab": """\
LABEL=debian / ext4 errors=remount-ro 0 1
LABEL=EFI /boot/efi vfat umask=0077,noauto,nofail,x-systemd.automount 0 0
""",
    "etc/hostname": "debian\n",
    "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 debian\n::1 localhost ip6-localhost ip6-loopback\n",
    # Every card, whatever its name.
    "etc/systemd/network/ethernet.network": """\
[Match]
Type=ether
Kind=!*

[Network]
DHCP=yes
""",
    # Its host keys are made when somebody comes for the first time, not at the first boot.
    "etc/systemd/system/ssh.service.d/keys.conf": "[Unit]\nWants=sshd-keygen.service\nAfter=sshd-keygen.service\n",
    "etc/systemd/system/sshd-keygen.service.d/when.conf": """\
[Unit]
ConditionFirstBoot=
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
""",
    # The RAM disk holds the drivers of virtual machines' disks, not of all machines.
    "etc/initramfs-tools/conf.d/modules": "MODULES=list\n",
    "etc/initramfs-tools/hooks/virtual-machine": """\
#!/bin/sh
[ "$1" != prereqs ] || exit 0
. /usr/share/initramfs-tools/hook-functions
manual_add_modules virtio_mmio virtio_pci virtio_blk virtio_scsi sd_mod nvme virtio_net 9p 9pnet_virtio ext4
""",
    "etc/default/grub.d/serial.cfg": "GRUB_TIMEOUT=1\nGRUB_CMDLINE_LINUX_DEFAULT=\nGRUB_TERMINAL=console\n",
    "etc/default/u-boot": 'U_BOOT_TIMEOUT="10"\nU_BOOT_PARAMETERS="ro"\n',
}

# A GRUB that needs no more files looks for this one beside it.
MONOLITHIC_GRUB = "usr/lib/grub/riscv64-efi/monolithic/grubriscv64.efi"
GRUB_OF_ESP = """\
search --no-floppy --label --set=root debian
set prefix=($root)/boot/grub
configfile $prefix/grub.cfg
"""

# In the guest: what dpkg would have done after it had unpacked, in the order of a first installation.
CONFIGURE = r"""#!/bin/sh
export PATH=/usr/sbin:/usr/bin HOME=/root TERM=dumb LC_ALL=C.UTF-8
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true
end() {
    echo "second stage: $1"
    sync
    mount -o remount,ro /
    exec systemctl poweroff --force --force
}
mount -t tmpfs tmpfs /tmp
# How tools that write boot menus name the root file system. Nobody else makes this link here.
mkdir -p /dev/disk/by-uuid
ln -s "$(findmnt -no SOURCE /)" "/dev/disk/by-uuid/$(findmnt -no UUID /)"
cd /var/lib/dpkg/info || end "no database of packages"
export DPKG_MAINTSCRIPT_NAME=preinst DPKG_ROOT=
for script in base-passwd.preinst $(ls *.preinst | grep -v '^base-passwd\.'); do
    package=${script%.preinst}
    DPKG_MAINTSCRIPT_PACKAGE=${package%:*} DPKG_MAINTSCRIPT_ARCH=riscv64 "./$script" install < /dev/null ||
        end "$script failed"
done
unset DPKG_MAINTSCRIPT_NAME DPKG_ROOT
cd /
# The scripts of the first two are what the others' rely on.
for packages in base-passwd base-files -a; do
    dpkg --force-depends --force-unsafe-io --force-confnew --configure $packages < /dev/null || end "dpkg failed"
done
passwd --delete root
echo "second stage: making boot menus"
mkdir -p /boot/grub/riscv64-efi    # grub-install's doing, where it can write variables of the firmware
cp /usr/lib/grub/riscv64-efi/*.mod /usr/lib/grub/riscv64-efi/*.lst /boot/grub/riscv64-efi/
{ update-grub && u-boot-update; } || end "no boot menu"
systemctl enable systemd-networkd.service systemd-resolved.service
# A server starts when somebody comes, and has keys of its own.
systemctl disable ssh.service sshd-keygen.service
systemctl enable ssh.socket
rm -f /etc/ssh/ssh_host_* /etc/systemd/system/*.wants/sshd-keygen.service
: > /etc/machine-id    # made by the first boot, which has nothing else to make
rm -f /var/lib/dbus/machine-id
journalctl --update-catalog
/usr/lib/systemd/systemd-update-done
rm -rf /var/lib/dpkg/*-old /var/cache/debconf/*-old /var/log/*.log
fstrim /
end done
"""
