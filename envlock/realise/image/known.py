"""Packages whose maintainer scripts were read, and why they need not run; by distribution.

Made by reading ``preinst``, ``postinst`` and ``triggers`` of the essential set and CPython of each
release first, and by comparing with what running them leaves behind (tests do so for all of it).
What is not here is judged line by line: see ``scripts``.
"""

from __future__ import annotations

UPGRADE = "acts when an older version is upgraded, not at a first installation"
PYC = "compiles modules to .pyc; an image has none"
_BY_US = "what it makes, envlock makes (effects)"
_SERVICES = "tells a running systemd, which no container has"

_BOOKWORM: dict[str, str] = {
    "base-files": f"{_BY_US}: empty folders, /root's files, /etc/profile, /etc/motd, logs",
    "base-passwd": f"{_BY_US}: /etc/passwd and /etc/group from its master files",
    "bash": "an alternative (a manual page); /bin/sh where there is none, but dash has it",
    "ca-certificates": f"{_BY_US}: the bundle, its list, links to the certificates",
    "coreutils": "links /usr/bin/touch where it is not; it is",
    "dash": f"{_BY_US}: the diversion of /bin/sh and its manual page",
    "debconf": "loads its own questions; nobody is asked in an image",
    "debianutils": f"{_BY_US}: /etc/shells; an alternative (which)",
    "dpkg": "moves alternatives of very old versions; a systemd timer, which no container runs",
    "git": UPGRADE,
    "init-system-helpers": UPGRADE,
    "less": "an alternative (pager)",
    "libblas3": "an alternative; else " + UPGRADE,
    "libc-bin": f"{_BY_US}: /etc/nsswitch.conf, the loader's cache",
    "libc6": "restarts services " + UPGRADE,
    "libgcrypt20": UPGRADE,
    "libgssapi-krb5-2": UPGRADE,
    "liblapack3": "an alternative; else " + UPGRADE,
    "libpam-modules": f"{_BY_US}: /etc/security/opasswd, /etc/environment",
    "libpam-runtime": f"{_BY_US}: /etc/pam.d/common-*, for the profile of passwords alone",
    "libpam0g": "restarts services " + UPGRADE,
    "libpython3.11-minimal": "nothing: its only condition has an empty body",
    "login": f"{_BY_US}: empty /etc/subuid, /etc/subgid, /var/log/faillog",
    "mawk": "an alternative (awk)",
    "openssl": "links /usr/lib/ssl where it is not; it is",
    "perl": "removes an alternative of old versions",
    "perl-base": UPGRADE,
    "python3": f"{_BY_US}: /etc/python3/debian_config; {PYC}",
    "python3-distutils": PYC,
    "python3-lib2to3": PYC,
    "python3-minimal": PYC,
    "python3.11": PYC,
    "python3.11-minimal": f"{_BY_US}: /usr/local/lib/python3.11/dist-packages; {PYC}",
    "python3.11-venv": PYC,
    "readline-common": f"{_BY_US}: /etc/inputrc",
    "tar": "an alternative (rmt)",
    "tzdata": f"{_BY_US}: UTC as local time",
    "usr-is-merged": "checks that /bin and the like are links into /usr; they are",
    "usrmerge": "makes /bin and the like links into /usr; envlock has put them so",
    "util-linux": "an alternative (pager); a systemd timer, which no container runs",
    "util-linux-extra": "links for init to set the hardware clock, which no container has",
}

_TRIXIE: dict[str, str] = {
    "base-files": f"{_BY_US}: empty folders, /root's files, /etc/profile, diversions of /lib32",
    "base-passwd": f"{_BY_US}: /etc/passwd, /etc/group from its master files, /etc/subuid",
    "bash": "an alternative (a manual page); /bin/sh where there is none, but dash has it",
    "ca-certificates": f"{_BY_US}: the bundle, its list, links to the certificates",
    "dash": f"takes away its diversions of old versions; else {UPGRADE}",
    "debconf": "loads its own questions; nobody is asked in an image",
    "debianutils": f"{_BY_US}: /etc/shells; an alternative (which)",
    "dpkg": f"{_BY_US}: /var/lib/dpkg/arch-native; {_SERVICES}",
    "git": UPGRADE,
    "gzip": "repairs diversions of zutils, where that is there in an older version",
    "init-system-helpers": UPGRADE,
    "less": "an alternative (pager)",
    "libblas3": f"an alternative; else {UPGRADE}",
    "libc-bin": f"{_BY_US}: /etc/nsswitch.conf, the loader's cache",
    "libc6": f"restarts services {UPGRADE}",
    "libgcrypt20": UPGRADE,
    "libgssapi-krb5-2": UPGRADE,
    "liblapack3": f"an alternative; else {UPGRADE}",
    "libpam-modules": f"{_BY_US}: /etc/security/opasswd, /etc/environment",
    "libpam-modules-bin": _SERVICES,
    "libpam-runtime": f"{_BY_US}: /etc/pam.d/common-*, for the profile of passwords alone",
    "libpam0g": f"restarts services {UPGRADE}",
    "libpython3.13-minimal": "nothing: its only condition has an empty body",
    "libreadline8t64": f"{_BY_US}: diversions of its libraries in /lib",
    "libselinux1": f"{_SERVICES}; else {UPGRADE}",
    "login": UPGRADE,
    "mawk": "an alternative (awk)",
    "netbase": f"{_BY_US}: /etc/hosts, /etc/networks",
    "openssl": "links /usr/lib/ssl where it is not; it is",
    "perl": "removes an alternative of old versions",
    "python3": f"{_BY_US}: /etc/python3/debian_config; {PYC}",
    "python3-minimal": PYC,
    "python3.13": PYC,
    "python3.13-minimal": f"{_BY_US}: /usr/local/lib/python3.13/dist-packages; {PYC}",
    "python3.13-venv": PYC,
    "readline-common": f"{_BY_US}: /etc/inputrc",
    "tar": "an alternative (rmt)",
    "tzdata": f"{_BY_US}: UTC as local time",
    "util-linux": "an alternative (pager); a systemd timer, which no container runs",
}

KNOWN = {"debian:bookworm": _BOOKWORM, "debian:trixie": _TRIXIE}
"""Base → package → why its maintainer scripts need not run."""
