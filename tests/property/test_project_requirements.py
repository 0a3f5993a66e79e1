"""Requirements files: pip's own lexer as the oracle, packaging for meaning, hostile input."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import assume, given
from hypothesis import strategies as st
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pip._internal.req.req_file import preprocess  # the lexer that users' files were written for

from envlock.errors import EnvlockError, UsageError
from envlock.lock.request import parse_wish_line, wish_line
from envlock.project.formats.requirements_file import read_requirements
from envlock.project.formats.requirements_lines import logical_lines
from envlock.project.part import Part
from envlock.project.wishes import make_wish

NOWHERE = Path("/nowhere")


@given(st.text(alphabet="ab=#\\ \t\n\r\x0c-", max_size=40))
def test_logical_lines_are_those_of_pip(text: str) -> None:
    assert list(logical_lines(text)) == list(preprocess(text))


names = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?", fullmatch=True).filter(
    # `packaging` takes a name up to a dot that a URL may follow; keep to plain names.
    str.isascii
)
versions = st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,2}((a|b|rc)[0-9])?", fullmatch=True)
specifiers = st.lists(
    st.tuples(st.sampled_from(["==", "!=", ">=", "<=", ">", "<"]), versions).map("".join),
    max_size=3,
).map(",".join)
comparisons = st.sampled_from(
    [
        "python_version >= '3.8'",
        "'3.11' > python_version",
        'sys_platform == "win32"',
        "os_name != 'nt'",
        "platform_machine in 'x86_64 aarch64'",
        "extra == 'plot'",
    ]
)
markers = st.lists(comparisons, min_size=1, max_size=3).flatmap(
    lambda parts: st.sampled_from([" and ", " or ", "  and  "]).map(lambda j: j.join(parts))
)
spaces = st.sampled_from(["", " ", "  "])


@st.composite
def requirements(draw: st.DrawFn) -> str:
    text = draw(names)
    extras = draw(st.lists(names, max_size=2))
    if extras:
        text += draw(spaces) + f"[{draw(spaces)}{','.join(extras)}{draw(spaces)}]"
    text += draw(spaces) + draw(specifiers)
    if draw(st.booleans()):
        text += f"{draw(spaces)};{draw(spaces)}{draw(markers)}"
    return text


@given(requirements())
def test_a_wish_means_what_was_written(text: str) -> None:
    written = Requirement(text)
    wish = make_wish(text, where="x", root=NOWHERE)
    found = Requirement(wish.text)
    assert found.name == canonicalize_name(written.name)
    assert found.extras == {canonicalize_name(extra) for extra in written.extras}
    assert found.specifier == written.specifier
    for version in ("2.7", "3.8", "3.12"):
        for extra in ("", "plot"):
            environment = {**default_environment(), "python_version": version, "extra": extra}
            expected = written.marker is None or written.marker.evaluate(environment)
            assert (found.marker is None or found.marker.evaluate(environment)) is expected


@given(requirements())
def test_spelling_is_a_fixed_point_and_survives_the_lockfile(text: str) -> None:
    wish = make_wish(text, where="x", root=NOWHERE)
    assert make_wish(wish.text, where="y", root=NOWHERE) == wish
    assert parse_wish_line(wish_line(wish)) == wish


@given(requirements(), st.permutations(range(3)))
def test_spelling_ignores_order_and_blanks(text: str, order: list[int]) -> None:
    head, semicolon, marker = text.partition(";")
    parts = Requirement(head)
    specs = sorted(map(str, parts.specifier))
    shuffled = [specs[i] for i in order if i < len(specs)]
    assume(len(shuffled) == len(specs))
    name = parts.name.upper().replace("-", "_")
    other = f"  {name} [{','.join(sorted(parts.extras, reverse=True))}] {' , '.join(shuffled)} "
    first = make_wish(text, where="x", root=NOWHERE)
    assert make_wish(other + semicolon + marker, where="x", root=NOWHERE) == first


def attempt(text: str) -> Part | EnvlockError:
    """What reading a file of ``text`` gives, or the error that it raises."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requirements.txt"
        path.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
        try:
            return read_requirements(path, root=Path(folder))
        except EnvlockError as error:
            return error


pieces = st.sampled_from(
    [
        "-r ",
        "-c ",
        "-e ",
        "-i ",
        "-f ",
        "--hash=",
        "sha256:",
        "https://",
        "git+",
        "file:",
        "a",
        "@",
        " ",
        "\n",
        "\\\n",
        "#",
        "egg=",
        "[",
        "]",
        ";",
        "==1",
        "../",
        "./",
        "'",
        '"',
        ".whl",
        "${A}",
        ".tar.gz",
        "\x00",
        "\ufeff",
        "%2e",
        "%00",
        "&",
        "subdirectory=",
        "-",
        "::",
        "\u2028",
        "~",
        "~x/",
        "/",
    ]
)


@given(st.lists(pieces, max_size=12).map("".join))
def test_hostile_files_are_read_or_refused(text: str) -> None:
    found = attempt(text)
    if isinstance(found, EnvlockError):
        assert found.exit_code == 2
        assert found.where


secrets = st.text(alphabet="abcXYZ019%:@/+=~!$&'()*,;[]", min_size=1, max_size=10).map(
    lambda text: f"SECRET{text}"
)


@given(
    secrets,
    st.sampled_from(["user:", "", "git:"]),
    st.sampled_from(["https", "http", "git+https", "git+ssh"]),
    st.sampled_from(["{}", "a @ {}", "-i {}", "--extra-index-url={}", "-f {}", "-e {}", "-r {}"]),
)
def test_no_password_gets_out(secret: str, user: str, scheme: str, line: str) -> None:
    assume(user or scheme != "git+ssh")  # ssh://SECRET@host names a user, which is no secret
    assume(user or "/" not in secret)  # https://SECRET/@… is a host and a path
    url = f"{scheme}://{user}{secret}@example.org/x-1.0.tar.gz"
    found = attempt(line.format(url))
    assert isinstance(found, UsageError)
    assert "SECRET" not in str(found)
