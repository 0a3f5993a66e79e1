#!/bin/sh
# Made by envlock; make it again with `envlock check --portable`. Compares a Python environment, OS
# packages and files with a lock. Needs a POSIX shell and sha256sum, nothing else.
#
# Environment: @ENVIRONMENT@
# For: @TARGET@
#
# Exit codes: 0 fine, 1 drift, 2 bad usage, 3 sha256sum failed.

usage='usage: sh check.sh [--lock FILE] [--prefix DIR] [--root DIR] [--files DIR]
  --lock FILE    the lockfile, by its digest
  --prefix DIR   a Python environment: names and versions of what is installed
  --root DIR     a system with dpkg: versions and states of the locked packages
  --files DIR    wheels, sdists and .debs in a folder, by their digests
Without any: the lockfile and .venv, where they are here.'

locked=@LOCK@ lock='' prefix='' root='' files=''
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        printf '%s\n' "$usage"
        exit 0
        ;;
    --lock | --prefix | --root | --files) ;;
    *)
        printf '%s\n' "$usage" >&2
        exit 2
        ;;
    esac
    if [ -z "${2-}" ]; then
        printf '%s\n' "$usage" >&2
        exit 2
    fi
    case $1 in
    --lock) lock=$2 ;;
    --prefix) prefix=$2 ;;
    --root) root=$2 ;;
    --files) files=$2 ;;
    esac
    shift 2
done

fail() {
    printf 'error: %s\n' "$2" >&2
    exit "$1"
}

if [ -z "$lock$prefix$root$files" ]; then
    if [ -f "$locked" ]; then lock=$locked; fi
    if [ -f .venv/pyvenv.cfg ]; then prefix=.venv; fi
    if [ -z "$lock$prefix" ]; then fail 2 "neither $locked nor .venv is here"; fi
fi

drift=0
tell() {
    printf '%s\n' "$1"
    drift=1
}

# The SHA-256 of a file, in $digest.
digest_of() {
    digest=$(sha256sum <"$1") || fail 3 "sha256sum cannot read $1"
    digest=${digest%% *}
}

check_lock() {
    if [ ! -f "$lock" ]; then fail 2 "no such file: $lock"; fi
    digest_of "$lock"
    if [ "$digest" != @LOCK_SHA256@ ]; then
        tell "$lock is not the lockfile that this script was made from"
    fi
}

# want NAME PATTERN [VERSION…]: one installed package of that name, in one of these spellings of the
# version (none: any).
want() {
    name=$1 pattern=$2 expected=${3-} count=0 right=0 there=''
    shift 2
    for site in "$site1" "$site2"; do
        for path in "$site"/$pattern-*.dist-info "$site"/$pattern-*.egg-info; do
            if [ -z "$site" ] || [ ! -e "$path" ]; then continue; fi
            count=$((count + 1))
            version=${path##*/}
            version=${version#$pattern-}
            version=${version%.*-info}
            version=${version%-py3*}
            there="$there${there:+, }$version"
            if [ $# = 0 ]; then right=1; fi
            for one in "$@"; do
                if [ "$version" = "$one" ]; then right=1; fi
            done
        done
    done
    if [ $count = 0 ]; then
        tell "PY001  missing  $name  expected ${expected:-its source tree}"
    elif [ $count != 1 ]; then
        tell "PY007  duplicate  $name  found $there"
    elif [ $right = 0 ]; then
        tell "PY003  other-version  $name  expected $expected, found $there"
    fi
}

# pick INFO: where that *.dist-info is, in $at, and the digest of its WHEEL, in $digest; empty: nowhere.
pick() {
    at='' digest=''
    for site in "$site1" "$site2"; do
        if [ -n "$site" ] && [ -f "$site/$1/WHEEL" ]; then
            at=$site
            digest_of "$site/$1/WHEEL"
            return
        fi
    done
}

# hold: the files below $at, by the list of digests on stdin.
hold() {
    said=$(cd "$at" && sha256sum -c 2>/dev/null)
    if [ -z "$said" ]; then fail 3 "sha256sum -c says nothing"; fi
    while IFS= read -r line; do
        case $line in
        *': OK') continue ;;
        *': FAILED'*) path=${line%: FAILED*} ;;
        *) continue ;;
        esac
        if [ -e "$at/$path" ]; then
            tell "PY102  file-modified  $path"
        else
            tell "PY101  file-missing  $path"
        fi
    done <<SAID
$said
SAID
}

check_python() {
    site1=$prefix/lib/python@SERIES@/site-packages site2=''
    if [ ! -d "$prefix" ]; then
        tell "PY000  no-environment  $prefix  expected CPython @PYTHON_VERSION@"
        return
    fi
    if [ ! -d "$site1" ]; then
        tell "PY004  other-interpreter  python  expected CPython @PYTHON_VERSION@"
        return
    fi
    if [ -d "$prefix/lib64/python@SERIES@/site-packages" ] && [ ! -L "$prefix/lib64" ]; then
        site2=$prefix/lib64/python@SERIES@/site-packages
    fi
    :
@WANTED@
    for site in "$site1" "$site2"; do
        for path in "$site"/*.dist-info "$site"/*.egg-info; do
            if [ -z "$site" ] || [ ! -e "$path" ]; then continue; fi
            case ${path##*/} in
            @KNOWN@) ;;
            *)
                name=${path##*/}
                tell "PY002  extra  ${name%.*-info}"
                ;;
            esac
        done
    done
@CONTENT@
}

# The version that is locked of an OS package, in $wanted; empty: none.
locked_os() {
    wanted=''
    case $1 in
@OS_VERSIONS@
    '') ;;
    esac
}

# A paragraph of dpkg's status has ended.
paragraph() {
    case $architecture in '@ARCHITECTURE@' | all) locked_os "$package" ;; *) wanted='' ;; esac
    case $state in config-files | not-installed) wanted='' ;; esac
    if [ -n "$wanted" ]; then
        seen="$seen$package "
        if [ "$version" != "$wanted" ]; then
            tell "OS002  os-other-version  $package  expected $wanted, found $version"
        elif [ "$state" != installed ]; then
            tell "OS003  os-unfinished  $package  expected installed, found $state"
        fi
    fi
    package='' version='' state='' architecture=''
}

check_os() {
    status=$root/var/lib/dpkg/status seen=' '
    if [ -z '@ARCHITECTURE@' ]; then fail 2 'the lock has no OS packages'; fi
    if [ ! -f "$status" ]; then fail 2 "no dpkg status here: $status"; fi
    package='' version='' state='' architecture=''
    while IFS= read -r line || [ -n "$line" ]; do
        case $line in
        'Package: '*) package=${line#*: } ;;
        'Version: '*) version=${line#*: } ;;
        'Status: '*) state=${line##* } ;;
        'Architecture: '*) architecture=${line#*: } ;;
        '') paragraph ;;
        esac
    done <"$status"
    paragraph
    for name in @OS_NAMES@; do
        case $seen in
        *" $name "*) ;;
        *)
            locked_os "$name"
            tell "OS001  os-missing  $name  expected $wanted"
            ;;
        esac
    done
}

# The digest that is locked of a file, in $wanted; empty: none.
locked_file() {
    wanted=''
    case $1 in
@FILES@
    '') ;;
    esac
}

check_files() {
    if [ ! -d "$files" ]; then fail 2 "no such folder: $files"; fi
    known=0
    for path in "$files"/* "$files"/*/*; do
        locked_file "${path##*/}"
        if [ -z "$wanted" ] || [ ! -f "$path" ]; then continue; fi
        known=$((known + 1))
        digest_of "$path"
        if [ "$digest" != "$wanted" ]; then
            tell "$path is not the locked file: expected sha256 $wanted, found $digest"
        fi
    done
    if [ $known = 0 ]; then fail 2 "no file of the lock is in $files"; fi
    printf '%s\n' "$known files of the lock are in $files" >&2
}

# What was compared is always said: that nothing differs means little where nothing was there.
compared=''
for place in "$lock" "$prefix" "$root" "$files"; do
    if [ -n "$place" ]; then compared="$compared${compared:+, }$place"; fi
done
if [ -n "$lock" ]; then check_lock; fi
if [ -n "$prefix" ]; then check_python; fi
if [ -n "$root" ]; then check_os; fi
if [ -n "$files" ]; then check_files; fi

if [ $drift = 0 ]; then
    printf '%s\n' "no drift in $compared: @ENVIRONMENT@" >&2
else
    printf '%s\n' "drift in $compared from @ENVIRONMENT@" >&2
fi
exit $drift
