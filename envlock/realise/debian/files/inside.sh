# In the root, as its root, without a network: a loopback interface, an ordinary user as on Debian's
# builders, and the build as that user.
set -eu
. /build/source/job
rm -f /etc/hosts /etc/hostname /etc/resolv.conf
echo '127.0.0.1 localhost' >/etc/hosts
echo localhost >/etc/hostname
: >/etc/resolv.conf
hostname localhost
perl -e '
    use Socket;
    socket(my $any, AF_INET, SOCK_DGRAM, 0) or die "socket: $!";
    my $request = pack("a16s", "lo", 1);
    ioctl($any, 0x8914, $request) or die "lo: $!";
'
echo 'sbuild:x:1000:1000:sbuild:/nonexistent:/bin/sh' >>/etc/passwd
echo 'sbuild:x:1000:' >>/etc/group
chown -R 1000:1000 /build
exec setpriv --reuid=1000 --regid=1000 --clear-groups env -i \
    PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin \
    HOME=/nonexistent USER=sbuild LOGNAME=sbuild SHELL=/bin/sh \
    LC_ALL=C.UTF-8 TZ=UTC "DEB_BUILD_OPTIONS=parallel=$parallel" /bin/sh -euc '
        umask 022
        cd /build/reproducible-path
        dpkg-source -x "/build/source/$1" "$2"
        cd "$2"
        if [ -f /build/source/entry ]; then
            cat /build/source/entry debian/changelog >debian/changelog.new
            mv debian/changelog.new debian/changelog
        fi
        exec dpkg-buildpackage "--build=$3" -us -uc
    ' sh "$dsc" "$folder" "$kind"
