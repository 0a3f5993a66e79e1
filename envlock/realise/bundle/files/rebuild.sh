#!/bin/sh
# Part of a bundle that envlock made. Verifies every file of it, then rebuilds a Python environment
# from it: without envlock, without pip, without any network, as any user.
#
# Needs a POSIX shell and, on PATH: sha256sum, tar, uname, mkdir, rmdir, rm, mv, ln, chmod; gzip only
# where the Python is a compressed archive. Says what it found and where the environment is on
# stderr; the environment hash is its only line on stdout.
#
# Exit codes: 0 done, 2 bad usage, 3 it cannot be rebuilt here, 4 the bundle is not what it must be.
set -u
LC_ALL=C
export LC_ALL
unset CDPATH
umask 022

usage='usage: sh rebuild.sh [--into DIR] [--lock HASH] [--target TARGET] [--python PYTHON]
                     [--bundled-python] [--allow-missing] [--manifest SHA256] [--verify] [--list]
  --into DIR         where the environment goes (default: environment, here or beside the bundle)
  --lock HASH        which lock of several: its environment hash, or the beginning of it
  --target TARGET    linux/amd64@3.11; default: the newest Python for this machine
  --python PYTHON    the Python to use; default: python3.11, python3 or python on PATH, if one fits,
                     else the one in the bundle
  --bundled-python   use the one in the bundle whatever the machine has
  --allow-missing    go on without packages of which the bundle has no wheel
  --manifest SHA256  what the digest of SHA256SUMS has to be
  --verify           only verify the bundle
  --list             only say what is in it'

say() { printf '%s\n' "$1" >&2; }
fail() {
    printf 'error: %s\n' "$2" >&2
    exit "$1"
}

into='' lock='' target='' python='' bundled=0 missing='' manifest='' only=''
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        printf '%s\n' "$usage"
        exit 0
        ;;
    --bundled-python) bundled=1 ;;
    --allow-missing) missing=--allow-missing ;;
    --verify | --list) only=${1#--} ;;
    --into | --lock | --target | --python | --manifest)
        if [ -z "${2-}" ]; then
            printf '%s\n' "$usage" >&2
            exit 2
        fi
        case $1 in
        --into) into=$2 ;;
        --lock) lock=$2 ;;
        --target) target=$2 ;;
        --python) python=$2 ;;
        --manifest) manifest=${2#sha256:} ;;
        esac
        shift
        ;;
    *)
        printf '%s\n' "$usage" >&2
        exit 2
        ;;
    esac
    shift
done
if [ $bundled = 1 ] && [ -n "$python" ]; then fail 2 '--python and --bundled-python exclude one another'; fi

began=$(pwd -P)
case $0 in
*/*) cd -- "${0%/*}" || exit 3 ;;
esac
bundle=$(pwd -P)
case $into in
'') case $began/ in "$bundle"/*) into=${bundle%/*}/environment ;; *) into=$began/environment ;; esac ;;
/*) ;;
*) into=$began/$into ;;
esac
case $python in
'' | /*) ;;
*/*) python=$began/$python ;;
esac

# --- is the bundle whole and unchanged? ---

newline='
'

# Each line: 64 digits, two spaces, a path that stays in this folder.
read_manifest() {
    if [ ! -f SHA256SUMS ] || [ -L SHA256SUMS ]; then fail 4 'SHA256SUMS is missing: the bundle is not complete'; fi
    files=0
    while IFS= read -r line || [ -n "$line" ]; do
        files=$((files + 1))
        digest=${line%%  *}
        path=${line#*  }
        case $digest in *[!0-9a-f]* | '') fail 4 "SHA256SUMS has a line that is none: $line" ;; esac
        if [ ${#digest} != 64 ]; then fail 4 "SHA256SUMS has a line that is none: $line"; fi
        case /$path/ in
        *//* | */../* | */./* | *\\*) fail 4 "SHA256SUMS names a path that no bundle has: $path" ;;
        esac
    done <SHA256SUMS
}

# Counts all files here in $there; there is no link and nothing else.
look_around() {
    for path in "$1"* "$1".[!.]* "$1"..?*; do
        if [ -L "$path" ]; then fail 4 "a link, which no bundle has: $path"; fi
        if [ -d "$path" ]; then
            look_around "$path/"
        elif [ -f "$path" ]; then
            there=$((there + 1))
        elif [ -e "$path" ]; then
            fail 4 "no file, which no bundle has: $path"
        fi
    done
}

# Names a file that the manifest does not list. To look for each one is slow: only where it must.
name_more() {
    for path in "$1"* "$1".[!.]* "$1"..?*; do
        if [ -d "$path" ]; then
            name_more "$path/"
        elif [ -f "$path" ] && [ "$path" != SHA256SUMS ]; then
            case $known in
            *"$newline$path$newline"*) ;;
            *) fail 4 "not of the bundle: $path" ;;
            esac
        fi
    done
}

verify() {
    read_manifest
    if [ -n "$manifest" ]; then
        found=$(sha256sum <SHA256SUMS) || fail 3 'sha256sum is missing'
        if [ "${found%% *}" != "$manifest" ]; then
            fail 4 "SHA256SUMS is another one: its digest is ${found%% *}"
        fi
    fi
    there=0
    look_around ''
    if [ $there != $((files + 1)) ]; then
        known=$newline
        while IFS= read -r line; do known=$known${line#*  }$newline; done <SHA256SUMS
        name_more ''
    fi
    if report=$(sha256sum -c SHA256SUMS 2>&1); then return; fi
    printf '%s\n' "$report" | while IFS= read -r line; do
        case $line in *': OK') ;; *) say "$line" ;; esac
    done
    fail 4 'the bundle is damaged'
}

verify
say "verified: all $files files of the bundle are what SHA256SUMS says"
if [ "$only" = verify ]; then exit 0; fi

# --- what of it is wanted? ---

read -r line <bundle.txt
if [ "$line" != 'envlock-bundle 1' ]; then
    fail 2 "this script reads bundles of format 1, and bundle.txt begins: $line"
fi
if [ "$only" = list ]; then
    while read -r kind hash rest; do
        case $kind in
        lock) printf '%s  %s\n' "$hash" "$rest" ;;
        target)
            # shellcheck disable=SC2086
            set -- $rest
            printf '%s  %s@%s\n' "$hash" "$1" "$2"
            ;;
        esac
    done <bundle.txt
    exit 0
fi

chosen=''
while read -r kind hash rest; do
    if [ "$kind" != lock ] || [ "$hash" = "$chosen" ]; then continue; fi
    case $hash in "$lock"* | "env1-$lock"*) ;; *) continue ;; esac
    if [ -n "$chosen" ]; then
        fail 2 'there are several locks in the bundle: choose one with --lock (see --list)'
    fi
    chosen=$hash
done <bundle.txt
if [ -z "$chosen" ]; then fail 2 "no lock in the bundle is $lock (see --list)"; fi

case $(uname -s)/$(uname -m) in
Linux/x86_64) platform=linux/amd64 ;;
Linux/aarch64 | Linux/arm64) platform=linux/arm64 ;;
Darwin/x86_64) platform=macos/amd64 ;;
Darwin/arm64) platform=macos/arm64 ;;
*) fail 3 "no lock is for this machine: $(uname -s) $(uname -m)" ;;
esac

# --- a place for it ---

case $into in */) into=${into%/} ;; esac
for path in "$into"/* "$into"/.[!.]*; do
    if [ -e "$path" ] || [ -L "$path" ]; then fail 2 "something is there already: $into"; fi
done
case $into in
*[\'\"\\\$\`:\;]* | *"$newline"*) fail 2 "the path has a character that cannot be used: $into" ;;
esac
place=${into%/*}
while [ ! -d "$place/" ]; do place=${place%/*}; done
case $(cd -- "$place/" && pwd -P)/ in
"$bundle"/*) fail 2 "the environment cannot be in the bundle: choose another place with --into" ;;
esac
mkdir -p -- "${into%/*}/" || exit 3
into=$(cd -- "${into%/*}/" && pwd -P)/${into##*/}
works=${into%/*}/.${into##*/}.envlock-partial-
work=$works$$
# What earlier runs left that were cut off; one that goes on beside this one keeps its own.
for path in "$works"*; do
    case ${path#"$works"} in *[!0-9]*) continue ;; esac
    if [ "$path" = "$work" ] || ! kill -0 "${path#"$works"}" 2>/dev/null; then rm -rf -- "$path"; fi
done
mkdir -- "$work" || exit 3
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT TERM HUP

# --- a Python for it ---

# try PROGRAM…: whether this Python can be the environment's.
tried=''
try() {
    if reason=$("$@" -I -S -B "$bundle/install.py" --plan "$plan" --probe 2>&1 </dev/null); then return 0; fi
    tried="$tried$newline  $1: ${reason##*"$newline"}"
    return 1
}

# The machine's own; its path in $own.
find_own() {
    if [ -n "$python" ]; then set -- "$python"; else set -- "python$series" python3 python; fi
    for own in "$@"; do
        case $own in */*) ;; *) own=$(command -v -- "$own") || continue ;; esac
        case $own in /*) ;; *) continue ;; esac
        if try "$own"; then return 0; fi
    done
    return 1
}

# runner FILE PREFIX: a script that is the unpacked Python of a folder that is (or will be) PREFIX. It
# starts with its own loader and libraries: the machine's may be older, or none. The name that it is
# called by, also through a link, goes on to Python, which finds its environment by that.
runner() {
    libraries='' real=$2/base/usr/bin/python$series
    for path in $folders; do libraries="$libraries${libraries:+:}$2/base/$path"; done
    start="exec '$2/base/$loader' --library-path '$libraries'"
    if [ "$renames" = 1 ]; then
        start="$start --argv0 \"\$0\" '$real'"
    else
        # A loader before glibc 2.33 cannot: Python is in the environment once more, as a link.
        start="case \${0%/*}/ in '${real%/*}/') name='$real' ;; *) name='$2/libexec/python$series' ;; esac
$start \"\$name\""
    fi
    printf '#!/bin/sh\n%s "$@"\n' "$start" >"$1" && chmod 755 "$1"
}

# What that one's Python calls itself is a program without its loader: it starts the script again.
# The distribution has a link there, out of the folder.
name_itself() {
    rm -f -- "$1"
    printf '%s\n' 'import sys' "NAMES = {" \
        "    '$into/libexec/python$series': '$into/bin/python'," \
        "    '$into/base/usr/bin/python$series': '$into/base/usr/bin/python'," "}" \
        'sys.executable = NAMES.get(sys.executable, sys.executable)' \
        "sys._base_executable = '$into/base/usr/bin/python'" >"$1"
}

# unpack ARCHIVE OPTION…: where tar fails, it says so of each file: two lines are enough.
unpack() {
    archived=$1
    shift
    if said=$(tar "$@" "$archived" -C "$work/base" 2>&1); then return 0; fi
    more=${said#*"$newline"}
    fail 3 "tar cannot unpack $archived: ${said%%"$newline"*}; ${more%%"$newline"*}"
}

# The bundle's own, unpacked below base/; how to start it in $own.
find_bundled() {
    trees='' archive=''
    while read -r kind hash system locked path; do
        case "$hash $system@$locked" in "$chosen $candidate") ;; *) continue ;; esac
        case $kind in
        tree) trees="$trees $path" ;;
        archive) archive=$path ;;
        esac
    done <bundle.txt
    if [ -z "$trees$archive" ]; then return 1; fi
    rm -rf -- "$work/base"
    mkdir -- "$work/base" || exit 3
    if [ -n "$archive" ]; then
        unpack "$archive" -xzf # this needs gzip
        own=$work/base/python/bin/python3
        try "$own"
        return
    fi
    for path in $trees; do
        unpack "$path" -xf
    done
    cd -- "$work/base" || exit 3
    loader='' folders='' renames=0
    for path in lib/*-linux-gnu usr/lib/*-linux-gnu; do
        if [ ! -d "$path" ]; then continue; fi
        folders="$folders $path"
        for one in "$path"/ld-linux-*.so.*; do
            if [ -f "$one" ] && [ -z "$loader" ]; then loader=$one; fi
        done
    done
    cd -- "$bundle" || exit 3
    if [ -z "$loader" ] || [ ! -f "$work/base/usr/bin/python$series" ]; then return 1; fi
    case $("$work/base/$loader" --help 2>&1) in *--argv0*) renames=1 ;; esac
    own=$work/base/usr/bin/start
    runner "$own" "$work"
    try "$own"
}

# The newest Python first: bundle.txt has them in this order.
found='' known=''
while read -r kind hash system version plan; do
    if [ "$kind $hash $system" != "target $chosen $platform" ]; then continue; fi
    candidate=$system@$version
    known="$known $candidate"
    if [ -n "$target" ] && [ "$target" != "$candidate" ]; then continue; fi
    case $version in *.*.*) series=${version%.*} ;; *) series=$version ;; esac
    if [ $bundled = 0 ] && find_own; then
        found=own
    elif [ -z "$python" ] && find_bundled; then
        found=bundled
    fi
    if [ -n "$found" ]; then break; fi
done <bundle.txt
if [ -z "$known" ]; then fail 3 "the lock $chosen is not for $platform (see --list)"; fi
if [ -n "$tried" ]; then say "not used:$tried"; fi
if [ -z "$found" ]; then
    fail 3 "no Python here fits${target:+ $target} (locked:$known), and the bundle has none for it"
fi

# --- the environment ---

set -- --plan "$plan" --work "$work" --into "$into" --start "$own" $missing
if [ $found = own ]; then
    say "Python: $own"
elif [ -n "$archive" ]; then
    say "Python: $archive, unpacked"
else
    say "Python: of the bundle's OS packages, unpacked"
    mkdir -- "$work/bin" || exit 3
    rm -f -- "$work/base/usr/bin/python"
    runner "$work/base/usr/bin/python" "$into"
    ln -s ../base/usr/bin/python "$work/bin/python"
    if [ $renames = 0 ]; then
        mkdir -- "$work/libexec" || exit 3
        ln -s "../base/usr/bin/python$series" "$work/libexec/python$series"
        name_itself "$work/base/usr/lib/python$series/sitecustomize.py"
    fi
    set -- "$@" --home "$into/base/usr/bin"
fi
told=$("$own" -I -S -B "$bundle/install.py" "$@") || exit $?
if [ $found = bundled ] && [ -z "$archive" ]; then rm -f -- "$work/base/usr/bin/start"; fi
# An empty folder may be there.
if [ -d "$into" ] && ! rmdir -- "$into" 2>/dev/null; then
    fail 2 "something is there by now: $into"
fi
mv -- "$work" "$into" || exit 3
if [ -d "$into/${work##*/}" ]; then
    work=$into/${work##*/}
    fail 2 "something is there by now: $into"
fi
trap - EXIT
"$into/bin/python" -I -c 'import sys; sys.exit(sys.prefix == sys.base_prefix)' ||
    fail 3 "the environment does not start: $into/bin/python"
say "rebuilt for $candidate: $told"
say "use it: $into/bin/python"
printf '%s\n' "$chosen"
