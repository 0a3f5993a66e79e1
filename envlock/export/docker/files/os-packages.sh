#!/bin/sh
# Made by envlock. Brings a system of Debian or Ubuntu to the versions in os-packages.txt:
#
#   sh os-packages.sh SNAPSHOT CACHE [LIST]
#
# SNAPSHOT is the address of a snapshot service, CACHE a folder for downloads, LIST another file
# like os-packages.txt, beside it. Every package is held to the SHA-256 of the lock, whose chain of
# signatures was verified when the lock was made: neither the service, nor the cache, nor the age of
# a key decides what is installed.
set -eu
umask 022

snapshot=${1%/} cache=$2
list=$(dirname "$0")/${3-os-packages.txt}
grep -q '^[^#]' "$list" || exit 0 # the lock has no OS packages
architecture=$(dpkg --print-architecture)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

locked=$(sed -n 's/^# base: //p' "$list")
own=$(. /etc/os-release && echo "$ID:${VERSION_CODENAME-}")
[ "$own" = "$locked" ] || [ "${own#*:}" = "" ] ||
    fail "the base image is $own, but the packages are locked for $locked"

# What is there in the locked version already stays as the base has it.
dpkg-query --show --showformat '${db:Status-Status} ${Package} ${Version} ${Architecture}\n' \
    >"$work/there"
set --
while read -r target name version kind digest path; do
    [ "$target" = "$architecture" ] || continue
    : >"$work/any"
    ! grep -qxF "installed $name $version $kind" "$work/there" || continue
    file=$cache/$digest.deb
    echo "$digest  $file" >>"$work/digests"
    echo "$digest  $file" | sha256sum --check --status 2>/dev/null ||
        set -- "$@" "$snapshot/$path" "$file" "SHA256:$digest"
done <"$list"
[ -e "$work/any" ] || fail "nothing is locked for $architecture"
[ -e "$work/digests" ] || exit 0

[ -x /usr/lib/apt/apt-helper ] || fail "the base has neither the locked packages nor apt to fetch them;" \
    "docker/root is of another lock? envlock build image --only os --rootfs docker/root"

# A bare base has no certificates to know servers by. It needs none: see above.
[ $# = 0 ] || /usr/lib/apt/apt-helper -o APT::Sandbox::User=root -o Acquire::Retries=3 \
    -o Acquire::https::Verify-Peer=false -o Acquire::https::Verify-Host=false \
    download-file "$@" >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    fail "not all packages could be fetched from $snapshot"
}
sha256sum --check --strict --quiet "$work/digests"

set --
while read -r digest _; do
    set -- "$@" "$cache/$digest.deb"
done <"$work/digests"

# No service is started while a system is put together (Debian Policy 9.3.3.2).
services=/usr/sbin/policy-rc.d
if [ ! -e "$services" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$services"
    chmod 755 "$services"
    trap 'rm -rf "$work" "$services"' EXIT
fi

# Nothing but these files: without sources, apt knows of no others. What the base has in newer
# versions goes back to the locked ones.
mkdir -p "$work/lists/partial"
DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 apt-get install --quiet=2 --yes \
    --no-install-recommends --allow-downgrades --allow-change-held-packages \
    -o APT::Sandbox::User=root -o Dpkg::Use-Pty=false \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
    -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$work/lists" \
    "$@"

# What tells the time, the machine or the way of the installation, and is made again when needed.
rm -rf /var/lib/apt/lists/* /var/log/apt /var/cache/apt/*.bin /var/cache/debconf/*-old \
    /var/cache/fontconfig/* /var/cache/ldconfig/aux-cache /var/cache/man/* \
    /var/lib/dbus/machine-id /var/lib/dpkg/*-old /var/lib/systemd/random-seed \
    /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-
find /var/log -type f -exec rm -f {} +
find /usr -xdev -type d -name __pycache__ -prune -exec rm -rf {} +
[ ! -e /etc/machine-id ] || : >/etc/machine-id
