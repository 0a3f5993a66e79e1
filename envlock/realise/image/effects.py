"""What the maintainer scripts of ``scripts.KNOWN`` leave behind, made by envlock.

Each function says what one package's scripts do at a first installation; what a
package ships itself is never replaced. Left out on purpose: .pyc files, links that
start services, debconf's answers, and links by hash in /etc/ssl/certs: OpenSSL finds the
bundle by its other default name, ``cert.pem``, a link that the package openssl brings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from envlock.realise.image.ldcache import TRIPLETS

CAPTURED = re.compile(
    r"usr/share/(base-files|base-passwd|debianutils|pam|pam-configs|ca-certificates)/.*"
    r"|usr/share/(libc-bin/nsswitch\.conf|readline/inputrc)"
    r"|etc/ld\.so\.conf\.d/.*\.conf"
)
"""Files of packages whose content is looked at."""

_ROOT, _MAIL, _UTMP = 0, 8, 43  # fixed numbers of Debian (base-passwd)


class Root(Protocol):
    """The image's root, as effects see it; nothing that is there is replaced."""

    @property
    def architecture(self) -> str:
        """Debian's name."""

    def captured(self, path: str) -> bytes | None:
        """A file of ``CAPTURED``; None where no package has it."""

    def captured_below(self, folder: str) -> Mapping[str, bytes]:
        """All such files below a folder, by path, sorted."""

    def add_folder(self, path: str, mode: int = 0o755, gid: int = 0) -> None:
        """A folder."""

    def add_file(self, path: str, content: bytes, mode: int = 0o644, gid: int = 0) -> None:
        """A file."""

    def add_link(self, path: str, target: str) -> None:
        """A symbolic link."""


def _copy(root: Root, source: str, target: str) -> None:
    content = root.captured(source)
    if content is not None:
        root.add_file(target, content)


def _base_files(root: Root) -> None:
    root.add_link("etc/dpkg/origins/default", "debian")
    for name, target in (
        ("dot.profile", "root/.profile"),
        ("dot.bashrc", "root/.bashrc"),
        ("profile", "etc/profile"),
        ("motd", "etc/motd"),
        ("info.dir", "usr/share/info/dir"),
    ):
        _copy(root, f"usr/share/base-files/{name}", target)
    for folder in ("mnt", "srv", "opt", "etc/opt", "var/opt", "media"):
        root.add_folder(folder)
    root.add_folder("var/mail", 0o2775, _MAIL)
    root.add_link("var/spool/mail", "../mail")
    root.add_folder("run/lock", 0o1777)
    for name in ("", "share", "share/man", "bin", "games", "lib", "include", "sbin", "src", "etc"):
        root.add_folder(f"usr/local/{name}".rstrip("/"))
    root.add_link("usr/local/man", "share/man")
    for name, mode in (("wtmp", 0o664), ("btmp", 0o660), ("lastlog", 0o664)):
        root.add_file(f"var/log/{name}", b"", mode, _UTMP)


def _base_files_trixie(root: Root) -> None:
    _base_files(root)
    root.add_folder("usr/local/libexec")


def _base_passwd_trixie(root: Root) -> None:
    _base_passwd(root)
    for path in ("etc/subuid", "etc/subgid"):
        root.add_file(path, b"")


_LOADER = {"amd64": "/lib64/ld-linux-x86-64.so.2", "arm64": "/lib/ld-linux-aarch64.so.1"}
_READLINE = ("libhistory.so.8", "libhistory.so.8.2", "libreadline.so.8", "libreadline.so.8.2")


def diversions(base: str, architecture: str, packages: Iterable[str]) -> bytes:
    """``/var/lib/dpkg/diversions`` of these packages (dpkg-divert(1)), sorted; empty without any.

    Those of Debian 13 keep older packages from undoing the move into /usr; nothing is renamed.
    """
    found: list[tuple[str, str, str]] = []
    for package in packages if base == "debian:trixie" else ():
        if package == "base-files":
            names = [(f"/{name}", f"/.{name}") for name in ("lib32", "libo32", "libx32")]
        elif package == "libc6" and architecture in _LOADER:
            names = [(_LOADER[architecture], _LOADER[architecture])]
        elif package == "libreadline8t64":
            folder = f"/lib/{TRIPLETS[architecture]}"
            names = [(f"{folder}/{name}", f"{folder}/{name}") for name in _READLINE]
        else:
            continue
        found += [(path, f"{target}.usr-is-merged", package) for path, target in names]
    return "".join(f"{line}\n" for entry in sorted(found) for line in entry).encode()


def _dpkg_trixie(root: Root) -> None:
    root.add_file("var/lib/dpkg/arch-native", f"{root.architecture}\n".encode())


_HOSTS = b"""\
127.0.0.1\tlocalhost
::1\t\tlocalhost ip6-localhost ip6-loopback
ff02::1\t\tip6-allnodes
ff02::2\t\tip6-allrouters

"""
_NETWORKS = b"""\
default\t\t0.0.0.0
loopback\t127.0.0.0
link-local\t169.254.0.0

"""


def _netbase(root: Root) -> None:
    root.add_file("etc/hosts", _HOSTS)
    root.add_file("etc/networks", _NETWORKS)


def _base_passwd(root: Root) -> None:
    _copy(root, "usr/share/base-passwd/passwd.master", "etc/passwd")
    _copy(root, "usr/share/base-passwd/group.master", "etc/group")


def _dash(root: Root) -> None:
    manual = "/usr/share/man/man1/sh"
    lines = (
        f"{manual}.1.gz",
        f"{manual}.distrib.1.gz",
        "dash",
        "/bin/sh",
        "/bin/sh.distrib",
        "dash",
    )
    root.add_file("var/lib/dpkg/diversions", "".join(f"{line}\n" for line in lines).encode())


def _debianutils(root: Root) -> None:
    """As ``update-shells`` does: the template, then what packages name, with its real place."""
    template = root.captured("usr/share/debianutils/shells") or b""
    named = root.captured_below("usr/share/debianutils/shells.d")
    shells: dict[str, None] = {}
    for text in (template, *named.values()):
        for line in text.decode().splitlines():
            shell = line.partition("#")[0].strip()
            if shell:
                shells[shell] = None
                shells["/usr" + shell if shell.startswith("/bin/") else shell] = None
    there = template.decode().splitlines()
    added = [shell for shell in shells if shell not in there]
    root.add_file("etc/shells", "".join(f"{line}\n" for line in (*there, *added)).encode())
    root.add_file("var/lib/shells.state", "".join(f"{shell}\n" for shell in shells).encode())


def _libc_bin(root: Root) -> None:
    _copy(root, "usr/share/libc-bin/nsswitch.conf", "etc/nsswitch.conf")


def _libpam_modules(root: Root) -> None:
    root.add_file("etc/security/opasswd", b"", 0o600)
    root.add_file("etc/environment", b"")


def _login(root: Root) -> None:
    for path in ("etc/subuid", "etc/subgid", "var/log/faillog"):
        root.add_file(path, b"")


_PYTHON_CONFIG = b"""\
[DEFAULT]
# how to byte-compile (comma separated: standard, optimize)
byte-compile = standard
"""


def _python3(root: Root) -> None:
    root.add_folder("etc/python3")
    root.add_file("etc/python3/debian_config", _PYTHON_CONFIG)


def _python_minimal(root: Root, name: str) -> None:
    root.add_folder(f"usr/local/lib/{name}")
    root.add_folder(f"usr/local/lib/{name}/dist-packages")
    root.add_folder("var/lib/python")
    root.add_file(f"var/lib/python/{name}_installed", b"")


def _readline_common(root: Root) -> None:
    _copy(root, "usr/share/readline/inputrc", "etc/inputrc")


def _local_time(root: Root) -> None:
    root.add_link("etc/localtime", "/usr/share/zoneinfo/Etc/UTC")


def _tzdata(root: Root) -> None:
    _local_time(root)
    root.add_file("etc/timezone", b"Etc/UTC\n")


_CA_LIST = b"""\
# This file lists certificates that you wish to use or to ignore to be
# installed in /etc/ssl/certs.
# update-ca-certificates(8) will update /etc/ssl/certs by reading this file.
#
# This is autogenerated by dpkg-reconfigure ca-certificates.
# Certificates should be installed under /usr/share/ca-certificates
# and files with extension '.crt' is recognized as available certs.
#
# line begins with # is comment.
# line begins with ! is certificate filename to be deselected.
#
"""


def _ca_certificates(root: Root) -> None:
    folder = "usr/share/ca-certificates"
    root.add_folder("usr/local/share/ca-certificates")
    found = {
        path.removeprefix(f"{folder}/"): content
        for path, content in root.captured_below(folder).items()
        if path.endswith(".crt")
    }
    root.add_file(
        "etc/ca-certificates.conf", _CA_LIST + "".join(f"{name}\n" for name in found).encode()
    )
    bundle = b""
    for name, content in found.items():
        plain = name.rpartition("/")[2].removesuffix(".crt").replace(" ", "_").replace(",", "_")
        plain = re.sub(r"[()]", "=", plain)
        root.add_link(f"etc/ssl/certs/{plain}.pem", f"/{folder}/{name}")
        bundle += content if content.endswith(b"\n") else content + b"\n"
    root.add_file("etc/ssl/certs/ca-certificates.crt", bundle)


_PAM_TYPES = {
    # file: the kind of module, the profile's fields, and what stands where there is no module
    "auth": ("auth", "Auth"),
    "account": ("account", "Account"),
    "password": ("password", "Password"),
    "session": ("session", "Session"),
    "session-noninteractive": ("session", "Session"),
}


def _libpam_runtime(root: Root) -> None:
    """As ``pam-auth-update`` does with the profile ``unix`` alone, the only one on by default."""
    profile = (root.captured("usr/share/pam-configs/unix") or b"").decode()
    for name, (kind, field) in _PAM_TYPES.items():
        template = root.captured(f"usr/share/pam/common-{name}")
        found = re.search(rf"^{field}-Initial:\n((?:[ \t].*\n?)+)", profile, re.M)
        if template is None or found is None:
            continue
        modules = [line.lstrip() for line in found[1].splitlines()]
        primary = f"{field}-Type: Primary" in profile
        state = "".join(f"{line}\n" for line in ("Module: unix", *modules))
        null = "[default=1]\t\t\tpam_permit.so"
        # The profile's word for "the end of the block" is a number of modules in the stack.
        # A module without options is followed by a space.
        rows = (re.sub(r"\.so$", ".so ", line) for line in modules)
        lines = [f"{kind}\t{row.replace('success=end', 'success=1')}" for row in rows]
        first = lines if primary else [f"{kind}\t{null}"]
        if not primary:
            state = f"Module: null\n{null}\n{state}"
        text = template.decode()
        for part, inserted in (("primary", first), ("additional", [] if primary else lines)):
            text = text.replace(f"${kind}_nonint_{part}\n", f"${kind}_{part}\n")
            text = text.replace(f"${kind}_{part}\n", "".join(f"{line}\n" for line in inserted))
        root.add_file(f"etc/pam.d/common-{name}", text.encode())
        root.add_file(f"var/lib/pam/{name}", state.encode())
    names = {
        re.search(r"^Priority: (\d+)", content.decode(), re.M): path.rpartition("/")[2]
        for path, content in root.captured_below("usr/share/pam-configs").items()
    }
    ordered = sorted(names.items(), key=lambda item: -int(item[0][1]) if item[0] else 0)
    root.add_file("var/lib/pam/seen", "".join(f"{name}\n" for _, name in ordered).encode())


_Effects = dict[str, Callable[[Root], None]]
_COMMON: _Effects = {
    "ca-certificates": _ca_certificates,
    "debianutils": _debianutils,
    "libc-bin": _libc_bin,
    "libpam-modules": _libpam_modules,
    "libpam-runtime": _libpam_runtime,
    "python3": _python3,
    "readline-common": _readline_common,
}
EFFECTS: dict[str, _Effects] = {
    "debian:bookworm": {
        **_COMMON,
        "base-files": _base_files,
        "base-passwd": _base_passwd,
        "dash": _dash,
        "login": _login,
        "python3.11-minimal": lambda root: _python_minimal(root, "python3.11"),
        "tzdata": _tzdata,
    },
    "debian:trixie": {
        **_COMMON,
        "base-files": _base_files_trixie,
        "base-passwd": _base_passwd_trixie,
        "dpkg": _dpkg_trixie,
        "netbase": _netbase,
        "pkgconf-bin": lambda root: root.add_folder("usr/lib/pkgconfig"),
        "python3.13-minimal": lambda root: _python_minimal(root, "python3.13"),
        "tzdata": _local_time,
    },
}
"""Base → package → what its scripts would make."""
