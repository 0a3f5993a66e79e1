"""``envlock bundle``: everything of a lock in one folder, for machines without any network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from envlock.cli.artifacts import archives_of, bring, require_sources, size_text
from envlock.cli.bundle_look import diff, verify
from envlock.cli.common import (
    json_option,
    locate_project,
    name_option,
    project_guard,
    read_lock,
    read_lock_file,
    script_option,
)
from envlock.cli.context import Context
from envlock.cli.output import reporting, result, result_json, say
from envlock.cli.style import style
from envlock.errors import UsageError
from envlock.lock.hashing import environment_hash

if TYPE_CHECKING:
    from envlock.io.progress import Reporter
    from envlock.lock.artifacts import UsedFiles
    from envlock.lock.model import Lock
    from envlock.project.locate import Project
    from envlock.realise.bundle.contents import Bundled, Contents
    from envlock.realise.bundle.write import Written

_EPILOG = """\b
Examples:
  envlock bundle                                  # ./bundle, of the project's lock
  envlock bundle --output /mnt/disk/paper-2026    # on another disk
  envlock bundle --output paper.tar               # one file, the same bytes each time
  envlock bundle --sources                        # with what building from source needs
  envlock bundle --os-build hello                 # with what this Debian package is built with
  envlock bundle a/pylock.toml b/pylock.toml      # several locks, each file once
  envlock bundle verify paper.tar                 # is all of it there, and unchanged?
  envlock bundle diff old.tar bundle              # what changed?

What was cut off is continued by the same command."""


class _Group(click.Group):
    """A group that is a command itself: what is no subcommand's name is a lockfile."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Arguments of this command, unless the first one names a subcommand."""
        plain = [arg for arg in args if arg not in ("-q", "--quiet", "-v", "--verbose")]
        ctx.meta[__name__] = bool(plain) and plain[0] in self.commands
        ctx.allow_interspersed_args = not ctx.meta[__name__]
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Those of this command, or only the switches, where a subcommand follows."""
        params = super().get_params(ctx)
        if not ctx.meta.get(__name__):
            return params
        return [one for one in params if not one.expose_value]


@click.group(cls=_Group, epilog=_EPILOG, invoke_without_command=True, subcommand_metavar="")
@click.argument("locks", metavar="[LOCK]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR|TAR",
    default=Path("bundle"),
    show_default=True,
    help="The folder, or a tar archive when the name ends in .tar.",
)
@click.option(
    "--sources",
    is_flag=True,
    help="With what building from source needs: every sdist, what it is built with, and the source"
    " packages of OS packages, as far as the lock has them (sources = true).",
)
@click.option(
    "--os-build",
    "os_builds",
    metavar="NAME",
    multiple=True,
    help="With the sources of this package of the distribution and all that it is built with, for"
    " `envlock rebuild --os-package NAME --offline --from BUNDLE`; may be repeated.",
)
@click.option(
    "--without",
    type=click.Choice(["images", "indexes"]),
    multiple=True,
    help="Leave out the base image, or the distribution's signed indexes, of which the OS packages"
    " were chosen: what apt and `envlock lock` would verify again (some 10 MB a release).",
)
@name_option
@script_option
@json_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Put everything of a lock into one folder: enough to rebuild without any network."""
    if ctx.invoked_subcommand is None:
        _make(ctx.obj, **options)


command.add_command(verify)
command.add_command(diff)


def _make(
    context: Context,
    locks: tuple[Path, ...],
    output: Path,
    sources: bool,
    os_builds: tuple[str, ...],
    without: tuple[str, ...],
    name: str | None,
    script: Path | None,
    as_json: bool,
) -> None:
    from envlock.realise.bundle.contents import contents

    place = (context.directory / output).absolute()
    if "".join(place.suffixes[-2:]).startswith(".tar.") or place.suffix == ".tgz":
        raise UsageError(
            "a bundle's archive is not compressed",
            where=str(output),
            remedy="end its name in .tar: what is in it is compressed already",
        )
    if os_builds and "indexes" in without:
        raise UsageError(
            "--os-build needs the distribution's indexes, which say what a package is built with",
            remedy="leave out --without indexes",
        )
    bundled = _read(context, locks, name, script, sources=sources)
    with reporting(context, in_bytes=True) as reporter:
        for one, project, root in bundled:
            from envlock.realise.fetch import missing

            absent = missing(one.files)
            if absent.interpreters or absent.python or absent.os or absent.os_sources:
                bring(one.lock, absent, root, project, reporter)
        if "indexes" not in without:
            bundled = _with_indexes(bundled, reporter, sources=sources or bool(os_builds))
        if os_builds:
            from envlock.cli.bundle_builds import with_builds

            bundled = with_builds(bundled, os_builds, reporter)
        if "images" not in without:
            bundled = _with_images(bundled, reporter)
        whole = contents([one for one, _, _ in bundled], reporter)
        written = _write(context, whole, place, reporter)
    told = [one for one, _, _ in bundled]
    if as_json:
        result_json(_as_json(told, whole, written, output))
    else:
        result(f"sha256:{written.digest}")
        _report(context, told, whole, written, output)


def _read(
    context: Context,
    paths: Sequence[Path],
    name: str | None,
    script: Path | None,
    *,
    sources: bool,
) -> list[tuple[Bundled, Project | None, Path]]:
    """Each lock with the project that says where archives are, and its folder."""
    from envlock.lock.artifacts import used_files
    from envlock.realise.bundle.contents import Bundled
    from envlock.realise.bundle.plan import build_files

    if paths and (name is not None or script is not None):
        raise UsageError("lockfiles and --name or --script exclude one another")
    found: list[tuple[Path, Project | None, Lock]] = []
    if paths:
        for given in paths:
            path = context.directory / given
            path = path / "pylock.toml" if path.is_dir() else path
            found.append((path, _project_of(path), read_lock_file(path)))
    else:
        project = locate_project(context, name=name, script=script)
        found.append((project.lock_path, project, read_lock(project)))
    bundled = []
    for path, owner, lock in found:
        if sources:
            require_sources(lock, str(path))
        files = used_files(lock, lock.targets, sources=sources)
        builds = {file.file.sha256: file for file in build_files(lock, lock.targets)}
        more = [file for sha256, file in builds.items() if sha256 not in _digests(files)]
        files = replace(files, python=(*files.python, *more))
        one = Bundled(name=path.name, content=path.read_bytes(), lock=lock, files=files)
        bundled.append((one, owner, path.absolute().parent))
    return bundled


def _with_indexes(
    bundled: list[tuple[Bundled, Project | None, Path]], reporter: Reporter, *, sources: bool
) -> list[tuple[Bundled, Project | None, Path]]:
    """The same, with the signed indexes of which the OS packages were chosen."""
    from envlock.realise.fetch import fetch_indexes

    found = []
    for one, project, root in bundled:
        if one.lock.os is not None:
            reporter.step(f"looking for indexes of {one.lock.os.base}")
            mirrors, keyring = archives_of(one.lock, project)
            archived = fetch_indexes(
                one.lock,
                root,
                mirrors=mirrors,
                keyring=keyring,
                reporter=reporter,
                sources=sources,
            )
            one = replace(one, archived=archived)
        found.append((one, project, root))
    return found


def _with_images(
    bundled: list[tuple[Bundled, Project | None, Path]], reporter: Reporter
) -> list[tuple[Bundled, Project | None, Path]]:
    """The same, with the base images of the locks."""
    if all(one.lock.image is None for one, _, _ in bundled):
        return bundled
    from envlock.io.images.registry import Registry
    from envlock.realise.bundle.images import fetch_image

    found = []
    with Registry() as registry:
        for one, project, root in bundled:
            if one.lock.image is not None:
                reporter.step(f"looking for the image {one.lock.image.reference}")
                one = replace(one, image=fetch_image(one.lock.image, registry))
            found.append((one, project, root))
    return found


def _digests(files: UsedFiles) -> set[str]:
    return {file.file.sha256 for file in files.python}


def _project_of(path: Path) -> Project | None:
    """The project in the lockfile's folder; None: it lies alone, and only the machine says."""
    from envlock.project.locate import locate

    name = path.name.removeprefix("pylock.").removesuffix("toml").rstrip(".")
    for chosen in (name or None, None):
        try:
            project = locate(path.absolute().parent, name=chosen)
        except UsageError:
            continue
        if project.root == path.absolute().parent:
            return project
    return None


def _write(context: Context, whole: Contents, place: Path, reporter: Any) -> Written:
    from envlock.io.files import make_folder
    from envlock.realise.bundle.write import write_archive, write_folder

    if place.suffix == ".tar":
        return write_archive(whole, place, reporter)
    if place.exists() and not place.is_dir():
        return write_folder(whole, place, reporter)  # says that it is a file
    make_folder(place)
    with project_guard(context, place):
        return write_folder(whole, place, reporter)


def _as_json(
    bundled: Sequence[Bundled], whole: Contents, written: Written, output: Path
) -> dict[str, object]:
    return {
        "bytes": sum(entry.size for entry in whole.entries),
        "digest": f"sha256:{written.digest}",
        "files": len(whole.entries),
        "kept": written.kept,
        "locks": [
            {
                "environment-hash": environment_hash(one.lock).root,
                "lock": one.name,
                "targets": sorted(target.key for target in one.lock.targets),
                "without-file": list(one.files.without),
            }
            for one in bundled
        ],
        "output": str(output),
    }


def _report(
    context: Context, bundled: Sequence[Bundled], whole: Contents, written: Written, output: Path
) -> None:
    for one in bundled:
        if one.files.without:
            say(
                context,
                f"{style('note', 'bold cyan')}: {', '.join(one.files.without)}: a repository or"
                " folder, which is NOT in the bundle",
            )
        lacking = {entry.soname for entry in one.lock.os.missing} if one.lock.os else set()
        if lacking:
            say(
                context,
                f"{style('note', 'bold cyan')}: {', '.join(sorted(lacking))}: wheels need them, and"
                " they are NOT in the bundle (auto = true in [tool.envlock.os] locks them)",
            )
        keys = ", ".join(target.key for target in one.lock.targets)
        say(context, f"  {one.name} {environment_hash(one.lock).short} ({keys})")
    count, size = len(whole.entries), size_text(sum(entry.size for entry in whole.entries))
    there = f", {written.kept} of them were there" if written.kept else ""
    say(context, f"{output}: {count} files, {size}{there}")
