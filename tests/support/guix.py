"""Locks for the Guix export, and Guile, which reads what was made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from envlock.lock.builds import Build, BuildPin
from envlock.lock.model import Lock
from envlock.lock.os import OsLayer, OsPackage
from envlock.lock.package import Archive, PythonPackage
from envlock.lock.toolchain import GuixChannel
from support.samples import digest, package, sdist, small_lock, wheel
from support.tools import run

CHANNEL = GuixChannel(
    name="guix",
    url="https://git.example.org/guix.git",
    branch="master",
    commit="c" * 40,
    introduction_commit="9edb3f66fd807b096b48283debdcddccfea34bad",
    introduction_fingerprint="BBB02DDF2CEAF6A80D1DE643A2A06DF2A33A54FA",
    names=("libgl1=mesa",),
)
NATIVE_TAG = "cp311-cp311-manylinux_2_17_x86_64"


def pure(name: str, version: str = "1.0", *, needs: Iterable[str] = ()) -> PythonPackage:
    """An entry with an sdist and a wheel without native code."""
    return replace(package(name, version, needs=needs), sdist=sdist(name, version))


def native(name: str, version: str = "1.0", *, needs: Iterable[str] = ()) -> PythonPackage:
    """An entry with an sdist and a wheel for one machine."""
    return replace(
        pure(name, version, needs=needs), wheels=(wheel(name, version, "1", NATIVE_TAG),)
    )


def build(name: str, *pins: str, version: str = "1.0", programs: Iterable[str] = ()) -> Build:
    """How an sdist is built; ``pins`` as in ``setuptools==68.0``."""
    return Build(
        package=name,
        version=version,
        sdist=digest("b"),
        backend="setuptools.build_meta",
        pins=tuple(
            BuildPin(name=pin.partition("==")[0], version=pin.partition("==")[2]) for pin in pins
        ),
        programs=tuple(programs),
    )


def os_layer(*names: str) -> OsLayer:
    """A layer that was asked for ``names``, and pulled in one package more."""
    packages = [
        OsPackage(
            architecture="amd64",
            name=name,
            version="1-1",
            sha256=digest("e"),
            size=1,
            file_name=f"pool/{name}.deb",
            suite="bookworm",
            source=name,
            source_version="1-1",
            requested=name in names,
        )
        for name in sorted((*names, "libc6"))
    ]
    return OsLayer(base="debian:bookworm", archives=(), packages=tuple(packages))


def with_guix(*packages: PythonPackage) -> Lock:
    """A small lock that holds a commit of Guix."""
    return replace(small_lock(*packages), guix=CHANNEL)


def guix_lock() -> Lock:
    """Each kind of definition: pure, native, an archive, a cycle, a build tool, OS packages."""
    archive = Archive(
        url="https://files.example.org/arch%20ive.zip",
        sha256=digest("d"),
        subdirectory="inner",
    )
    lock = with_guix(
        PythonPackage(name="arch", version="2.0", archive=archive),
        pure("left", needs=["right"]),
        native("nat", needs=["left"]),
        pure("right", needs=["left"]),
    )
    return replace(
        lock,
        builds=(
            Build(package="arch", version="2.0", sdist=digest("d"), backend="flit_core.buildapi"),
            build("nat", "ninja==1.11", "setuptools==68.0", programs=["gcc"]),
        ),
        build_packages=(package("ninja", "1.11"), package("setuptools", "68.0")),
        os=os_layer("libgl1"),
    )


# Guix's own reader extensions (guix/gexp.scm) make #~ and #$ readable; here any form will do.
_READ = """
(use-modules (rnrs bytevectors) (ice-9 format))
(for-each (lambda (sign) (read-hash-extend sign (lambda (_ port) (list 'gexp (read port)))))
          '(#\\~ #\\$ #\\+))
(define (print-strings form)
  (cond ((string? form)
         (for-each (lambda (byte) (format #t "~2,'0x" byte))
                   (bytevector->u8-list (string->utf8 form)))
         (newline))
        ((pair? form) (print-strings (car form)) (print-strings (cdr form)))))
(for-each (lambda (file)
            (call-with-input-file file
              (lambda (port)
                (let loop ((form (read port)))
                  (unless (eof-object? form)
                    (print-strings form)
                    (loop (read port)))))
              #:guess-encoding #t)
            (display "end\\n"))
          (cdr (command-line)))
"""


def guile_strings(folder: Path, texts: Iterable[bytes]) -> list[list[str]]:
    """Every string that Guile's reader finds in each of the texts, which are Scheme files.

    One process for all. Guile says an error where a text does not end as it should.
    """
    reader = folder / "read.scm"
    reader.write_text(_READ)
    files = []
    for number, text in enumerate(texts):
        files.append(folder / f"{number}.scm")
        files[-1].write_bytes(text)
    done = run(["guile", "--no-auto-compile", reader, *files])
    found: list[list[str]] = [[]]
    for line in done.stdout.splitlines():
        if line == "end":
            found.append([])
        else:
            found[-1].append(bytes.fromhex(line).decode())
    return found[:-1]
