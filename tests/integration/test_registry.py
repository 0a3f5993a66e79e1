"""The registry client against Debian's docker-registry; skopeo is the second opinion."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.registries import (
    OCI_INDEX,
    Answer,
    Asked,
    Cut,
    Proxy,
    TinyImage,
    ask,
    docker_config,
    htpasswd,
    layer,
    proxy,
    publish,
    put_blob,
    registry,
    skopeo,
    tiny_image,
    tiny_index,
    to_layout,
    tokens,
)

from envlock.errors import MissingError, SourceError, VerificationError
from envlock.io.http.client import Http
from envlock.io.images import push as registry_push
from envlock.io.images.push import Sent, push_blob, push_manifest
from envlock.io.images.reference import Reference, parse_reference
from envlock.io.images.registry import Registry, read_manifest

BLOB = bytes(range(256)) * 2048  # 512 KiB
DIGEST = "sha256:" + hashlib.sha256(BLOB).hexdigest()


@pytest.fixture(scope="module")
def open_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    with Http(retries=2, backoff=0.01, timeout=5) as http:
        yield Registry(http)


@pytest.fixture
def repository(request: pytest.FixtureRequest) -> str:
    """One for each test: they share a registry."""
    return "team/" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]


def image() -> TinyImage:
    return tiny_image([layer({"hello": b"hello\n"}), layer({"data": BLOB})])


def refusal(address: str, text: str, client: Registry) -> str:
    with pytest.raises(SourceError) as caught:
        client.manifest(parse_reference(f"{address}/{text}"))
    assert caught.value.remedy
    assert address in str(caught.value)
    return str(caught.value)


# --- pulling ---


def test_what_was_published_comes_back(
    open_registry: str, client: Registry, repository: str
) -> None:
    images = {"amd64": image(), "arm64": tiny_image([layer({})], architecture="arm64")}
    digest = publish(open_registry, f"{repository}:v1", images)
    reference = parse_reference(f"{open_registry}/{repository}:v1")
    index = client.manifest(reference)
    assert (index.digest, index.media_type, index.is_index) == (digest, OCI_INDEX, True)
    assert index.content == tiny_index(images)
    by_digest = client.manifest(replace(reference, tag=None, digest=images["amd64"].digest))
    assert by_digest.content == images["amd64"].manifest
    for entry in by_digest.document["layers"]:
        path = client.blob(reference, entry["digest"], entry["size"])
        assert path.read_bytes() == images["amd64"].blobs[entry["digest"]]
    told = skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{reference}")
    assert told.encode() == index.content


def test_what_is_not_there(open_registry: str, client: Registry, repository: str) -> None:
    publish(open_registry, f"{repository}:v1", {"amd64": image()})
    assert "does not have this image" in refusal(open_registry, f"{repository}:v2", client)
    assert "MANIFEST_UNKNOWN" in refusal(open_registry, f"{repository}:v2", client)
    with pytest.raises(MissingError):
        client.manifest(parse_reference(f"{open_registry}/{repository}@sha256:{'0' * 64}"))
    with pytest.raises(MissingError, match="does not have the blob sha256:0000"):
        client.blob(parse_reference(f"{open_registry}/{repository}"), "sha256:" + "0" * 64, 3)


def test_no_registry_there(client: Registry) -> None:
    assert "transfer failed" in refusal("127.0.0.1:9", "team/app:v1", client)


@pytest.mark.parametrize("stated", [True, False])
def test_another_manifest_than_its_digest_says(
    open_registry: str, client: Registry, repository: str, stated: bool
) -> None:
    digest = publish(open_registry, f"{repository}:v1", {"amd64": image()})
    other = tiny_index({})
    headers = {"Content-Type": OCI_INDEX}
    if stated:
        headers["Docker-Content-Digest"] = digest

    def rule(asked: Asked) -> Answer | None:
        return Answer(200, other, headers) if "/manifests/" in asked.path else None

    with proxy(open_registry, rule) as before:
        text = f"{before.address}/{repository}" + (":v1" if stated else f"@{digest}")
        with pytest.raises(VerificationError, match=f"it must be {digest}"):
            client.manifest(parse_reference(text))


def test_a_cut_blob_goes_on_where_it_broke(
    open_registry: str, client: Registry, repository: str
) -> None:
    put_blob(open_registry, repository, BLOB)
    cuts = [300_000]

    def rule(asked: Asked) -> Cut | None:
        return Cut(cuts.pop()) if "/blobs/" in asked.path and cuts else None

    with proxy(open_registry, rule) as before:
        reference = parse_reference(f"{before.address}/{repository}")
        path = client.blob(reference, DIGEST, len(BLOB))
        assert path.read_bytes() == BLOB
        assert [a.headers.get("range") for a in before.seen if "/blobs/" in a.path] == [
            None,
            "bytes=300000-",
        ]
        client.blob(reference, DIGEST, len(BLOB))  # from the store
        assert before.count("GET", "/blobs/") == 2


def test_another_blob_than_its_digest_says(
    open_registry: str, client: Registry, repository: str
) -> None:
    def rule(asked: Asked) -> Answer | None:
        return Answer(200, BLOB[::-1]) if "/blobs/" in asked.path else None

    with proxy(open_registry, rule) as before:
        reference = parse_reference(f"{before.address}/{repository}")
        with pytest.raises(VerificationError, match="other bytes"):
            client.blob(reference, DIGEST, len(BLOB))
        with pytest.raises(VerificationError, match="more than"):
            client.blob(reference, DIGEST, len(BLOB) - 1)


def test_too_many_requests_are_asked_again(
    open_registry: str, client: Registry, repository: str
) -> None:
    publish(open_registry, f"{repository}:v1", {"amd64": image()})
    left = [429, 503]

    def rule(asked: Asked) -> Answer | None:
        return (
            Answer(left.pop(), headers={"Retry-After": "0"})
            if "/v1" in asked.path and left
            else None
        )

    with proxy(open_registry, rule) as before:
        client.manifest(parse_reference(f"{before.address}/{repository}:v1"))
        assert before.count("GET", "/manifests/") == 3


def test_credentials_do_not_follow_a_redirect(
    tmp_path: Path, client: Registry, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(asked: Asked) -> Answer:
        return Answer(200, BLOB)

    with proxy("", elsewhere) as storage:

        def rule(asked: Asked) -> Answer | None:
            if asked.path == "/v2/":
                return Answer(401)
            if "authorization" not in asked.headers:
                return Answer(401, headers={"WWW-Authenticate": 'Basic realm="tests"'})
            place = f"http://localhost:{storage.address.partition(':')[2]}/stored?sig=presigned"
            return Answer(307, headers={"Location": place})

        with proxy("", rule) as before:
            monkeypatch.setenv("DOCKER_CONFIG", str(docker_config(tmp_path, before.address)))
            reference = parse_reference(f"{before.address}/{repository}")
            assert client.blob(reference, DIGEST, len(BLOB)).read_bytes() == BLOB
        assert [a.headers.get("authorization") for a in storage.seen] == [None]


# --- credentials ---


@pytest.mark.parametrize("kind", ["auths", "helper", "podman"])
def test_basic_authentication(
    tmp_path: Path, client: Registry, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    folder = tmp_path / "registry"
    with registry(folder, htpasswd(folder)) as address:
        reference = parse_reference(f"{address}/team/app:v1")
        told = refusal(address, "team/app:v1", client)
        assert f"wants a login for {address}/team/app" in told
        assert "docker login" in told
        config = docker_config(tmp_path / "docker", address) / "config.json"
        if kind == "podman":
            monkeypatch.setenv("REGISTRY_AUTH_FILE", str(config))
        else:
            monkeypatch.setenv("DOCKER_CONFIG", str(config.parent))
        if kind == "helper":
            _helper(tmp_path / "bin", address, monkeypatch)
            config.write_text(json.dumps({"credHelpers": {address: "tests"}}))
        with Registry(client.http) as own:
            assert push_blob(own, reference, DIGEST, BLOB) == Sent.SENT
            assert own.has_blob(reference, DIGEST)


def _helper(folder: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    program = folder / "docker-credential-tests"
    program.write_text(
        "#!/bin/sh\nread -r server\n"
        f'[ "$1 $server" = "get {address}" ] || exit 1\n'
        'echo \'{"ServerURL": "x", "Username": "ada", "Secret": "secret-word"}\'\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_a_wrong_password_is_not_shown(
    tmp_path: Path, client: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "registry"
    with registry(folder, htpasswd(folder)) as address:
        config = docker_config(tmp_path / "docker", address, "open-sesame")
        monkeypatch.setenv("DOCKER_CONFIG", str(config))
        told = refusal(address, "team/app:v1", client)
    assert "does not accept the stored credentials" in told
    assert "sesame" not in told


def test_a_registry_that_shows_credentials_is_not_repeated(
    tmp_path: Path, client: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rule(asked: Asked) -> Answer:
        sent = asked.headers.get("authorization", "")
        said = {"errors": [{"code": "DENIED", "message": f"no: {sent} secret-word\x1b[31m"}]}
        head = {"WWW-Authenticate": 'Basic realm="tests"'}
        return Answer(403 if sent else 401, json.dumps(said).encode(), head)

    with proxy("", rule) as before:
        monkeypatch.setenv("DOCKER_CONFIG", str(docker_config(tmp_path, before.address)))
        told = refusal(before.address, "team/app:v1", client)
    assert "DENIED: no: Basic *** ***" in told
    assert "\x1b" not in told


@pytest.mark.parametrize("identity", [False, True])
def test_tokens(
    tmp_path: Path, client: Registry, monkeypatch: pytest.MonkeyPatch, identity: bool
) -> None:
    with tokens(tmp_path / "keys") as server, registry(tmp_path / "r", server.auth) as address:
        reference = parse_reference(f"{address}/team/app:v1")
        with pytest.raises(SourceError, match="wants a login"):
            push_blob(client, reference, DIGEST, BLOB)  # anonymous tokens only pull
        config = docker_config(tmp_path / "docker", address)
        if identity:
            entry = {"auth": "YWRhOg==", "identitytoken": "identity-token"}
            (config / "config.json").write_text(json.dumps({"auths": {address: entry}}))
        monkeypatch.setenv("DOCKER_CONFIG", str(config))
        with Registry(client.http) as own:
            assert push_blob(own, reference, DIGEST, BLOB) == Sent.SENT
            assert server.seen[-1]["service"] == ["registry"]
            assert "repository:team/app:pull,push" in server.seen[-1]["scope"]
            asked = len(server.seen)
            assert own.has_blob(reference, DIGEST, actions=("pull", "push"))
            assert len(server.seen) == asked  # the token serves again
            other = replace(reference, repository="team/other")
            mounted = push_blob(own, other, DIGEST, BLOB, mount_from=["team/app"])
            assert mounted == Sent.MOUNTED


def test_an_expired_token_is_renewed(tmp_path: Path, client: Registry) -> None:
    with tokens(tmp_path / "keys") as server, registry(tmp_path / "r", server.auth) as address:
        server.lifetime = -120  # docker-registry allows for a minute of clocks that differ
        told = refusal(address, "team/app:v1", client)
        assert "wants a login" in told
        server.lifetime = 60
        assert "does not have this image" in refusal(address, "team/app:v1", client)


@pytest.mark.parametrize("realm", ["http://tokens.example.org/t", "https://u:p@x.example.org", ""])
def test_credentials_go_to_no_unsafe_place(
    tmp_path: Path, client: Registry, monkeypatch: pytest.MonkeyPatch, realm: str
) -> None:
    def rule(asked: Asked) -> Answer:
        return Answer(401, headers={"WWW-Authenticate": f'Bearer realm="{realm}",service="s"'})

    with proxy("", rule) as before:
        monkeypatch.setenv("DOCKER_CONFIG", str(docker_config(tmp_path, before.address)))
        with pytest.raises(SourceError, match="not safe for credentials"):
            client.manifest(parse_reference(f"{before.address}/team/app:v1"))


# --- pushing ---


def push(client: Registry, reference: Reference, pushed: TinyImage) -> str:
    for digest, content in pushed.blobs.items():
        push_blob(client, reference, digest, content)
    manifest = read_manifest(pushed.manifest, where="test")
    return push_manifest(client, reference, manifest)


def test_skopeo_gets_what_was_pushed(
    open_registry: str, client: Registry, repository: str, tmp_path: Path
) -> None:
    pushed = image()
    reference = parse_reference(f"{open_registry}/{repository}:v1")
    assert push(client, reference, pushed) == pushed.digest
    skopeo("copy", "--src-tls-verify=false", f"docker://{reference}", f"oci:{tmp_path}/out:v1")
    assert json.loads((tmp_path / "out/index.json").read_bytes())["manifests"][0]["digest"] == (
        pushed.digest
    )
    to_layout(tmp_path / "in", {"amd64": pushed})
    other = f"{open_registry}/{repository}:v2"
    skopeo("copy", "--dest-tls-verify=false", f"oci:{tmp_path}/in:latest", f"docker://{other}")
    assert client.manifest(parse_reference(other)).digest == pushed.digest


def test_what_is_there_is_not_sent_again(
    open_registry: str, client: Registry, repository: str
) -> None:
    put_blob(open_registry, repository, BLOB)
    with proxy(open_registry) as before:
        reference = parse_reference(f"{before.address}/{repository}:v1")
        assert push_blob(client, reference, DIGEST, BLOB) == Sent.THERE
        other = replace(reference, repository=repository + "-2")
        assert push_blob(client, other, DIGEST, BLOB, mount_from=[repository]) == Sent.MOUNTED
        assert before.count("PUT", "") == before.count("PATCH", "") == 0
        third = replace(reference, repository=repository + "-3")
        assert push_blob(client, third, DIGEST, BLOB, mount_from=["nobody/has"]) == Sent.SENT
        assert before.count("POST", "/uploads/") == 2


def test_a_cut_upload_begins_again_in_pieces(
    open_registry: str,
    client: Registry,
    repository: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry_push, "CHUNK_BYTES", 100_000)
    file = tmp_path / "blob"
    file.write_bytes(BLOB)
    # The whole one, then the third piece. A connection that served before breaks twice, since
    # libcurl makes a new one of its own.
    breaks = {("PUT", 0), ("PUT", 1), ("PATCH", 2), ("PATCH", 3)}
    counts: dict[str, int] = {}

    def rule(asked: Asked) -> Cut | None:
        number = counts.get(asked.method, 0)
        counts[asked.method] = number + 1
        return Cut() if (asked.method, number) in breaks else None

    with proxy(open_registry, rule) as before:
        reference = parse_reference(f"{before.address}/{repository}:v1")
        assert push_blob(client, reference, DIGEST, file) == Sent.SENT
        spans = [a.headers["content-range"] for a in before.seen if a.method == "PATCH"]
        assert spans[:3] == ["0-99999", "100000-199999", "200000-299999"]
        assert list(dict.fromkeys(spans)) == sorted(set(spans))  # no piece after a later one
        assert spans.count("200000-299999") == 3
        assert before.count("POST", "/uploads/") == 2
    path = client.blob(parse_reference(f"{open_registry}/{repository}"), DIGEST, len(BLOB))
    assert path.read_bytes() == BLOB


def test_an_upload_of_other_bytes_is_refused(
    open_registry: str, client: Registry, repository: str
) -> None:
    reference = parse_reference(f"{open_registry}/{repository}:v1")
    with pytest.raises(VerificationError, match="counts another digest"):
        push_blob(client, reference, DIGEST, BLOB[::-1])
    assert not client.has_blob(reference, DIGEST)


def test_a_registry_that_takes_no_uploads(
    open_registry: str, client: Registry, repository: str
) -> None:
    def rule(asked: Asked) -> Answer | None:
        if asked.method == "PUT":
            return Answer(429, headers={"Retry-After": "0"})
        return None

    with proxy(open_registry, rule) as before:
        reference = parse_reference(f"{before.address}/{repository}:v1")
        with pytest.raises(SourceError, match="answered 429") as caught:
            push_blob(client, reference, DIGEST, BLOB)
        assert caught.value.remedy == "try again later"
        assert before.count("PUT", "") < 8
        assert "_state" not in str(caught.value)


def test_a_registry_that_changes_what_it_is_given(
    open_registry: str, client: Registry, repository: str
) -> None:
    def rule(asked: Asked) -> Answer | None:
        if asked.method == "PUT" and "/manifests/" in asked.path:
            return Answer(201, headers={"Docker-Content-Digest": DIGEST})
        return None

    sent = pytest.raises(VerificationError, match="what was sent is")
    with proxy(open_registry, rule) as before, sent:
        push(client, parse_reference(f"{before.address}/{repository}:v1"), image())


def test_many_threads_share_one_token(tmp_path: Path, client: Registry) -> None:
    with tokens(tmp_path / "keys") as server, registry(tmp_path / "r", server.auth) as address:
        reference = parse_reference(f"{address}/team/app:v1")
        threads = [
            threading.Thread(target=client.has_blob, args=(reference, DIGEST)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.seen) == 1


def test_a_proxy_passes_on_what_the_registry_says(open_registry: str) -> None:
    """The tests' own proxy changes nothing by itself."""
    with proxy(open_registry) as before:
        assert isinstance(before, Proxy)
        assert ask(before.address, "GET", "/v2/")[0] == ask(open_registry, "GET", "/v2/")[0] == 200
