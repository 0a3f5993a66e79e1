"""Changes to a real environment: each is told with its code, and nothing else is; what is no drift
is not told. ``envlock check`` runs with what it remembers of the environment as it was."""

from __future__ import annotations

import compileall
import os
import platform
import py_compile
import shutil
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.index import LoopbackIndex
from support.mutations import World, checked, digest_of, make_world, missed, registry
from support.project import PYTHON, Project
from support.tools import PIP, UV, run

from envlock.export import own_project

DRIFT, mutation = registry()
HARMLESS, harmless = registry()
TAG = f"cpython-{PYTHON.replace('.', '')}"
DATA = ".venv/share/alpha/notes.txt"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("mutations")
    with LoopbackIndex("json") as index, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        (folder / "project").mkdir()
        project = Project(folder / "project", index)
        yield make_world(project, index, folder / "kept")


def test_every_change_is_told_with_its_code_and_nothing_else(
    world: World,
    capfd: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", world.project.index.url)
    wrong = missed(world, capfd, DRIFT)
    record_property("mutations", f"{len(DRIFT) - len(wrong)} of {len(DRIFT)} changes caught")
    assert not wrong, "\n".join(wrong)


def test_what_is_no_drift_is_not_told(
    world: World,
    capfd: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", world.project.index.url)
    wrong = missed(world, capfd, HARMLESS)
    record_property("mutations", f"{len(HARMLESS) - len(wrong)} of {len(HARMLESS)} silent")
    assert not wrong, "\n".join(wrong)


# --- files of packages ---


@mutation(("PY102", "alpha/__init__.py"))
def a_line_is_added(world: World) -> None:
    with (world.site / "alpha/__init__.py").open("a") as file:
        file.write("import os\n")


@mutation(("PY102", "alpha/sub/mod.py"))
def a_character_is_changed_and_the_time_put_back(world: World) -> None:
    path = world.site / "alpha/sub/mod.py"
    before = path.stat()
    path.write_text("ANSWER = 43\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@mutation(("PY102", "alpha/sub/mod.py"))
def a_file_is_replaced_by_one_of_the_same_size_and_time(world: World) -> None:
    path = world.site / "alpha/sub/mod.py"
    before = path.stat()
    other = path.with_name("other")
    other.write_text("ANSWER = 41\n")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


@mutation(("PY102", "alpha/data.txt"))
def data_is_emptied(world: World) -> None:
    (world.site / "alpha/data.txt").write_bytes(b"")


@mutation(("PY102", "single.py"))
def line_ends_are_changed(world: World) -> None:
    path = world.site / "single.py"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


@mutation(("PY101", "alpha/sub/mod.py"))
def a_module_is_removed(world: World) -> None:
    (world.site / "alpha/sub/mod.py").unlink()


@mutation(("PY101", "alpha/sub/__init__.py"), ("PY101", "alpha/sub/mod.py"))
def a_folder_is_removed(world: World) -> None:
    shutil.rmtree(world.site / "alpha/sub")


@mutation(("PY101", "single.py"), ("PY104", "double.py"))
def a_module_is_renamed(world: World) -> None:
    (world.site / "single.py").rename(world.site / "double.py")


@mutation(("PY101", "single.py"))
def a_module_becomes_a_folder(world: World) -> None:
    (world.site / "single.py").unlink()
    (world.site / "single.py").mkdir()


@mutation(("PY101", "single.py"))
def a_module_becomes_a_link_to_nowhere(world: World) -> None:
    (world.site / "single.py").unlink()
    (world.site / "single.py").symlink_to("nowhere.py")


@mutation(("PY101", "single.py"))
def a_module_becomes_a_link_to_itself(world: World) -> None:
    (world.site / "single.py").unlink()
    (world.site / "single.py").symlink_to("single.py")


@mutation(("PY103", "single.py"))
def a_module_becomes_a_pipe(world: World) -> None:
    (world.site / "single.py").unlink()
    os.mkfifo(world.site / "single.py")


@mutation(("PY102", "single.py"))
def a_module_becomes_a_link_to_other_text(world: World) -> None:
    (world.root / "elsewhere.py").write_text("ONE = 2\n")
    (world.site / "single.py").unlink()
    (world.site / "single.py").symlink_to(world.root / "elsewhere.py")


@mutation(("PY104", "alpha"))
def a_package_becomes_a_link_to_itself_elsewhere(world: World) -> None:
    (world.site / "alpha").rename(world.root / "alpha-elsewhere")
    (world.site / "alpha").symlink_to(world.root / "alpha-elsewhere")


@mutation(("PY102", DATA))
def data_outside_site_packages_is_edited(world: World) -> None:
    (world.venv / "share/alpha/notes.txt").write_text("other notes\n")


@mutation(("PY101", DATA))
def data_outside_site_packages_is_removed(world: World) -> None:
    shutil.rmtree(world.venv / "share")


@mutation(("PY102", "alpha-1.2.dist-info/entry_points.txt"))
def an_entry_point_is_added(world: World) -> None:
    with (world.alpha / "entry_points.txt").open("a") as file:
        file.write("other = os:getcwd\n")


@mutation(("PY102", "alpha-1.2.dist-info/METADATA"))
def a_requirement_is_added(world: World) -> None:
    path = world.alpha / "METADATA"
    path.write_text(path.read_text().replace("\nName:", "\nRequires-Dist: zeta\nName:"))


@mutation(("PY101", "alpha-1.2.dist-info/WHEEL"))
def metadata_beside_the_record_is_removed(world: World) -> None:
    (world.alpha / "WHEEL").unlink()


# --- programs ---


@mutation(("PY102", ".venv/bin/alpha-run"))
def a_program_is_edited(world: World) -> None:
    with (world.bin / "alpha-run").open("a") as file:
        file.write("# more\n")


@mutation(("PY102", ".venv/bin/alpha-tool"))
def a_program_runs_another_python(world: World) -> None:
    path = world.bin / "alpha-tool"
    path.write_text("#!/usr/bin/env python3\n" + path.read_text().split("\n", 1)[1])


@mutation(("PY101", ".venv/bin/alpha-run"))
def a_program_is_removed(world: World) -> None:
    (world.bin / "alpha-run").unlink()


@mutation(("PY104", ".venv/bin/stray"))
def a_program_is_added(world: World) -> None:
    (world.bin / "stray").write_text("#!/bin/sh\n")


@mutation(("PY111", ".venv"))
def python_becomes_a_script(world: World) -> None:
    real = (world.bin / "python").resolve()
    (world.bin / "python").unlink()
    (world.bin / "python").write_text(f'#!/bin/sh\nexec {real} "$@"\n')
    (world.bin / "python").chmod(0o755)


@mutation(("PY111", ".venv"))
def activation_leads_to_another_environment(world: World) -> None:
    path = world.bin / "activate"
    path.write_text(path.read_text().replace(str(world.venv), "/opt/other"))


@mutation(("PY112", ".venv/pyvenv.cfg"))
def the_systems_packages_become_visible(world: World) -> None:
    path = world.venv / "pyvenv.cfg"
    lines = [x for x in path.read_text().splitlines() if "system-site" not in x]
    path.write_text("\n".join([*lines, "include-system-site-packages = true", ""]))


# --- files of no package ---


@mutation(("PY104", "stray.py"))
def a_module_is_added(world: World) -> None:
    (world.site / "stray.py").write_text("")


@mutation(("PY104", "stray/"))
def a_package_without_metadata_is_added(world: World) -> None:
    (world.site / "stray/inner").mkdir(parents=True)
    (world.site / "stray/__init__.py").write_text("")
    (world.site / "stray/inner/__init__.py").write_text("")


@mutation(("PY104", "alpha/extra.py"))
def a_module_is_added_to_a_package(world: World) -> None:
    (world.site / "alpha/extra.py").write_text("")


@mutation(("PY104", "alpha/__init__.abi3.so"))
def a_library_that_goes_before_a_module_is_added(world: World) -> None:
    (world.site / "alpha/__init__.abi3.so").write_bytes(b"\x7fELF")


@mutation(("PY104", "alpha-1.2.dist-info/INSTALLED_BY"))
def a_file_is_added_to_the_metadata(world: World) -> None:
    (world.alpha / "INSTALLED_BY").write_text("me\n")


@mutation(("PY104", "linked"))
def a_link_to_a_folder_is_added(world: World) -> None:
    (world.site / "linked").symlink_to("/usr/lib")


@mutation(("PY104", "loop"))
def a_loop_of_folders_is_added(world: World) -> None:
    (world.site / "loop").symlink_to(".")


@mutation(("PY104", "caf\\xe9.py"))
def a_name_that_is_not_utf8_is_added(world: World) -> None:
    Path(os.fsdecode(os.fsencode(world.site) + b"/caf\xe9.py")).write_text("")


@mutation(("PY105", "hook.pth"))
def a_pth_file_is_added(world: World) -> None:
    (world.site / "hook.pth").write_text("import os\n")


@mutation(("PY105", "sitecustomize.py"))
def sitecustomize_is_added(world: World) -> None:
    (world.site / "sitecustomize.py").write_text("")


@mutation(("PY105", "usercustomize.py"))
def usercustomize_is_added(world: World) -> None:
    (world.site / "usercustomize.py").write_text("")


@mutation(("PY105", "sitecustomize/"))
def sitecustomize_is_added_as_a_package(world: World) -> None:
    (world.site / "sitecustomize").mkdir()
    (world.site / "sitecustomize/__init__.py").write_text("")


@mutation(("PY105", "_virtualenv.pth"), ("PY105", "_virtualenv.py"))
def virtualenvs_hook_is_added_with_other_content(world: World) -> None:
    (world.site / "_virtualenv.pth").write_text("import _virtualenv; import os")
    (world.site / "_virtualenv.py").write_text("")


# --- bytecode ---


@mutation(("PY104", "alpha/hidden.pyc"))
def bytecode_without_a_source_that_can_be_imported(world: World) -> None:
    (world.root / "hidden.py").write_text("")
    py_compile.compile(str(world.root / "hidden.py"), str(world.site / "alpha/hidden.pyc"))
    (world.root / "hidden.py").unlink()


@mutation(("PY104", f"alpha/__pycache__/gone.{TAG}.pyc"))
def bytecode_of_a_module_that_is_not_there(world: World) -> None:
    (world.root / "gone.py").write_text("")
    cached = world.site / f"alpha/__pycache__/gone.{TAG}.pyc"
    py_compile.compile(str(world.root / "gone.py"), str(cached))


@mutation(("PY106", f"__pycache__/single.{TAG}.pyc"))
def bytecode_of_another_source(world: World) -> None:
    (world.root / "single.py").write_text("ONE = 'something else'\n")
    cached = world.site / f"__pycache__/single.{TAG}.pyc"
    py_compile.compile(str(world.root / "single.py"), str(cached))


@mutation(("PY106", f"__pycache__/single.{TAG}.pyc"))
def bytecode_by_hash_that_is_never_compared(world: World) -> None:
    (world.root / "single.py").write_text("ONE = 2\n")
    cached = world.site / f"__pycache__/single.{TAG}.pyc"
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(world.root / "single.py"), str(cached), invalidation_mode=mode)


@mutation(("PY106", f"__pycache__/single.{TAG}.pyc"))
def bytecode_cut_short(world: World) -> None:
    (world.site / "__pycache__").mkdir(exist_ok=True)
    (world.site / f"__pycache__/single.{TAG}.pyc").write_bytes(b"\xa7\r\r\n")


# --- RECORD, metadata, notes ---


@mutation(("PY107", "alpha"))
def the_record_is_removed(world: World) -> None:
    (world.alpha / "RECORD").unlink()


@mutation(("PY108", "alpha"))
def the_record_is_cut(world: World) -> None:
    path = world.alpha / "RECORD"
    path.write_bytes(path.read_bytes()[:-30])


@mutation(("PY108", "alpha"))
def the_record_is_rubbish(world: World) -> None:
    (world.alpha / "RECORD").write_bytes(b"\x00\xff\xfe rubbish\n" * 20)


@mutation(("PY108", "alpha"))
def the_record_is_empty(world: World) -> None:
    (world.alpha / "RECORD").write_bytes(b"")


@mutation(("PY108", "alpha"))
def the_record_is_a_folder(world: World) -> None:
    (world.alpha / "RECORD").unlink()
    (world.alpha / "RECORD").mkdir()


@mutation(("PY108", "alpha"))
def a_digest_that_proves_nothing(world: World) -> None:
    rows = world.rows()
    world.write_rows([[p, d.replace("sha256=", "md5="), s] for p, d, s in rows])


@mutation(("PY109", "alpha"))
def a_file_is_edited_and_the_record_with_it(world: World) -> None:
    path = world.site / "alpha/sub/mod.py"
    path.write_text("ANSWER = 'none'\n")
    world.write_rows(
        [
            [p, digest_of(path), str(path.stat().st_size)] if p == "alpha/sub/mod.py" else [p, d, s]
            for p, d, s in world.rows()
        ]
    )


@mutation(("PY109", "alpha"))
def a_file_is_added_and_the_record_with_it(world: World) -> None:
    path = world.site / "alpha/extra.py"
    path.write_text("")
    world.write_rows([*world.rows(), ["alpha/extra.py", digest_of(path), "0"]])


@mutation(("PY102", "alpha-1.2.dist-info/envlock.json"), ("PY110", "alpha"))
def the_note_names_another_file(world: World) -> None:
    path = world.alpha / "envlock.json"
    path.write_text(path.read_text().replace('"sha256": "', '"sha256": "00')[:-68] + '"}')
    table = (world.kept / path.relative_to(world.root)).read_text()
    digest = table.split('"sha256": "')[1][:64]
    path.write_text(table.replace(digest, "0" * 64))


@mutation(("PY006", "alpha"))
def the_metadata_is_removed(world: World) -> None:
    (world.alpha / "METADATA").unlink()


@mutation(("PY001", "beta"))
def a_packages_metadata_is_removed_whole(world: World) -> None:
    shutil.rmtree(world.site / "beta-2.0.dist-info")


@mutation(("PY007", "alpha"))
def the_metadata_is_there_twice(world: World) -> None:
    shutil.copytree(world.alpha, world.site / "alpha-1.1.dist-info")


# --- what tools do ---


def pip(world: World, *arguments: str) -> None:
    run([*PIP, "--python", world.bin / "python", *arguments])


@mutation(("PY001", "beta"))
def pip_uninstalls(world: World) -> None:
    pip(world, "uninstall", "-y", "beta")


@mutation(("PY003", "beta"))
def pip_installs_another_version(world: World) -> None:
    world.project.index.add("beta", "2.1", "2024-01-01")
    pip(world, "install", "--no-deps", "-i", world.project.index.url, "beta==2.1")


@mutation(("PY002", "zeta"))
def pip_installs_more(world: World) -> None:
    world.project.index.add("zeta", "1.0", "2024-01-01")
    pip(world, "install", "-i", world.project.index.url, "zeta")


@mutation(("PY111", ".venv"))
def the_environment_is_copied_from_elsewhere(world: World) -> None:
    shutil.move(world.venv, world.root / "other")
    python = (world.root / "other/bin/python").resolve()
    run([UV, "venv", "-q", "--python", python, world.root / "real"])
    text = (world.root / "other/bin/alpha-run").read_text()
    rows = []
    moved = text.replace(str(world.venv), "/opt/elsewhere/env")
    (world.root / "other/bin/alpha-run").write_text(moved)
    shutil.move(world.root / "other", world.venv)
    shutil.rmtree(world.root / "real")
    for path, digest, size in world.rows():
        target = world.site / path
        if path.endswith("bin/alpha-run"):
            digest, size = digest_of(target), str(target.stat().st_size)
        rows.append([path, digest, size])
    note = world.alpha / "envlock.json"
    note.unlink()  # as where another tool had installed it there
    world.write_rows([row for row in rows if not row[0].endswith("envlock.json")])


# --- the request, and the lock ---


@mutation(("RQ001", "requirements"))
def the_project_asks_for_more(world: World) -> None:
    world.project.write("alpha", "beta", "delta")


@mutation(("PY110", "alpha"))
def the_locked_file_is_another_one(world: World) -> None:
    from support.install import locked, write_lock

    index = world.project.index
    other = index.add("alpha", "1.2", "2024-01-02", build="1", files={"alpha/new.py": ""})
    lock = world.project.read()
    packages = [locked(index, other) if p.name == "alpha" else p for p in lock.packages]
    write_lock(world.root, *packages, wishes=("alpha", "beta"))


# --- no drift ---


@harmless()
def nothing(world: World) -> None:
    pass


@harmless()
def a_touch(world: World) -> None:
    for path in world.site.rglob("*.py"):
        path.touch()


@harmless()
def a_touch_after_bytecode_was_written(world: World) -> None:
    compileall.compile_dir(world.site, quiet=2)
    for path in world.site.rglob("*.py"):
        os.utime(path, (1, 1))


@harmless()
def bytecode_written_by_running(world: World) -> None:
    world.python("import alpha.sub.mod, single, beta, gamma_lib.space.part")
    assert list(world.site.rglob("*.pyc"))


@harmless()
def bytecode_written_by_an_optimized_run(world: World) -> None:
    world.python("import alpha.sub.mod, single", "-OO")


@harmless()
def bytecode_of_another_python(world: World) -> None:
    compileall.compile_dir(world.site, quiet=2)
    for path in list(world.site.rglob("*.pyc")):
        shutil.copy2(path, path.with_name(path.name.replace(TAG, "cpython-398")))


@harmless()
def bytecode_by_hash(world: World) -> None:
    mode = py_compile.PycInvalidationMode.CHECKED_HASH
    compileall.compile_dir(world.site, quiet=2, invalidation_mode=mode)
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(world.site / "alpha", quiet=2, invalidation_mode=mode, force=True)


@harmless()
def bytecode_is_removed(world: World) -> None:
    world.python("import alpha.sub.mod")
    for path in list(world.site.rglob("__pycache__")):
        shutil.rmtree(path)


@harmless()
def a_numba_cache(world: World) -> None:
    (world.site / "alpha/__pycache__").mkdir(exist_ok=True)
    (world.site / "alpha/__pycache__/mod.answer-1.py311.nbi").write_bytes(b"\x80")


@harmless()
def other_permissions(world: World) -> None:
    for path in world.site.rglob("*"):
        path.chmod(0o777 if path.is_dir() else 0o666)


@harmless()
def synced_again(world: World) -> None:
    assert world.project.run("sync").returncode == 0


@harmless()
def synced_anew(world: World) -> None:
    assert world.project.run("sync", "--recreate").returncode == 0


@harmless()
def another_mirror(world: World) -> None:
    text = world.project.lock_path.read_text()
    assert "127.0.0.1" in text
    port = world.project.index.url
    world.project.variables["UV_DEFAULT_INDEX"] = port


@harmless()
def files_copied_over_themselves(world: World) -> None:
    for path in list(world.site.rglob("*.py")):
        copy = path.with_suffix(".new")
        shutil.copyfile(path, copy)
        copy.replace(path)


@harmless()
def an_empty_folder(world: World) -> None:
    (world.site / "empty").mkdir()


@harmless()
def an_unlocked_pip(world: World) -> None:
    run([world.bin / "python", "-m", "ensurepip"])


@harmless()
def virtualenvs_own_hook(world: World) -> None:
    (world.site / "_virtualenv.pth").write_text("import _virtualenv")
    (world.site / "_virtualenv.pth").unlink()


@harmless()
def a_module_that_is_a_link_to_the_same_text(world: World) -> None:
    (world.site / "single.py").rename(world.root / "single.py")
    (world.site / "single.py").symlink_to(world.root / "single.py")


@harmless()
def the_order_of_a_record(world: World) -> None:
    world.write_rows(sorted(world.rows(), reverse=True))


@harmless()
def a_file_of_the_user_in_the_environment(world: World) -> None:
    (world.venv / "notes.txt").write_text("mine\n")
    (world.venv / ".lock").write_text("")


@harmless()
def other_programs_of_the_environment(world: World) -> None:
    (world.bin / "python3.98").symlink_to("python")


@harmless()
def pip_installs_the_same_again(world: World) -> None:
    arguments = ("install", "--no-deps", "--force-reinstall", "-i", world.project.index.url)
    pip(world, *arguments, "alpha==1.2", "beta==2.0")


# --- environments that envlock did not make ---


def test_environments_of_other_tools_are_no_drift(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    world.restore()
    index = world.project.index.url
    pinned = ["alpha==1.2", "beta==2.0", "gamma-lib==0.1"]
    assert world.project.run("export", "requirements", "-o", "locked.txt").returncode == 0
    made = {
        "pip": lambda env: [*PIP, "--python", env, "install", "-q", "-r", "pylock.toml"],
        "pip-compiled": lambda env: [
            *(*PIP, "--python", env, "install", "-q", "--compile", "-i", index),
            *("--require-hashes", "--no-deps", "-r", "locked.txt"),
        ],
        "uv-sync": lambda env: [
            *(UV, "pip", "sync", "-q", "--python", env, "--preview-features", "pylock"),
            "pylock.toml",
        ],
        "uv-compiled": lambda env: [
            *(UV, "pip", "install", "-q", "--python", env, "--compile-bytecode"),
            *("--default-index", index),
            *pinned,
        ],
    }
    for name, command in made.items():
        prefix = world.root / name
        if name.startswith("uv"):
            run([UV, "venv", "-q", "--python", f"{PYTHON}", prefix])
        else:
            run([(world.bin / "python").resolve(), "-m", "venv", prefix])
        run([str(part) for part in command(prefix / "bin/python")], cwd=world.root)
        found = checked(world, capfd, "--python-only", "--prefix", name)
        assert found == [], name
        said = world.project.run("check", "--python-only", "--prefix", name).stderr
        assert "from which locked files 3 packages were installed" in said, name
        shutil.rmtree(prefix)


def test_the_environment_of_a_dockerfile_is_no_drift(
    world: World, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Its steps (templates/docker/Dockerfile), on this machine."""
    world.restore()
    assert world.project.run("export", "requirements", "-o", "locked.txt").returncode == 0
    prefix = world.root / "image"
    python = prefix / "bin/python"
    run([(world.bin / "python").resolve(), "-m", "venv", "--without-pip", prefix])
    pip_of = {"PYTHONPATH": sysconfig.get_path("purelib")}
    options = "--require-hashes --no-deps --only-binary :all: --ignore-installed --no-compile"
    install = [*options.split(), "-q", "-i", world.project.index.url, "-r", "locked.txt"]
    run([python, "-m", "pip", "install", *install], cwd=world.root, env=pip_of)
    compiled = ("-qf", "--invalidation-mode", "checked-hash")
    run([python, "-m", "compileall", *compiled, prefix / "lib"])
    script = Path(own_project.__file__)
    shutil.copy(script, tmp_path)
    (tmp_path / f"builds-{platform.machine()}.json").write_text('{"folders": []}')
    with (world.root / "pyproject.toml").open("a") as file:
        file.write('[build-system]\nrequires = ["hatchling"]\n')
    run([python, "-B", tmp_path / script.name, world.root, "/app", prefix])
    assert sorted(path.name for path in prefix.rglob("sample-1.dist-info/*"))
    assert (prefix / f"lib/python{PYTHON}/site-packages/project.pth").read_text()
    assert checked(world, capfd, "--python-only", "--prefix", "image") == []
    with (prefix / f"lib/python{PYTHON}/site-packages/project.pth").open("a") as file:
        file.write("import os\n")
    found = checked(world, capfd, "--python-only", "--prefix", "image")
    assert found == [("PY105", "project.pth")]
