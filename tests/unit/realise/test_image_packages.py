"""Packages into layers: what is put where, and what is refused by name."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from envlock.errors import EnvlockError, UsageError, VerificationError
from envlock.io.store import store_file, stored
from envlock.lock.os import OsPackage
from envlock.realise.image.packages import Root, write_folder, write_layer

PASSWD = b"root:*:0:0:root:/root:/bin/bash\nmail:*:8:8:mail:/var/mail:/usr/sbin/nologin\n"
GROUP = b"root:*:0:\nshadow:*:42:\n"


def entry(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    """A member of a data archive; ``size`` follows from ``content``."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    info.uname = info.gname = "root"
    info.mtime = 1_700_000_000
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def tar(members: Sequence[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for info, content in members:
            if info.isreg():
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def ar(members: Mapping[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, content in members.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
        out += content + b"\n" * (len(content) % 2)
    return out


def package(
    folder: Path,
    name: str,
    *members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes],
    control: Mapping[str, str] | None = None,
    requested: bool = False,
    broken: bytes | None = None,
) -> OsPackage:
    """A .deb in the store; ``control`` are further files of its control part."""
    paragraph = f"Package: {name}\nVersion: 1\nArchitecture: amd64\nDescription: for tests\n"
    files = {"control": paragraph, **(control or {})}
    content = ar(
        {
            "debian-binary": b"2.0\n",
            "control.tar.gz": tar([(entry(f"./{n}"), t.encode()) for n, t in files.items()]),
            "data.tar.gz": tar([m if isinstance(m, tuple) else (m, b"") for m in members]),
        }
    )
    content = content if broken is None else broken
    path = folder / f"{name}.deb"
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    store_file(path, digest)
    return OsPackage(
        architecture="amd64",
        name=name,
        version="1",
        sha256=digest,
        size=len(content),
        file_name=f"pool/{name}_1_amd64.deb",
        suite="bookworm",
        source=name,
        source_version="1",
        requested=requested,
    )


def base_passwd(folder: Path) -> OsPackage:
    place = "./usr/share/base-passwd"
    return package(
        folder,
        "base-passwd",
        entry("./", tarfile.DIRTYPE),
        (entry(f"{place}/passwd.master"), PASSWD),
        (entry(f"{place}/group.master"), GROUP),
    )


def layer(*packages: OsPackage, base: str = "debian:bookworm") -> dict[str, tarfile.TarInfo]:
    made = write_layer(
        Root(base=base, architecture="amd64"), packages, title="test", compression="none"
    )
    with tarfile.open(stored(made.digest)) as archive:
        return {info.name: info for info in archive}


def text(*packages: OsPackage, path: str) -> str:
    made = write_layer(
        Root(base="debian:bookworm", architecture="amd64"),
        packages,
        title="test",
        compression="none",
    )
    with tarfile.open(stored(made.digest)) as archive:
        content = archive.extractfile(path)
        assert content is not None
        return content.read().decode()


def refused(*packages: OsPackage, base: str = "debian:bookworm") -> EnvlockError:
    with pytest.raises(EnvlockError) as caught:
        layer(*packages, base=base)
    return caught.value


# --- what would leave the root ---

HOSTILE = {
    "an absolute path": entry("/etc/passwd"),
    "a path upwards": entry("./usr/../../etc/passwd"),
    "a path upwards at the start": entry("../etc/passwd"),
    "a line break in a path": entry("./usr/a\nb"),
    "a link that climbs out": entry("./usr/x", tarfile.SYMTYPE, linkname="../../../etc"),
    "an empty link": entry("./usr/x", tarfile.SYMTYPE, linkname=""),
    "a hard link out": entry("./usr/x", tarfile.LNKTYPE, linkname="/etc/passwd"),
    "a hard link upwards": entry("./usr/x", tarfile.LNKTYPE, linkname="../etc/passwd"),
    "a hard link to nothing": entry("./usr/x", tarfile.LNKTYPE, linkname="./usr/y"),
    "a character device": entry("./dev/mem", tarfile.CHRTYPE),
    "a block device": entry("./dev/sda", tarfile.BLKTYPE),
    "a pipe": entry("./run/pipe", tarfile.FIFOTYPE),
    "a setuid program": entry("./usr/bin/evil", mode=0o4755),
    "a setgid program": entry("./usr/bin/evil", mode=0o2755),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_members_are_refused_and_named(tmp_path: Path, kind: str) -> None:
    error = refused(package(tmp_path, "evil", HOSTILE[kind]))
    assert isinstance(error, VerificationError)
    assert error.where == "evil_1_amd64.deb"
    names = HOSTILE[kind].name.removeprefix("./"), HOSTILE[kind].linkname or "?"
    assert any(repr(name)[1:-1] in error.what for name in names)
    assert not list(stored("0" * 64).parent.parent.parent.glob("partial/*"))


@pytest.mark.parametrize("kind", [kind for kind in HOSTILE if "set" not in kind])
def test_they_do_not_reach_a_folder_either(tmp_path: Path, kind: str) -> None:
    evil = package(tmp_path, "evil", HOSTILE[kind])
    inside = tmp_path / "deep" / "root"
    inside.mkdir(parents=True)
    before = sorted(path for path in tmp_path.rglob("*") if inside not in path.parents)
    with pytest.raises(VerificationError):
        write_folder(Root(base="debian:bookworm", architecture="amd64"), [evil], inside)
    assert sorted(path for path in tmp_path.rglob("*") if inside not in path.parents) == before


def test_nothing_is_put_through_a_link(tmp_path: Path) -> None:
    link = entry("./usr/way", tarfile.SYMTYPE, linkname="/tmp")
    error = refused(package(tmp_path, "evil", link, entry("./usr/way/file")))
    assert "usr/way is a link of evil, no folder" in error.what
    # … nor through one that another package has brought.
    error = refused(
        package(tmp_path, "a", link), package(tmp_path, "b", entry("./usr/way/deep/file"))
    )
    assert error.where == "b: usr/way/deep"


def test_two_packages_with_one_path(tmp_path: Path) -> None:
    first = package(tmp_path, "a", (entry("./usr/x"), b"1"))
    error = refused(first, package(tmp_path, "b", (entry("./usr/x"), b"2")))
    assert error.where == "b: usr/x"
    assert "a has it, too" in error.what
    # Through the merged /usr, too.
    error = refused(
        package(tmp_path, "c", entry("./bin/x")), package(tmp_path, "d", entry("./usr/bin/x"))
    )
    assert error.where == "d: usr/bin/x"


def test_a_program_with_privileges_may_be_asked_for(tmp_path: Path) -> None:
    found = layer(package(tmp_path, "sudo", entry("./usr/bin/sudo", mode=0o4755), requested=True))
    assert found["usr/bin/sudo"].mode == 0o4755
    found = layer(package(tmp_path, "login", entry("./bin/su", mode=0o4755)))
    assert found["usr/bin/su"].mode == 0o4755


@pytest.mark.parametrize(
    "broken", [b"", b"!<arch>\n", b"PK\x03\x04", b"!<arch>\n" + b"x" * 60, b"!<arch>\nshort"]
)
def test_what_is_no_package_is_said(tmp_path: Path, broken: bytes) -> None:
    error = refused(package(tmp_path, "odd", broken=broken))
    assert isinstance(error, UsageError)
    assert error.where == "odd_1_amd64.deb"


def test_a_package_cut_short_is_said(tmp_path: Path) -> None:
    whole = package(tmp_path, "odd", (entry("./usr/x"), bytes(range(256)) * 99))
    content = stored(whole.sha256).read_bytes()
    error = refused(package(tmp_path, "cut", broken=content[:-20]))
    assert "data part cannot be read" in error.what


# --- what is put ---


def test_a_merged_usr(tmp_path: Path) -> None:
    found = layer(
        package(
            tmp_path,
            "a",
            entry("./bin", tarfile.DIRTYPE),
            entry("./bin/sh"),
            entry("./lib64/ld.so"),
            entry("./bin/bash", tarfile.LNKTYPE, linkname="./bin/sh"),
        )
    )
    links = {name: info.linkname for name, info in found.items() if info.issym()}
    assert links == {
        "bin": "usr/bin",
        "sbin": "usr/sbin",
        "lib": "usr/lib",
        "lib64": "usr/lib64",
    }
    assert found["usr/bin/bash"].linkname == "usr/bin/sh"
    assert found["usr/bin/bash"].islnk()


def test_a_folder_has_what_a_layer_has(tmp_path: Path) -> None:
    packages = (
        base_passwd(tmp_path),
        package(
            tmp_path,
            "a",
            entry("./var/private", tarfile.DIRTYPE, mode=0o000),
            (entry("./bin/tool", mode=0o4711), b"a program"),
            entry("./bin/other", tarfile.LNKTYPE, linkname="./bin/tool"),
            (entry("./etc/secret", mode=0o000), b"a file"),
            entry("./usr/lib/x.so", tarfile.SYMTYPE, linkname="/etc/alternatives/x"),
            requested=True,
        ),
    )
    root = tmp_path / "root"
    root.mkdir()
    write_folder(Root(base="debian:bookworm", architecture="amd64"), packages, root)
    found = layer(*packages)
    there = {str(path.relative_to(root)): path for path in root.rglob("*")}
    assert there.keys() == {name.rstrip("/") for name in found}
    for name, info in found.items():
        path = there[name.rstrip("/")]
        assert (path.is_symlink(), path.is_dir() and not path.is_symlink()) == (
            info.issym(),
            info.isdir(),
        )
        if info.issym():
            assert str(path.readlink()) == info.linkname
        elif info.isreg():
            assert path.stat().st_mtime == info.mtime
    # This user's own, who can read and remove all of it; and nobody's privileges.
    assert (root / "usr/bin/tool").stat().st_mode & 0o7777 == 0o711
    assert (root / "usr/bin/other").samefile(root / "usr/bin/tool")
    assert (root / "etc/secret").stat().st_mode & 0o7777 == 0o400
    assert (root / "var/private").stat().st_mode & 0o7777 == 0o700


def test_owners_are_those_of_base_passwd(tmp_path: Path) -> None:
    own = entry("./usr/x", gname="shadow", gid=999)
    found = layer(base_passwd(tmp_path), package(tmp_path, "a", own))
    assert (found["usr/x"].uid, found["usr/x"].gid) == (0, 42)
    assert (found["usr/x"].uname, found["usr/x"].gname) == ("", "")
    stranger = package(tmp_path, "b", entry("./usr/y", uname="daemon-of-b"))
    error = refused(base_passwd(tmp_path), stranger)
    assert "files of daemon-of-b" in error.what
    assert "--mode scripts" in (error.remedy or "")


def test_configuration_files_are_known_with_their_digest(tmp_path: Path) -> None:
    made = package(
        tmp_path,
        "a",
        (entry("./etc/a.conf"), b"setting\n"),
        control={"conffiles": "/etc/a.conf\n", "md5sums": "x  usr/x\n"},
    )
    status = text(made, path="var/lib/dpkg/status")
    digest = hashlib.md5(b"setting\n").hexdigest()
    assert f"Conffiles:\n /etc/a.conf {digest}\n" in status
    assert "Status: install ok installed\n" in status
    assert text(made, path="var/lib/dpkg/info/a.list") == "/etc/a.conf\n"


def test_the_order_of_packages_does_not_matter(tmp_path: Path) -> None:
    one, two = package(tmp_path, "a", entry("./usr/a")), package(tmp_path, "b", entry("./usr/b"))
    first, second = (
        write_layer(Root(base="x", architecture="amd64"), order, title="", compression="none")
        for order in ((one, two), (two, one))
    )
    assert first == second


# --- maintainer scripts ---

HARMLESS = """#!/bin/sh
set -e
# Automatically added by dh_python3
if command -v py3compile >/dev/null 2>&1; then
	py3compile -p thing
fi
# End automatically added section
case "$1" in
  configure)
    update-alternatives --quiet --install /usr/bin/pager pager \\
      /usr/bin/more 77 --slave /usr/share/pager.1.gz pager.1.gz /usr/share/more.1.gz;
  ;;
  abort-upgrade|abort-remove|abort-deconfigure)
  ;;
  *)
    echo "postinst called with unknown argument \\`$1'" >&2
    exit 1
  ;;
esac
exit 0
"""
MATTERS = {
    "a command": "#!/bin/sh\nadduser --system x\n",
    "a command in a condition": '#!/bin/sh\nif [ "$1" = "configure" ]; then\n  rm x\nfi\n',
    "a condition that does": "#!/bin/sh\nif adduser x; then\n:\nfi\n",
    "a substitution": '#!/bin/sh\necho "`adduser x`"\n',
    "another language": "#!/usr/bin/perl\n",
    "an unknown section": "#!/bin/sh\n# Automatically added by dh_x\nfoo\n"
    "# End automatically added section\n",
    "an alternative by a variable": "#!/bin/sh\nupdate-alternatives --install $X x /usr/x 1\n",
    "something after an alternative": "#!/bin/sh\n"
    "update-alternatives --install /usr/y x /usr/x 1; adduser x\n",
}


@pytest.mark.parametrize("kind", MATTERS)
@pytest.mark.parametrize("script", ["preinst", "postinst"])
def test_a_script_that_matters_is_refused_by_name(tmp_path: Path, kind: str, script: str) -> None:
    error = refused(package(tmp_path, "thing", control={script: MATTERS[kind]}))
    assert error.exit_code == 2
    assert error.what.startswith(f"thing needs its maintainer scripts: {script} has")
    assert "--mode scripts" in (error.remedy or "")
    assert "`envlock why " in (error.remedy or "")


def test_what_waits_for_triggers_is_refused(tmp_path: Path) -> None:
    waits = package(tmp_path, "thing", control={"triggers": "interest-noawait /usr/share/x\n"})
    assert "triggers has `interest-noawait /usr/share/x`" in refused(waits).what


def test_the_table_is_of_one_distribution(tmp_path: Path) -> None:
    known = package(tmp_path, "tzdata", control={"postinst": MATTERS["a command"]})
    layer(known)
    assert refused(known, base="ubuntu:24.04").what.startswith("tzdata needs")


def test_alternatives_are_installed(tmp_path: Path) -> None:
    more = package(
        tmp_path,
        "thing",
        entry("./usr/bin/more"),
        entry("./usr/share/more.1.gz"),
        control={"postinst": HARMLESS},
    )
    less = package(
        tmp_path,
        "better",
        entry("./usr/bin/less"),
        control={
            "postinst": "#!/bin/sh\nupdate-alternatives --install /usr/bin/pager pager"
            " /usr/bin/less 99\n"
        },
    )
    found = layer(more)
    assert found["usr/bin/pager"].linkname == "/etc/alternatives/pager"
    assert found["etc/alternatives/pager"].linkname == "/usr/bin/more"
    assert found["etc/alternatives/pager.1.gz"].linkname == "/usr/share/more.1.gz"
    assert layer(more, less)["etc/alternatives/pager"].linkname == "/usr/bin/less"
    assert text(more, less, path="var/lib/dpkg/alternatives/pager") == (
        "auto\n/usr/bin/pager\npager.1.gz\n/usr/share/pager.1.gz\n\n"
        "/usr/bin/less\n99\n\n/usr/bin/more\n77\n/usr/share/more.1.gz\n\n"
    )
