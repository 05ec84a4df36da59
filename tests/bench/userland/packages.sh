# Package tools: what is installed, who owns what, a package built, listed and unpacked.
# unit: rounds 2
for ((i = 0; i < COUNT; i++)); do
    dpkg-query --show
    dpkg-query --listfiles gcc-14-riscv64-linux-gnu python3.13-minimal coreutils
    dpkg-query --search '*/libc.so*' '/usr/bin/x*'
    apt-cache depends --recurse --no-suggests gcc python3 2> /dev/null | md5sum
    mkdir -p tree/DEBIAN
    cp -r /usr/share/perl5 /usr/share/doc/gcc-14-base tree/
    printf '%s\n' 'Package: sample' 'Version: 1' 'Architecture: all' 'Maintainer: nobody' 'Description: sample' \
        > tree/DEBIAN/control
    dpkg-deb --build --root-owner-group -Zgzip tree sample.deb
    dpkg-deb --contents sample.deb | awk '{ print $3, $6 }' | sort
    dpkg-deb --extract sample.deb out
    find out -type f | wc -l
    rm -rf tree out sample.deb
done
