"""A bundle's base image, pulled from it by real container tools once its registry is gone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from support.bundles import judge, serving
from support.index import LoopbackIndex
from support.project import Project, errors_in
from support.registries import ask, layer, publish, registry, skopeo, tiny_image
from support.tools import run

AMD = tiny_image(
    [layer({"etc": None, "etc/a": b"amd64"}), layer({"b": b"2"})], created="2024-05-12T00:00:00Z"
)
ARM = tiny_image([layer({"a": b"arm64"})], architecture="arm64", created="2024-05-13T00:00:00Z")


def test_container_tools_pull_from_a_bundle(
    project: Project, index: LoopbackIndex, tmp_path: Path
) -> None:
    index.add("lib", "1.0", "2024-01-01")
    with registry(tmp_path / "registry") as address:
        top = publish(address, "some/base:slim", {"amd64": AMD, "arm64": ARM})
        base = f"{address}/some/base:slim"
        project.write("lib", settings={"targets": ["linux/amd64"], "image": {"base": base}})
        project.lock()
        assert project.run("bundle", "-o", "bundle.tar").returncode == 0
    # The registry is gone. All is in the store; elsewhere it is not.
    bundle = project.root / "bundle"
    assert project.run("bundle").returncode == 0
    judge(bundle)
    blobs = {top, AMD.digest, *AMD.blobs}
    there = {f"sha256:{path.parent.name}" for path in bundle.glob("files/*/*")}
    assert blobs < there
    assert not {ARM.digest, *ARM.blobs} & there
    assert base in (bundle / "README.md").read_text()
    cold = {"ENVLOCK_CACHE_DIR": str(tmp_path / "cold")}
    done = project.run("bundle", "-o", "other", **cold)
    assert done.returncode == 3
    assert "--without images" in done.stderr
    assert project.run("bundle", "-o", "other", "--without", "images", **cold).returncode == 0
    assert not list((project.root / "other").glob("files/*/manifest.json"))

    with serving(project, project.root / "bundle.tar") as told:
        host = told["url"].removeprefix("http://")
        assert told["images"] == [f"{host}/some/base@{top}"]
        plain = ("--src-tls-verify=false", "--override-arch", "amd64")
        for number, name in enumerate((told["images"][0], f"{host}/some/base:slim")):
            copy = tmp_path / f"copy{number}"
            skopeo("copy", "-q", *plain, f"docker://{name}", f"dir:{copy}")
            manifest = (copy / "manifest.json").read_bytes()
            assert "sha256:" + hashlib.sha256(manifest).hexdigest() == AMD.digest
            got = {f"sha256:{path.name}" for path in copy.iterdir() if len(path.name) == 64}
            assert got == set(AMD.blobs)
        settings = tmp_path / "storage.conf"
        settings.write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/graph"\n'
            f'runroot = "{tmp_path}/run"\n'
        )
        own = {"CONTAINERS_STORAGE_CONF": str(settings)}
        pulled = ["podman", "pull", "-q", "--tls-verify=false", "--arch=amd64", told["images"][0]]
        [config] = [d for d in AMD.blobs if b"rootfs" in AMD.blobs[d]]
        assert run(pulled, env=own).stdout.strip() == config.removeprefix("sha256:")

        status, headers, body = ask(host, "HEAD", f"/v2/some/base/manifests/{top}")
        assert (status, body, headers["docker-content-digest"]) == (200, b"", top)
        assert ask(host, "GET", "/v2/")[0] == 200
        assert json.loads(ask(host, "GET", "/v2/some/base/tags/list")[2])["tags"] == ["slim"]
        for path in (
            f"some/base/manifests/{ARM.digest}",
            "some/base/manifests/latest",
            "other/manifests/slim",
            f"some/base/blobs/{ARM.digest}",
            "some/base/blobs/../../../etc/passwd",
        ):
            assert ask(host, "GET", f"/v2/{path}")[0] == 404
        assert ask(host, "PUT", "/v2/some/base/manifests/slim", b"{}")[0] in (404, 405, 501)

    # A layer that is gone is missed, whatever the manifest of the bundle says.
    lost = next(bundle.glob("files/*/layer.tar.gz"))
    path = lost.relative_to(bundle).as_posix()
    manifest = bundle / "SHA256SUMS"
    lines = [line for line in manifest.read_text().splitlines(keepends=True) if path not in line]
    manifest.write_text("".join(lines))
    lost.unlink()
    done = project.run("bundle", "verify", "bundle")
    assert done.returncode == 4
    assert f"missing: sha256:{lost.parent.name} (layer.tar.gz)" in done.stderr
    assert errors_in(done.stderr) == 1
