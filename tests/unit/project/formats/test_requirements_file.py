"""pip's requirements format: what each line means, and what each refused one says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from envlock.errors import UsageError
from envlock.project.formats.requirements_file import read_lines, read_requirements
from envlock.project.part import Part

Write = Callable[[str, str], Path]
HASH = "a" * 64
OTHER = "b" * 64


@pytest.fixture
def read(tmp_path: Path, write: Write) -> Callable[[str], Part]:
    def read_text(text: str) -> Part:
        return read_requirements(write("requirements.txt", text), root=tmp_path)

    return read_text


def texts(part: Part) -> list[str]:
    return [wish.text for wish in part.wishes]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("Flask", "flask"),
        ("my_Pkg.name >= 1 , <2", "my-pkg-name<2,>=1"),
        ("requests[Socks,security]==2.*", "requests[security,socks]==2.*"),
        ("numpy  # a comment", "numpy"),
        ("tomli; python_version<'3.11'", 'tomli; python_version < "3.11"'),
        (
            "tomli ;python_version<'3.11'and os_name=='nt'",
            'tomli; python_version < "3.11" and os_name == "nt"',
        ),
        ("foo===1.0-weird", "foo===1.0-weird"),
        ("Foo @ https://example.org/foo-1.0.tar.gz", "foo @ https://example.org/foo-1.0.tar.gz"),
        (
            "foo @ https://Example.org/foo-1.0.tar.gz ; os_name == 'nt'",
            'foo @ https://example.org/foo-1.0.tar.gz ; os_name == "nt"',
        ),
        (
            "https://example.org/My_Foo-1.0-py3-none-any.whl",
            "my-foo @ https://example.org/My_Foo-1.0-py3-none-any.whl",
        ),
        (
            "https://example.org/foo-1.0.tar.gz ; os_name == 'nt'",
            'foo @ https://example.org/foo-1.0.tar.gz ; os_name == "nt"',
        ),
        (
            f"https://example.org/main.zip#sha256={HASH}&egg=foo[x]",
            f"foo[x] @ https://example.org/main.zip#sha256={HASH}",
        ),
        (
            "git+https://example.org/o/foo.git@v1.0#egg=Foo&subdirectory=py",
            "foo @ git+https://example.org/o/foo.git@v1.0#subdirectory=py",
        ),
        (
            "git+ssh://git@example.org/o/foo@main#egg=foo",
            "foo @ git+ssh://git@example.org/o/foo@main",
        ),
        (
            "foo @ git+https://git@example.org/o/foo@0a1b2c",
            "foo @ git+https://git@example.org/o/foo@0a1b2c",
        ),
        ("foo@git+file:///srv/foo.git", "foo @ git+file:///srv/foo.git"),
    ],
)
def test_requirement(read: Callable[[str], Part], line: str, text: str) -> None:
    assert texts(read(line)) == [text]


def test_origins_comments_and_continuations(read: Callable[[str], Part]) -> None:
    part = read("# top\r\n\r\na\\\r\n >=1 \\\r\n , <2\r\n   # indented\r\nb\\\n# ends it\nc  #x\n")
    assert [(w.text, w.origin) for w in part.wishes] == [
        ("a<2,>=1", "requirements.txt:3"),
        ("b", "requirements.txt:7"),
        ("c", "requirements.txt:9"),
    ]


def test_a_hash_sign_inside_a_word_is_no_comment(read: Callable[[str], Part]) -> None:
    assert texts(read("git+https://example.org/a#egg=a #c")) == ["a @ git+https://example.org/a"]


def test_hashes(read: Callable[[str], Part]) -> None:
    text = f"foo==1.0 \\\n  --hash=sha256:{OTHER} \\\n  --hash sha256:{HASH} --hash=sha256:{OTHER}"
    (wish,) = read(text).wishes
    assert wish.text == "foo==1.0"
    assert wish.hashes == (f"sha256:{OTHER}", f"sha256:{HASH}")


def test_hash_on_a_url(read: Callable[[str], Part]) -> None:
    (wish,) = read(f"https://example.org/foo-1.0.tar.gz --hash=sha256:{HASH}").wishes
    assert wish.hashes == (f"sha256:{HASH}",)


def test_local_paths(read: Callable[[str], Part], write: Write, tmp_path: Path) -> None:
    write("lib one/pyproject.toml", '[project]\nname = "Lib_One"\n')
    write("old/setup.cfg", "[metadata]\nname = old.lib\n")
    write("mono/sub/pyproject.toml", '[project]\nname = "sub"\n')
    write("wheels/foo-1.0+cpu-py3-none-any.whl", "")
    write("bar-2.0.tar.gz", "")
    write("pyproject.toml", '[project]\nname = "self"\n')
    assert texts(
        read(
            "./lib one\n"
            "file:old[plot] ; os_name == 'nt'\n"
            f"file://{tmp_path}/old\n"
            "./mono#subdirectory=sub\n"
            "wheels/foo-1.0+cpu-py3-none-any.whl\n"
            "bar-2.0.tar.gz\n"
            "bar @ file:bar-2.0.tar.gz\n"
            f"{tmp_path}/bar-2.0.tar.gz\n"
            ".[dev]\n"
            "-e .\n"
        )
    ) == [
        "lib-one @ file:lib%20one",
        'old-lib[plot] @ file:old ; os_name == "nt"',
        "old-lib @ file:old",
        "sub @ file:mono#subdirectory=sub",
        "foo @ file:wheels/foo-1.0+cpu-py3-none-any.whl",
        "bar @ file:bar-2.0.tar.gz",
        "self[dev] @ file:.",
        "self @ file:.",
    ]


def test_paths_beside_the_project(write: Write, tmp_path: Path) -> None:
    write("lib/pyproject.toml", '[project]\nname = "lib"\n')
    path = write("app/deep/r.txt", f"../lib\nother @ file://{tmp_path}/lib\n")
    part = read_requirements(path, root=tmp_path / "app")
    assert texts(part) == ["lib @ file:../lib", "other @ file:../lib"]
    assert [w.origin for w in part.wishes] == ["deep/r.txt:1", "deep/r.txt:2"]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("-e ./lib", "lib @ file:lib"),
        ("-elib/", "lib @ file:lib"),
        ("-e 'file:lib'", "lib @ file:lib"),
        ('-e "lib/"', "lib @ file:lib"),
        ("-e lib @ file:lib", "lib @ file:lib"),
        (
            "--editable=lib/[x] ; python_version < '3.12'",
            'lib[x] @ file:lib ; python_version < "3.12"',
        ),
    ],
)
def test_editable(read: Callable[[str], Part], write: Write, line: str, text: str) -> None:
    write("lib/pyproject.toml", '[project]\nname = "lib"\n')
    (wish,) = read(line).wishes
    assert (wish.text, wish.origin, wish.editable) == (text, "requirements.txt:1", True)


def test_the_same_wish_twice_is_one(read: Callable[[str], Part]) -> None:
    (wish,) = read("a>=1\n\nA >= 1\n").wishes
    assert wish.origin == "requirements.txt:1"


def test_nested_files_count_from_the_file_that_names_them(
    read: Callable[[str], Part], write: Write
) -> None:
    write("reqs/base.txt", "b\n-r more/deep.txt\n")
    write("reqs/more/deep.txt", "d\n-c../c.txt\n")
    write("reqs/c.txt", "x<2\n-r asked.txt\n-c c2.txt\n")
    write("reqs/asked.txt", "asked\n")
    write("reqs/c2.txt", "y @ https://example.org/y-1.tar.gz\n")
    part = read("a\n-r reqs/base.txt\n--requirement=reqs/base.txt\n--constraint reqs/c.txt\nz\n")
    assert texts(part)[:4] == ["a", "b", "d", "asked"]
    assert set(texts(part)) == {"a", "b", "d", "asked", "z"}
    assert [w.text for w in part.constraints] == ["x<2", "y @ https://example.org/y-1.tar.gz"]
    assert part.wishes[2].origin == "reqs/more/deep.txt:1"


def test_the_same_file_twice_is_no_circle(read: Callable[[str], Part], write: Write) -> None:
    write("b.txt", "b")
    assert texts(read("-r b.txt\n-r b.txt")) == ["b"]


def test_circle(read: Callable[[str], Part], write: Write) -> None:
    write("b.txt", "-c ./sub/../c.txt")
    write("c.txt", "\n-r requirements.txt")
    with pytest.raises(UsageError) as caught:
        read("-r b.txt")
    assert "requirements.txt → b.txt → c.txt → requirements.txt" in caught.value.what
    assert caught.value.where == "c.txt:2"


def test_indexes(read: Callable[[str], Part], write: Write) -> None:
    write("wheels/x", "")
    write("sub/wheels/x", "")
    write("sub/r.txt", "-f wheels\n--extra-index-url https://b.example.org/simple\n")
    part = read(
        "-i https://old.example.org/simple\n"
        "--index-url=https://a.example.org/simple/\n"
        "--extra-index-url https://c.example.org/simple --extra-index-url=https://d.example.org/\n"
        "-r sub/r.txt\n--find-links ./wheels\n-f https://e.example.org/files.html\n"
    )
    assert part.default_index == "https://a.example.org/simple"
    assert part.index_origin == "requirements.txt:2"
    assert part.extra_indexes == (
        "https://c.example.org/simple",
        "https://d.example.org",
        "https://b.example.org/simple",
    )
    assert part.find_links == ("sub/wheels", "wheels", "https://e.example.org/files.html")
    assert not part.no_index


def test_no_index(read: Callable[[str], Part]) -> None:
    assert read("--no-index\n").no_index


def test_formats_follow_pips_last_word(read: Callable[[str], Part]) -> None:
    part = read("--only-binary My_A,b\n--no-binary=b,c\n--pre\n")
    assert (part.only_binary, part.no_binary, part.prereleases) == (("my-a",), ("b", "c"), True)
    part = read("--only-binary a\n--no-binary :all:\n--only-binary b\n")
    assert (part.only_binary, part.no_binary) == (("b",), (":all:",))
    assert read("--no-binary a\n--no-binary :none:\n").no_binary == ()


def test_variables(read: Callable[[str], Part], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_HOST", "h.example.org")
    assert read("--extra-index-url https://${MY_HOST}/simple").extra_indexes == (
        "https://h.example.org/simple",
    )
    # pip's form is ${UPPER} alone.
    assert texts(read("a @ https://example.org/$MY_HOST/${my_host}/a-1.tar.gz")) == [
        "a @ https://example.org/$MY_HOST/${my_host}/a-1.tar.gz"
    ]


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b"\xef\xbb\xbf"),
        ("utf-16-le", b"\xff\xfe"),
        ("utf-16-be", b"\xfe\xff"),
        ("utf-32-le", b"\xff\xfe\x00\x00"),
        ("utf-32-be", b"\x00\x00\xfe\xff"),
        ("utf-8", b""),
    ],
)
def test_encodings(tmp_path: Path, encoding: str, mark: bytes) -> None:
    path = tmp_path / "r.txt"
    path.write_bytes(mark + "numpy  # für später\n".encode(encoding))
    assert texts(read_requirements(path, root=tmp_path)) == ["numpy"]


def test_coding_comment(tmp_path: Path) -> None:
    path = tmp_path / "r.txt"
    path.write_bytes("# -*- coding: latin-1 -*-\nnumpy  # für\n".encode("latin-1"))
    assert texts(read_requirements(path, root=tmp_path)) == ["numpy"]
    path.write_bytes("numpy  # für\n".encode("latin-1"))
    with pytest.raises(UsageError, match=r"not utf-8 \(byte 10\)") as caught:
        read_requirements(path, root=tmp_path)
    assert "coding" in (caught.value.remedy or "")
    path.write_bytes(b"# coding: klingon\nnumpy\n")
    with pytest.raises(UsageError, match="unknown encoding 'klingon'"):
        read_requirements(path, root=tmp_path)


def test_require_hashes(read: Callable[[str], Part]) -> None:
    good = f"--require-hashes\nfoo==1 --hash=sha256:{HASH}\n"
    direct = f"b @ https://example.org/b-1.tar.gz#sha256={HASH}\n"
    assert len(read(good + direct).wishes) == 2
    with pytest.raises(UsageError, match="bar has no --hash") as caught:
        read(good + "bar\n")
    assert caught.value.where == "requirements.txt:3"


REFUSED = [
    (
        "foo =>2",
        "expected semicolon (after name with no version specifier) or end (column 5)",
        ">=",
    ),
    ("foo=1", "is not a requirement", "name==1.2.3"),
    ("foo[a", "after extras", "numpy>=2"),
    ("foo ==", "is not a requirement", ""),
    ("pytz (>=2011k)", "is not a requirement", ""),
    ("foo; python_versoin < '3'", "is not a requirement", ""),
    ("foo @", "expected URL", ""),
    ("foo bar", "is not a requirement", ""),
    ("hg+https://example.org/x#egg=x", "hg is not supported; only git is", ""),
    ("svn+https://example.org/x#egg=x", "svn is not supported", ""),
    ("x @ ftp://example.org/x-1.tar.gz", "expected a URL with https:", ""),
    ("git+ftp://example.org/x#egg=x", "expected git+https:", "git+ssh://git@host/owner/name"),
    ("git+ssh://git@example.org:o/x#egg=x", "colon after the host", "with a slash"),
    ("x @ git@example.org:o/x.git", "ssh's short form", "git+ssh://git@host/owner/name"),
    ("git+https://example.org/x.git", "nothing tells the name", "name @ git+https"),
    ("https://example.org/archive/main.zip", "nothing tells the name", "name @ https"),
    ("https://example.org/x-1.tar.gz#md5=abc", "expected egg=NAME", "sha256"),
    ("https://example.org/x-1.tar.gz#sha256=abc", "expected 64", ""),
    ("https:///x-1.tar.gz", "without a host", ""),
    ("https://example.org:x/x-1.tar.gz", "not a URL", ""),
    ("file://host/x-1.tar.gz", "a file URL with a host", "file:relative/path"),
    ("./missing", "no such file or folder: missing", "the project's folder"),
    ("foo-1.0.tar.gz", "no such file or folder", ""),
    ("./plain.txt", "expected a wheel", ""),
    ("./empty", "nothing tells the name of ./empty", "name @ file:empty"),
    ("a @ https://example.org/b-1.0-py3-none-any.whl", "asks for a, but", "write b @"),
    ("a @ https://example.org/a-py3.whl", "is not a wheel's file name", ""),
    ("-e git+https://example.org/x#egg=x", "only a folder can be installed as editable", "-e"),
    ("-e ./bar-1.0.tar.gz", "is a file; only a folder", "-e"),
    ("-e", "--editable: expected a value", ""),
    (f"foo --hash=sha256:{HASH}", "has a --hash but no fixed version", "=="),
    (f"foo==1.* --hash=sha256:{HASH}", "has a --hash but no fixed version", "=="),
    ("foo==1 --hash=md5:abc", "--hash=md5:abc: expected sha256:", "only sha256"),
    (f"foo==1 --hash=sha512:{HASH}", "expected sha256:", "only sha256"),
    ("foo==1 --hash=sha256:abc", "expected sha256: and 64 hex digits", "pip hash"),
    ("foo==1 --hash", "--hash: expected a value", ""),
    (f"--hash=sha256:{HASH}", "--hash without a requirement", "backslash"),
    ("foo==1 --pre", "--pre after a requirement", "line of its own"),
    ("foo==1 --config-settings x=y", "cannot be kept in a lock yet", ""),
    ("foo==1 --global-option x", "cannot be kept in a lock yet", ""),
    ("foo -r x.txt", "--requirement after a requirement", ""),
    ("--prefer-binary", "--prefer-binary would choose", "--only-binary"),
    ("--trusted-host example.org", "--trusted-host would switch certificate checks", "CA"),
    ("--use-feature=fast-deps", "--use-feature is a switch", ""),
    ("--no-require-hashes", "not supported", ""),
    ("--all-releases foo", "not supported", "--pre"),
    ("--extra-index", "unknown option --extra-index", "extra-index-url"),
    ("--pre=yes", "unknown option --pre", ""),
    ("-x", "unknown option -x", ""),
    ("-r missing.txt", "no such file: missing.txt", ""),
    ("-r", "--requirement: expected a value", ""),
    ("-r https://example.org/r.txt", "may say something else tomorrow", "save it"),
    ("-c 'open", "No closing quotation", "close the quotes"),
    ("-r base.txt more", "'more': expected an option", ""),
    ("-i ftp://example.org", "expected the http(s) URL", "--find-links"),
    ("-i ./simple", "expected the http(s) URL", "--find-links"),
    ("-i https://", "expected the http(s) URL", ""),
    ("-f missing", "find-links: no such file or folder: missing", ""),
    ("-f git+https://example.org/x", "expected an http(s) URL or a local folder", ""),
    ("-f https://", "a URL without a host", ""),
    ("-c extras.txt", "a constraint cannot name extras", ""),
    ("-c editable.txt", "a constraint cannot be editable", ""),
    ("a @ https://example.org/${NOT_SET_HERE}", "NOT_SET_HERE is not set", "export"),
]


@pytest.mark.parametrize(("line", "what", "remedy"), REFUSED)
def test_refused(
    read: Callable[[str], Part], write: Write, line: str, what: str, remedy: str
) -> None:
    write("plain.txt", "")
    write("empty/x", "")
    write("base.txt", "")
    write("bar-1.0.tar.gz", "")
    write("lib/pyproject.toml", '[project]\nname = "lib"\n')
    write("extras.txt", "# c\nfoo[x]<2")
    write("editable.txt", "# c\n-e ./lib")
    with pytest.raises(UsageError) as caught:
        read(f"# first\n{line}\n")
    assert what in caught.value.what
    nested = {"-c extras.txt": "extras.txt:2", "-c editable.txt": "editable.txt:2"}
    assert caught.value.where == nested.get(line, "requirements.txt:2")
    assert remedy in (caught.value.remedy or "")


SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "line",
    [
        f"foo @ https://user:{SECRET}@example.org/foo-1.0.tar.gz",
        f"https://{SECRET}@example.org/foo-1.0.tar.gz",
        f"git+https://{SECRET}@example.org/o/foo#egg=foo",
        f"git+ssh://git:{SECRET}@example.org/o/foo#egg=foo",
        f"-i https://user:{SECRET}@example.org/simple",
        f"--extra-index-url=https://user:{SECRET}@example.org/simple",
        f"-f https://user:{SECRET}@example.org/",
        f"-e git+https://user:{SECRET}@example.org/o/foo#egg=foo",
        f"-r https://user:{SECRET}@example.org/r.txt",
        f"foo >== https://user:{SECRET}@example.org/",
        f"-i https://user:pa/{SECRET}@example.org/simple",
        f"--bogus https://user:{SECRET}@example.org/simple",
        f"-i 'https://user:{SECRET}@example.org/simple",
        "foo @ https://${SECRET_USER}@example.org/foo-1.0.tar.gz",
        "-i https://user:${SECRET_USER}@example.org/simple",
    ],
)
def test_credentials_get_nowhere(
    read: Callable[[str], Part], monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setenv("SECRET_USER", SECRET)
    with pytest.raises(UsageError, match="a URL with credentials") as caught:
        read(f"\n{line}\n")
    assert SECRET not in str(caught.value)
    assert caught.value.where == "requirements.txt:2"
    assert "netrc" in (caught.value.remedy or "")


def test_an_absolute_path_that_shares_nothing(tmp_path: Path, write: Write) -> None:
    outside = Path("/usr") if not str(tmp_path).startswith("/usr") else Path("/etc")
    with pytest.raises(UsageError, match="only this machine knows") as caught:
        read_requirements(write("r.txt", f"x @ file://{outside}"), root=tmp_path)
    assert "relative path" in (caught.value.remedy or "")


def test_missing_file_names_who_asked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no such file: none\.txt") as caught:
        read_requirements(tmp_path / "none.txt", root=tmp_path, where="pyproject.toml:3")
    assert caught.value.where == "pyproject.toml:3"


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        read_requirements(tmp_path, root=tmp_path)


def test_lines_of_another_file(tmp_path: Path, write: Write) -> None:
    write("r.txt", "b")
    path = tmp_path / "environment.yml"
    part = read_lines([(7, "a>=1"), (9, "-r r.txt")], path=path, root=tmp_path)
    assert [(w.text, w.origin) for w in part.wishes] == [
        ("a>=1", "environment.yml:7"),
        ("b", "r.txt:1"),
    ]
