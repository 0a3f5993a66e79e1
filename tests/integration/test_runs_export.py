"""``envlock runs export``: each form held to the standard's own library."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import resource_descriptor_pb2, statement_pb2
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from support import crates
from support.runs import Folder
from support.tools import run

HOSTILE = "in {x} [1]'\n<é>.csv"
JOB = """
import sys, json
data = open(sys.argv[1]).read()
open("out.txt", "w").write(data)
for step in (1, 2): print("ENVLOCK", json.dumps({"loss": 1 / step}))
sys.exit(int(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Two runs: one that ended well and copied a file, one that failed within it."""
    root = tmp_path_factory.mktemp("exported") / "work"
    root.mkdir()
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    run([*git, "init", "--quiet"], cwd=root)
    run([*git, "commit", "--quiet", "--allow-empty", "-m", "base"], cwd=root)
    (root / "job.py").write_text(JOB)
    (root / HOSTILE).write_text("a,b\n1,2\n")
    folder = Folder(root)
    options = ["-m", "why <b>\n", "--param", "k={z}", "--input", HOSTILE, "--output", "out.txt"]
    folder.run(sys.executable, "job.py", HOSTILE, "0", options=options)
    folder.run(sys.executable, "job.py", HOSTILE, "3")
    return folder


def exported(folder: Folder, form: str, *arguments: str) -> bytes:
    done = folder.envlock("runs", "export", *arguments, "--format", form)
    assert done.returncode == 0, done.stderr
    again = folder.envlock("runs", "export", *arguments, "--format", form)
    assert again.stdout == done.stdout
    out: bytes = done.stdout
    return out


def files_of(crate: Path) -> dict[str, bytes]:
    return {
        path.relative_to(crate).as_posix(): path.read_bytes()
        for path in crate.rglob("*")
        if path.is_file()
    }


def test_a_crate_has_what_it_says(folder: Folder, tmp_path: Path) -> None:
    first, second = (one["id"] for one in folder.records())
    arguments = ("runs", "export", first, second, "--format", "ro-crate", "--with-files")
    for name in ("one", "two"):
        assert folder.envlock(*arguments, "-o", str(tmp_path / name)).returncode == 0
    found = files_of(tmp_path / "one")
    assert found == files_of(tmp_path / "two"), "the same bytes each time"
    graph = {e["@id"]: e for e in json.loads(found["ro-crate-metadata.json"])["@graph"]}
    assert [part["@id"] for part in graph["./"]["mentions"]] == [f"#{first}", f"#{second}"]
    described = {e["@id"]: e for e in graph.values() if e["@type"] == "File"}
    listed = {part["@id"] for part in graph["./"]["hasPart"]}
    assert listed == set(described)
    from urllib.parse import unquote

    inside = {unquote(id_): e for id_, e in described.items() if not id_.startswith("urn:")}
    assert set(inside) == set(found) - {"ro-crate-metadata.json"}
    for name, entity in inside.items():
        assert hashlib.sha256(found[name]).hexdigest() == entity["sha256"]
        assert entity["contentSize"] == str(len(found[name]))
    copies = {e["alternateName"] for e in inside.values() if "alternateName" in e}
    assert {HOSTILE, "job.py", "out.txt"} <= copies
    action = graph[f"#{first}"]
    assert (action["@type"], action["name"]) == ("CreateAction", "why <b>\n")
    assert graph[f"#{second}"]["error"] == "exit code 3"
    names = {graph[value["@id"]]["name"] for value in action["object"]}
    assert {"k", "job.py", HOSTILE} <= names

    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("")
    for path, said in [(["-o", str(tmp_path / "full")], "no crate"), ([], "a crate is a folder")]:
        refused = folder.envlock(*arguments, *path)
        assert refused.returncode == 2
        assert said in refused.stderr.decode()


@pytest.mark.network
def test_a_crate_is_valid(
    folder: Folder, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """By the profile's own validator, its recommendations, too."""
    python = crates.validator(tmp_path_factory)
    for name, options in {
        "bare": [],
        "full": ["--with-files", "--author", "https://orcid.org/0000-0002-1825-0097"],
    }.items():
        crate = tmp_path / name
        ids = [one["id"] for one in folder.records()]
        arguments = ["runs", "export", *ids, "--format", "ro-crate", "-o", str(crate), *options]
        assert folder.envlock(*arguments).returncode == 0
        said = crates.check(python, crate, "RECOMMENDED" if options else "REQUIRED")
        accepted = ("publisher", "affiliation", "absolute URI", "have a url", "license", "urn")
        assert [line for line in said if not any(word in line for word in accepted)] == []


def test_prov_json_is_read_by_prov(folder: Folder) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from prov.model import (
            ProvActivity,
            ProvAssociation,
            ProvDocument,
            ProvEntity,
            ProvGeneration,
            ProvUsage,
        )
    first, second = (one["id"] for one in folder.records())
    text = exported(folder, "prov-json", first, second)
    document = ProvDocument.deserialize(content=text.decode(), format="json")
    activities = {record.identifier.localpart for record in document.get_records(ProvActivity)}
    assert activities == {f"run-{first}", f"run-{second}"}
    entities = {record.identifier for record in document.get_records(ProvEntity)}
    labels = {str(record.label) for record in document.get_records(ProvEntity)}
    assert {HOSTILE, "job.py", "out.txt"} <= labels
    used, made = set(), set()
    for kind, pairs in ((ProvUsage, used), (ProvGeneration, made)):
        for record in document.get_records(kind):
            names = {str(key): value for key, value in record.attributes}
            assert names["prov:entity"] in entities
            pairs.add((names["prov:activity"].localpart, names["prov:entity"].localpart))
    assert not used & made, "nothing is the reason of itself"
    assert len(list(document.get_records(ProvAssociation))) == 2
    again = ProvDocument.deserialize(content=document.serialize(format="json"), format="json")
    assert again == document


def test_an_in_toto_statement_is_read_by_in_toto(folder: Folder, tmp_path: Path) -> None:
    first, second = (one["id"] for one in folder.records())
    document: dict[str, Any] = json.loads(exported(folder, "in-toto", first))
    predicate = document["predicate"]
    Statement.copy_from_pb(ParseDict(document, statement_pb2.Statement())).validate()
    ParseDict(predicate, provenance_pb2.Provenance())
    dependencies = predicate["buildDefinition"]["resolvedDependencies"]
    for descriptor in (*dependencies, *predicate["runDetails"]["byproducts"]):
        parsed = ParseDict(descriptor, resource_descriptor_pb2.ResourceDescriptor())
        ResourceDescriptor.copy_from_pb(parsed).validate()
    copy = hashlib.sha256((folder.root / "out.txt").read_bytes()).hexdigest()
    assert {"name": "out.txt", "digest": {"sha256": copy}} in document["subject"]
    [record] = [path for path in folder.files() if path.stem == first]
    digest = {"sha256": hashlib.sha256(record.read_bytes()).hexdigest()}
    assert {"name": record.name, "digest": digest} in predicate["runDetails"]["byproducts"]
    out = tmp_path / "statements"
    exported(folder, "in-toto", first, second, "-o", str(out))
    assert set(files_of(out)) == {f"{first}.intoto.json", f"{second}.intoto.json"}
    assert files_of(out)[f"{first}.intoto.json"] == exported(folder, "in-toto", first)


def test_a_message_for_datalad(folder: Folder) -> None:
    """By the form that its handbook gives; `git commit -F -` keeps it as it is."""
    first, second = (one["id"] for one in folder.records())
    (folder.root / ".datalad").mkdir(exist_ok=True)
    (folder.root / ".datalad" / "config").write_text('[datalad "dataset"]\n\tid = 12-ab\n')
    text = exported(folder, "datalad", first).decode()
    form = (
        r"\[DATALAD RUNCMD\] (.+)\n\n=== Do not change lines below ===\n(.*)\n"
        r"\^\^\^ Do not change lines above \^\^\^\n"
    )
    match = re.fullmatch(form, text, re.S)
    assert match
    assert match[1] == "why <b>\\n"
    told = json.loads(match[2])
    assert told["cmd"].replace("{{", "{").replace("}}", "}").endswith(" 0")
    assert told["dsid"] == "12-ab"
    assert (told["pwd"], told["exit"], told["chain"]) == (".", 0, [])
    assert "in {{x}} [[]1]'\n<é>.csv" in told["inputs"]
    assert told["outputs"] == ["out.txt"]
    other = re.fullmatch(form, exported(folder, "datalad", second).decode(), re.S)
    assert other
    assert json.loads(other[2])["exit"] == 3
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(
        [*git, "commit", "--quiet", "--allow-empty", "-F", "-"],
        cwd=folder.root,
        input=text.encode(),
        check=True,
    )
    kept = run(["git", "log", "-1", "--format=%B"], cwd=folder.root).stdout
    assert kept.strip() == text.strip()
