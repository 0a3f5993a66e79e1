"""What a trace folds to, in a person's terms."""

from __future__ import annotations

from envlock.io.trace.kinds import Action, Method
from envlock.io.trace.model import Event, FileState, Trace
from envlock.runs.observed import Observed, observe

STATE = FileState(size=1, modified=2, inode=3, device=4)


def folded(*events: Event, there: set[str] | None = None, **more: tuple[str, ...]) -> Observed:
    trace = Trace(method=Method.SECCOMP, complete=True, events=events)
    return observe(trace, still_there=lambda p: there is None or p in there, **more)


def event(action: Action, path: str, target: str | None = None, *, new: bool = False) -> Event:
    return Event(action=action, path=path, target=target, before=None if new else STATE)


def test_read_is_an_input_and_written_is_an_output() -> None:
    seen = folded(event(Action.READ, "/w/in"), event(Action.WRITE, "/w/out", new=True))
    assert [i.path for i in seen.inputs] == ["/w/in"]
    assert seen.inputs[0].seen == STATE
    assert seen.outputs == ("/w/out",)


def test_what_is_written_and_then_read_is_no_input() -> None:
    seen = folded(event(Action.WRITE, "/w/x", new=True), event(Action.READ, "/w/x"))
    assert (seen.inputs, seen.outputs) == ((), ("/w/x",))


def test_what_is_read_and_then_written_is_both() -> None:
    seen = folded(event(Action.READ, "/w/db"), event(Action.UPDATE, "/w/db"))
    assert [i.path for i in seen.inputs] == ["/w/db"]
    assert seen.outputs == ("/w/db",)


def test_a_missing_file_that_is_asked_for_is_no_input() -> None:
    assert folded(event(Action.READ, "/w/absent", new=True)).inputs == ()


def test_a_temporary_file_leaves_nothing() -> None:
    seen = folded(
        event(Action.WRITE, "/tmp/t", new=True),
        event(Action.READ, "/tmp/t"),
        event(Action.REMOVE, "/tmp/t"),
        there=set(),
    )
    assert (seen.inputs, seen.outputs, seen.removed) == ((), (), ())


def test_what_was_there_and_is_gone_is_removed() -> None:
    assert folded(event(Action.REMOVE, "/w/old"), there=set()).removed == ("/w/old",)
    assert folded(event(Action.REMOVE, "/w/old")).removed == ()


def test_a_file_renamed_into_place_is_the_output() -> None:
    seen = folded(
        event(Action.READ, "/w/out"),
        event(Action.WRITE, "/w/out.tmp", new=True),
        event(Action.RENAME, "/w/out.tmp", "/w/out"),
        there={"/w/out"},
    )
    assert [i.path for i in seen.inputs] == ["/w/out"]
    assert (seen.outputs, seen.removed) == (("/w/out",), ())


def test_moving_what_was_there_removes_one_name_and_gives_another() -> None:
    seen = folded(event(Action.RENAME, "/w/a", "/w/b"), there={"/w/b"})
    assert (seen.outputs, seen.removed) == (("/w/b",), ("/w/a",))


def test_files_follow_their_folder() -> None:
    seen = folded(
        event(Action.WRITE, "/w/tmp/a", new=True),
        event(Action.WRITE, "/w/tmp/sub/b", new=True),
        event(Action.WRITE, "/w/tmpx", new=True),
        event(Action.RENAME, "/w/tmp", "/w/final", new=True),
        there={"/w/final", "/w/final/a", "/w/final/sub/b", "/w/tmpx"},
    )
    assert seen.outputs == ("/w/final", "/w/final/a", "/w/final/sub/b", "/w/tmpx")


def test_a_folder_that_is_filled_and_moved_again_and_again() -> None:
    events = []
    for number in range(200):
        events.append(event(Action.WRITE, f"/w/tmp/{number}", new=True))
        events.append(event(Action.RENAME, "/w/tmp", f"/w/final{number}", new=True))
    seen = folded(*events, there={f"/w/final{n}/{n}" for n in range(200)})
    assert len(seen.outputs) == 200


def test_exchanged_folders_change_places() -> None:
    seen = folded(
        event(Action.WRITE, "/w/a/x", new=True),
        event(Action.EXCHANGE, "/w/a", "/w/b", new=True),
        there={"/w/a", "/w/b", "/w/b/x"},
    )
    assert seen.outputs == ("/w/a", "/w/b", "/w/b/x")


def test_system_and_distributions_are_environment() -> None:
    paths = (
        "/etc/hosts",
        "/home/u/.pyenv/version",
        "/w/.venv/lib/python3.11/site-packages/numpy/__init__.py",
    )
    seen = folded(*(event(Action.READ, p) for p in paths))
    assert (seen.inputs, seen.environment) == ((), paths)


def test_compiled_code_kernel_files_and_set_aside_folders_are_not_listed() -> None:
    seen = folded(
        event(Action.READ, "/proc/self/maps"),
        event(Action.WRITE, "/w/__pycache__/m.cpython-311.pyc", new=True),
        event(Action.READ, "/w/.git/HEAD"),
        event(Action.WRITE, "/home/u/.cache/font", new=True),
        aside=("/home/u/.cache",),
    )
    assert (seen.inputs, seen.outputs, seen.environment) == ((), (), ())


def test_the_project_is_the_users_wherever_it_is() -> None:
    for folder in ("/var/lib/jenkins/project", "/dev/shm/project", "/home/u/.cache/project"):
        read = event(Action.READ, f"{folder}/data.csv")
        written = event(Action.WRITE, f"{folder}/out", new=True)
        aside = ("/home/u/.cache", f"{folder}/.cache", f"{folder}/.envlock")
        noise = event(Action.WRITE, f"{folder}/.envlock/x", new=True)
        seen = folded(read, written, noise, work=(folder,), aside=aside)
        assert [i.path for i in seen.inputs] == [read.path]
        assert seen.outputs == (written.path,)
    # A project in the root of a container has not all of its system for data.
    read = event(Action.READ, "/usr/share/x")
    assert folded(read, event(Action.READ, "/proc/self/maps"), work=("/",)).inputs == ()


def test_data_may_lie_in_opt_on_a_disk_or_in_memory() -> None:
    data = ("/dev/shm/block", "/opt/data/a.csv", "/run/media/u/disk/b.csv")
    seen = folded(
        *(event(Action.READ, path) for path in data),
        event(Action.EXECUTE, "/opt/julia/bin/julia"),
        event(Action.READ, "/opt/julia/share/base.jl"),
        event(Action.READ, "/run/user/0/bus"),
    )
    assert [i.path for i in seen.inputs] == list(data)
    assert seen.environment == ("/opt/julia/share/base.jl",)


def test_what_a_run_writes_is_its_output_wherever_that_is() -> None:
    made = ("/opt/julia/new", "/usr/local/share/table", "/var/lib/app/state", "/var/tmp/tool")
    noise = ("/var/cache/fontconfig/x", "/dev/null", "/run/lock/x")
    seen = folded(
        *(event(Action.WRITE, path, new=True) for path in (*made, *noise)),
        event(Action.EXECUTE, "/opt/julia/bin/julia"),
        event(Action.EXECUTE, "/var/tmp/tool"),
    )
    assert seen.outputs == made


def test_programs_and_libraries_are_told_apart_from_other_files() -> None:
    seen = folded(
        event(Action.EXECUTE, "/home/u/.local/bin/helper"),
        event(Action.EXECUTE, "/usr/bin/awk"),
        event(Action.EXECUTE, "/w/tool"),
        event(Action.READ, "/usr/lib/libm.so.6"),
        event(Action.READ, "/usr/share/awk/x"),
        work=("/w",),
    )
    assert seen.programs == ("/home/u/.local/bin/helper", "/usr/bin/awk", "/w/tool")
    assert [i.path for i in seen.inputs] == ["/w/tool"]
    assert seen.libraries == ("/usr/lib/libm.so.6",)
    assert seen.environment == ("/usr/share/awk/x",)


def test_a_virtual_environment_in_the_project_is_environment() -> None:
    paths = ("/w/.venv/bin/activate", "/w/.venv/pyvenv.cfg")
    seen = folded(*(event(Action.READ, p) for p in paths), work=("/w",))
    assert (seen.inputs, seen.environment) == ((), paths)


def test_a_module_read_as_compiled_code_stands_for_itself() -> None:
    seen = folded(
        event(Action.READ, "/w/__pycache__/mine.cpython-311.pyc"),
        event(Action.READ, "/usr/lib/python3/dist-packages/x/__pycache__/y.cpython-311.pyc"),
        event(Action.WRITE, "/w/__pycache__/other.cpython-311.pyc", new=True),
    )
    assert [(i.path, i.seen) for i in seen.inputs] == [("/w/mine.py", None)]
    assert seen.environment == ("/usr/lib/python3/dist-packages/x/y.py",)
