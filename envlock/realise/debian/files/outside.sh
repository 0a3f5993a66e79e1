# In namespaces of its own (mounts, processes, names), as root or mapped root: prepare a root from
# an archive, build in it, and put what was built beside it.
set -eu
work=$1 seconds=$2 place=$3
mount --make-rprivate /
root=$work/inside/root
mkdir -p "$root" "$work/inside/out"
if [ "$place" = memory ]; then mount -t tmpfs -o mode=755 tmpfs "$root"; fi
tar -xf "$work/root.tar" -C "$root" --numeric-owner --exclude='./dev/*'
mkdir -p "$root/proc" "$root/sys" "$root/dev/pts" "$root/dev/shm" "$root/build/reproducible-path"
cp -R "$work/source" "$root/build/source"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
for name in null zero full random urandom tty; do
    : >"$root/dev/$name"
    mount --bind "/dev/$name" "$root/dev/$name"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"
unshare --net true
: >"$work/inside/started"
begun=$(date +%s) code=0
timeout --kill-after=5 "$seconds" \
    unshare --net chroot "$root" /bin/sh /build/source/inside.sh || code=$?
if [ "$code" = 124 ] || [ "$code" = 137 ]; then
    if [ $(($(date +%s) - begun + 1)) -ge "${seconds%.*}" ]; then code=late; fi
fi
cd "$root/build/reproducible-path"
for file in *.deb *.buildinfo; do
    if [ -f "$file" ] && [ ! -L "$file" ]; then cp "$file" "$work/inside/out/"; fi
done
chmod -R a+rX "$work/inside/out"
echo "$code" >"$work/inside/code"
