#!/bin/sh
# Made by envlock. Unpacks the locked archive of Python into /opt/python:
#
#   sh standalone.sh CACHE
#
# CACHE is a folder for downloads. The archive is held to the SHA-256 of the lock.
set -eu
umask 022

cache=$1
list=$(dirname "$0")/standalone.txt
grep -q '^[^#]' "$list" || exit 0 # the Python comes from elsewhere
architecture=$(dpkg --print-architecture)
line=$(grep "^$architecture " "$list") || {
    echo "error: no Python is locked for $architecture" >&2
    exit 1
}
# shellcheck disable=SC2086
set -- $line
file=$cache/$2.tar.gz
echo "$2  $file" | sha256sum --check --status 2>/dev/null ||
    /usr/lib/apt/apt-helper -o APT::Sandbox::User=root -o Acquire::Retries=3 \
        -o Acquire::https::Verify-Peer=false -o Acquire::https::Verify-Host=false \
        download-file "$3" "$file" "SHA256:$2"
echo "$2  $file" | sha256sum --check --strict --quiet
mkdir -p /opt/python
tar -xzf "$file" -C /opt/python --strip-components=1 --no-same-owner
find /opt/python -type d -name __pycache__ -prune -exec rm -rf {} +
