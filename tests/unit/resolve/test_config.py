"""Sources: order, defaults, credentials, undated places and malformed files of uv and pip."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from envlock.errors import UsageError
from envlock.lock.request import Request
from envlock.resolve.python.config.find import discover_sources
from envlock.resolve.python.sources import Sources

DEFAULT = "https://default.example.org/simple"


class Notes:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def step(self, text: str) -> None:
        pass

    def progress(self, done: int, total: int | None) -> None:
        pass

    def note(self, text: str) -> None:
        self.texts.append(text)


class World:
    """A machine with a project, a home and system folders, all empty at first."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        self.home = folder / "home"
        self.system = folder / "system"
        self.prefix = folder / "prefix"
        for path in (self.root, self.home, self.system, self.prefix):
            path.mkdir()
        self.notes = Notes()
        self.environ = {
            "HOME": str(self.home),
            "XDG_CONFIG_DIRS": str(self.system),
            "PIP_CONFIG_FILE": os.devnull,
            "UV_DEFAULT_INDEX": DEFAULT,
        }

    def write(self, path: Path, text: str | bytes) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def user_uv(self, text: str | bytes) -> Path:
        return self.write(self.home / ".config/uv/uv.toml", text)

    def pip(self, text: str | bytes) -> Path:
        path = self.write(self.home / "my-pip.conf", text)
        self.environ["PIP_CONFIG_FILE"] = str(path)
        return path

    def sources(self, *, dated: bool = False, **request: Any) -> Sources:
        return discover_sources(
            Request(targets=(), **request),
            self.root,
            dated=dated,
            reporter=self.notes,
            environ=self.environ,
            prefix=self.prefix,
        )

    def urls(self, **request: Any) -> list[str]:
        return [index.url for index in self.sources(**request).indexes]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def host(name: str) -> str:
    return f"https://{name}.example.org/simple"


# --- order ---


def test_order_of_everything(world: World) -> None:
    world.environ |= {
        "UV_INDEX": f"{host('env1')} named={host('env2')}",
        "UV_EXTRA_INDEX_URL": f"{host('env-extra1')} {host('env-extra2')}",
    }
    world.write(
        world.root / "pyproject.toml",
        f"[[tool.uv.index]]\nname = 'p'\nurl = '{host('project')}'\n",
    )
    world.user_uv(
        f"extra-index-url = ['{host('user-extra')}']\n[[index]]\nurl = '{host('user')}/'\n"
    )
    world.pip(f"[global]\nextra-index-url =\n  {host('pip1')}\n  {host('pip2')}\n")
    assert world.urls(index_urls=(host("own1"), host("own2"))) == [
        host("own1"),
        host("own2"),
        host("env1"),
        host("env2"),
        host("project"),
        host("user"),
        host("env-extra1"),
        host("env-extra2"),
        host("user-extra"),
        host("pip1"),
        host("pip2"),
        DEFAULT,
    ]
    indexes = world.sources().indexes
    assert [index.default for index in indexes] == [False] * (len(indexes) - 1) + [True]
    assert {index.name for index in indexes} == {None, "named", "p"}
    assert all(index.origin for index in indexes)


def test_the_strongest_default_wins(world: World) -> None:
    """Each default that is taken away reveals the next one."""
    world.environ["UV_INDEX_URL"] = host("env-old")
    world.environ["PIP_INDEX_URL"] = host("pip-env")
    world.pip(
        f"[global]\nindex-url = {host('pip-global')}\n[install]\nindex_url={host('pip-inst')}"
    )
    toml = world.user_uv(
        f"index-url = '{host('user-old')}'\n"
        f"[[index]]\nurl = '{host('user')}'\ndefault = true\n"
        f"[[index]]\nurl = '{host('second')}'\ndefault = true\n"
    )

    def default(**request: Any) -> str:
        [index] = [index for index in world.sources(**request).indexes if index.default]
        return index.url

    assert default(default_index=host("own")) == host("own")
    assert default() == DEFAULT
    del world.environ["UV_DEFAULT_INDEX"]
    assert default() == host("user")
    toml.write_text(f"index-url = '{host('user-old')}'\n")
    assert default() == host("env-old")
    del world.environ["UV_INDEX_URL"]
    assert default() == host("user-old")
    toml.unlink()
    assert default() == host("pip-env")
    del world.environ["PIP_INDEX_URL"]
    assert default() == host("pip-inst")


def test_one_index_named_twice_is_one(world: World) -> None:
    world.environ["UV_EXTRA_INDEX_URL"] = "https://u:p@one.example.org/simple/"
    world.environ["UV_INDEX"] = f"nick={host('one')}"
    indexes = world.sources(index_urls=(host("one"), host("two"))).indexes
    assert [index.url for index in indexes] == [host("one"), host("two"), DEFAULT]
    assert indexes[0].name == "nick"
    assert indexes[0].credentials is not None
    assert indexes[0].credentials.user == "u"


def test_a_default_that_is_also_preferred_keeps_its_place(world: World) -> None:
    indexes = world.sources(index_urls=(DEFAULT, host("two"))).indexes
    assert [(index.url, index.default) for index in indexes] == [
        (DEFAULT, False),
        (host("two"), True),
    ]


def test_explicit_indexes_are_for_those_who_name_them(world: World) -> None:
    world.user_uv(f"[[index]]\nname = 'x'\nurl = '{host('x')}'\nexplicit = true\n")
    assert world.urls() == [DEFAULT]


def test_an_explicit_default_leaves_no_default(world: World) -> None:
    del world.environ["UV_DEFAULT_INDEX"]
    world.user_uv(f"[[index]]\nname='x'\nurl='{host('x')}'\nexplicit=true\ndefault=true\n")
    world.pip(f"[global]\nindex-url = {host('pip')}\n")
    assert world.urls(index_urls=(host("own"),)) == [host("own")]


def test_a_flat_index_is_a_find_links(world: World) -> None:
    world.user_uv("[[index]]\nurl = 'https://flat.example.org/x'\nformat = 'flat'\n")
    sources = world.sources()
    assert [index.url for index in sources.indexes] == [DEFAULT]
    assert [link.location for link in sources.find_links] == ["https://flat.example.org/x"]


def test_no_index_of_the_project(world: World) -> None:
    world.environ["UV_INDEX"] = host("env")
    sources = world.sources(no_index=True, find_links=("wheels",))
    assert sources.indexes == ()
    assert [link.location for link in sources.find_links] == [str(world.root / "wheels")]


def test_no_index_silences_its_place_and_weaker_ones(world: World) -> None:
    del world.environ["UV_DEFAULT_INDEX"]
    world.environ["UV_INDEX"] = host("env")
    world.environ["PIP_EXTRA_INDEX_URL"] = host("pip")
    world.environ["PIP_NO_INDEX"] = "yes"
    assert world.urls() == [host("env")]
    world.user_uv(f"no-index = true\nextra-index-url = ['{host('user')}']\n")
    assert world.urls(index_urls=(host("own"),)) == [host("own"), host("env")]


def test_strategy_and_certificate(world: World) -> None:
    plain = world.sources()
    assert plain.strategy == "first-index"
    world.user_uv("index-strategy = 'unsafe-first-match'\n")
    assert world.sources().strategy == "unsafe-first-match"
    world.environ["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    assert world.sources().strategy == "unsafe-best-match"
    bundle = world.write(world.home / "ca.pem", "")
    world.environ["PIP_CERT"] = str(bundle)
    assert world.sources().certificate == str(bundle)


# --- which files count ---


def test_uv_files(world: World) -> None:
    world.write(world.system / "uv/uv.toml", f"extra-index-url = ['{host('system')}']\n")
    world.user_uv(f"extra-index-url = ['{host('user')}']\n")
    world.write(
        world.root / "pyproject.toml", f"[tool.uv]\nextra-index-url = ['{host('pyproject')}']\n"
    )
    assert world.urls() == [host("pyproject"), host("user"), host("system"), DEFAULT]
    world.write(world.root / "uv.toml", f"extra-index-url = ['{host('uv-toml')}']\n")
    assert world.urls() == [host("uv-toml"), host("user"), host("system"), DEFAULT]
    world.environ["XDG_CONFIG_HOME"] = str(world.root / "nothing")
    assert world.urls() == [host("uv-toml"), host("system"), DEFAULT]
    world.environ["UV_NO_CONFIG"] = "1"
    assert world.urls() == [DEFAULT]
    named = world.write(world.home / "named.toml", f"extra-index-url = ['{host('named')}']\n")
    world.environ["UV_CONFIG_FILE"] = str(named)
    assert world.urls() == [host("named"), DEFAULT]


def test_pip_files(world: World) -> None:
    del world.environ["PIP_CONFIG_FILE"]

    def conf(path: Path, name: str) -> None:
        world.write(path, f"[global]\nextra-index-url = {host(name)}\n")

    def found() -> str:
        first, *_ = world.urls()
        return first

    conf(world.system / "pip/pip.conf", "global")
    assert found() == host("global")
    conf(world.home / ".pip/pip.conf", "legacy")
    assert found() == host("legacy")
    conf(world.home / ".config/pip/pip.conf", "user")
    assert found() == host("user")
    conf(world.prefix / "pip.conf", "site")
    assert found() == host("site")
    conf(world.home / "named.conf", "named")
    world.environ["PIP_CONFIG_FILE"] = str(world.home / "named.conf")
    assert found() == host("named")
    world.environ["PIP_EXTRA_INDEX_URL"] = host("variable")
    assert found() == host("variable")
    world.environ["PIP_EXTRA_INDEX_URL"] = ""
    world.environ["PIP_CONFIG_FILE"] = os.devnull
    assert found() == DEFAULT


def test_pip_keys_are_written_in_many_ways(world: World) -> None:
    world.pip(f"[global]\n--Extra_Index_URL: {host('one')} {host('two')}\n[list]\nformat=columns\n")
    assert world.urls() == [host("one"), host("two"), DEFAULT]


# --- credentials ---


def test_credentials_are_kept_apart(world: World) -> None:
    world.environ["UV_INDEX"] = "https://me:s3cret%40@private.example.org/simple"
    sources = world.sources()
    assert sources.indexes[0].url == host("private")
    assert sources.login(host("private") + "/x") == ("me", "s3cret@")
    assert sources.login("http://private.example.org/simple/x") is None
    assert sources.login(DEFAULT) is None
    assert "s3cret" not in repr(sources)


def test_credentials_of_named_indexes(world: World) -> None:
    world.environ |= {
        "UV_INDEX": f"my-pri.vate={host('a')}",
        "UV_INDEX_MY_PRI_VATE_USERNAME": "u",
        "UV_INDEX_MY_PRI_VATE_PASSWORD": "p",
    }
    assert world.sources().login(host("a")) == ("u", "p")


@pytest.mark.parametrize("place", ["home", "variable"])
def test_credentials_of_netrc(world: World, place: str) -> None:
    text = "machine a.example.org login u password p\n"
    if place == "home":
        world.write(world.home / ".netrc", text)
    else:
        path = world.write(world.home / "elsewhere", text)
        world.environ["NETRC"] = str(path)
    sources = world.sources(index_urls=(host("a"), host("b")))
    assert sources.login(host("a")) == ("u", "p")
    assert sources.login(host("b")) is None


# --- places without dates ---


@pytest.mark.parametrize("variable", ["UV_FIND_LINKS", "PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"])
@pytest.mark.parametrize("dated", [True, False])
def test_the_machines_disk_is_set_aside(world: World, variable: str, dated: bool) -> None:
    folder = world.home / "wheels"
    world.environ[variable] = folder.as_uri()
    sources = world.sources(dated=dated)
    assert [index.url for index in sources.indexes] == [DEFAULT]
    assert sources.find_links == ()
    [note] = world.notes.texts
    assert str(folder) in note
    assert variable in note
    assert f'allow-undated = ["{folder}"]' in note


@pytest.mark.parametrize("variable", ["UV_FIND_LINKS", "PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"])
def test_unless_it_is_allowed_by_name(world: World, variable: str) -> None:
    folder = world.home / "wheels"
    world.environ[variable] = folder.as_uri()
    sources = world.sources(dated=True, allow_undated=(str(folder),))
    places = [*(i.url for i in sources.indexes[:-1]), *(f.location for f in sources.find_links)]
    assert places == [folder.as_uri() if "INDEX" in variable else str(folder)]
    assert world.notes.texts == []


def test_remote_find_links_of_the_machine(world: World) -> None:
    world.environ["PIP_FIND_LINKS"] = "https://u:p@links.example.org/x"
    [link] = world.sources(dated=False).find_links
    assert link.location == "https://links.example.org/x"
    assert world.sources(dated=True).find_links == ()
    [note] = world.notes.texts
    assert "https://links.example.org/x" in note
    assert "u:p" not in note


@pytest.mark.parametrize(
    "request_parts",
    [
        {"find_links": ("wheels",)},
        {"find_links": ("https://links.example.org/x",)},
        {"index_urls": ("./index",)},
    ],
)
def test_the_projects_own_are_refused_under_a_date(
    world: World, request_parts: dict[str, Any]
) -> None:
    sources = world.sources(dated=False, **request_parts)
    assert len(sources.indexes) + len(sources.find_links) == 2
    with pytest.raises(UsageError) as caught:
        world.sources(dated=True, **request_parts)
    assert "no upload time" in str(caught.value)
    assert "allow-undated = [" in str(caught.value.remedy)
    [written] = next(iter(request_parts.values()))
    sources = world.sources(dated=True, allow_undated=(written,), **request_parts)
    assert len(sources.indexes) + len(sources.find_links) == 2
    assert world.notes.texts == []


def test_a_default_on_this_disk_is_not_replaced_silently(world: World) -> None:
    del world.environ["UV_DEFAULT_INDEX"]
    world.environ["PIP_INDEX_URL"] = "file:///srv/index"
    with pytest.raises(UsageError, match=r"/srv/index is on this machine only.*allow-undated"):
        world.sources()
    assert world.urls(allow_undated=("/srv/index",)) == ["file:///srv/index"]


# --- malformed ---


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("index-url = https://x\n", 1),
        ("[global]\nindex-url = 'a'\n[[index]\n", 3),
        ("no-index = true\nno-index = false\n", 2),
    ],
)
def test_uv_toml_that_is_no_toml(world: World, text: str, line: int) -> None:
    path = world.user_uv(text)
    with pytest.raises(UsageError, match="not valid TOML") as caught:
        world.sources()
    assert caught.value.where == f"{path}:{line}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("index = 1", "index must be an array"),
        ("index = ['x']", r"index\[0\] must be a table"),
        ("index = [{}]", r"index\[0\].url is missing"),
        ("index = [{url = 1}]", r"index\[0\].url must be a string"),
        ("index = [{url = 'https://x.example.org', default = 'y'}]", "must be true or false"),
        ("extra-index-url = 'x'", "extra-index-url must be an array"),
        ("extra-index-url = [1]", r"extra-index-url\[0\] must be a string"),
        ("index-url = 1", "index-url must be a string"),
        ("find-links = {}", "find-links must be an array"),
        ("no-index = 'yes'", "no-index must be true or false"),
        ("index-strategy = 'best'", "unknown index strategy 'best'"),
        ("index-url = 'ftp://x'", "not an http, https or file address"),
        ("index-url = 'https://'", "not an http, https or file address"),
    ],
)
def test_uv_toml_with_wrong_values(world: World, text: str, words: str) -> None:
    path = world.user_uv(text)
    with pytest.raises(UsageError, match=words) as caught:
        world.sources()
    assert str(caught.value.where).startswith(str(path))
    assert caught.value.remedy


@pytest.mark.parametrize("text", ["tool = 1", "[tool]\nuv = 1"])
def test_a_pyproject_with_another_tool_table(world: World, text: str) -> None:
    path = world.write(world.root / "pyproject.toml", text)
    if "uv" not in text:
        assert world.urls() == [DEFAULT]
        return
    with pytest.raises(UsageError, match=r"tool\.uv must be a table") as caught:
        world.sources()
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("index-url = x\n", 1),
        ("[global]\nnonsense\n", 2),
        ("[global]\na = 1\na = 2\n", 3),
        ("[global]\n\n[global]\n", 3),
    ],
)
def test_pip_conf_that_is_none(world: World, text: str, line: int) -> None:
    path = world.pip(text)
    with pytest.raises(UsageError, match="not a pip configuration file") as caught:
        world.sources()
    assert caught.value.where == f"{path}:{line}"


@pytest.mark.parametrize("kind", ["pip", "uv"])
def test_files_that_are_not_text(world: World, kind: str) -> None:
    path = world.pip(b"[global]\n\xff = 1") if kind == "pip" else world.user_uv(b"\xff")
    with pytest.raises(UsageError, match="not UTF-8") as caught:
        world.sources()
    assert caught.value.where == str(path)


def test_wrong_values_of_pip(world: World) -> None:
    for text in ("no-index = maybe", "cert = /no/such.pem", "extra-index-url = ssh://x/y"):
        path = world.pip(f"[global]\n{text}\n")
        with pytest.raises(UsageError) as caught:
            world.sources()
        assert str(path) in str(caught.value.where)


def test_a_netrc_that_is_none(world: World) -> None:
    path = world.write(world.home / ".netrc", "machine a.example.org\n  nonsense x\n")
    with pytest.raises(UsageError, match="not a netrc file") as caught:
        world.sources()
    assert str(caught.value.where).startswith(f"{path}:")


def test_a_config_file_that_is_missing(world: World) -> None:
    world.environ["UV_CONFIG_FILE"] = str(world.home / "missing.toml")
    with pytest.raises(UsageError, match="no such file"):
        world.sources()


def test_passwords_stay_out_of_messages(world: World) -> None:
    world.environ["UV_INDEX"] = "ftp://user:s3cret@x.example.org/"
    with pytest.raises(UsageError) as caught:
        world.sources()
    assert "s3cret" not in str(caught.value)
