"""A request's canonical content and the lines that its wishes are written as."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from support.samples import LINUX, MACOS, digest, full_lock

from envlock.lock.hashing import request_digest
from envlock.lock.request import Request, Wish, parse_wish_line, wish_line

PLAIN = Request(wishes=(Wish(text="numpy>=2"),), targets=(LINUX,))
A, B = (f"sha256:{digest(letter)}" for letter in "ab")


def test_only_what_is_set_is_in_the_content() -> None:
    assert PLAIN.canonical() == {"requirements": ["numpy>=2"], "targets": ["linux/amd64@3.11"]}


def test_every_field_but_the_date_is_in_the_content() -> None:
    content = full_lock().request.canonical()
    assert set(content) == {
        "requirements", "constraints", "overrides", "targets", "extras", "groups",
        "requires-python", "prereleases", "only-binary", "no-binary", "default-index",
        "index-urls", "find-links", "no-index", "allow-undated", "sources", "build-exceptions",
        "build-exception-reasons", "build-requires", "local-sources",
        "os-base", "os-packages", "os-components", "os-recommends", "interpreter", "image-base",
        "nix", "nix-branch", "nix-source", "nix-names", "guix", "guix-url", "guix-branch",
        "guix-introduction-commit", "guix-introduction-fingerprint", "guix-names",
    }  # fmt: skip
    assert content["requirements"] == [
        "-e app @ file:.",
        f"lib>=1 --hash={A} --hash={B}",
        'ze-1; sys_platform == "linux"',
    ]


def test_origins_repetition_and_order_are_not_in_the_digest() -> None:
    one, two = Wish(text="a", origin="x:1"), Wish(text="b", group="group:dev")
    first = Request(wishes=(one, two), targets=(LINUX, MACOS), extras=("x", "y"))
    second = Request(
        wishes=(Wish(text="b"), Wish(text="a", origin="y:9"), one),
        targets=(MACOS, LINUX),
        extras=("y", "x", "y"),
    )
    assert request_digest(first) == request_digest(second)


def test_the_order_of_indexes_is_in_the_digest() -> None:
    urls = ("https://a.example.org", "https://b.example.org")
    assert request_digest(replace(PLAIN, index_urls=urls)) != request_digest(
        replace(PLAIN, index_urls=urls[::-1])
    )


def test_the_date_is_compared_on_its_own() -> None:
    dated = replace(PLAIN, as_of=datetime(2024, 1, 1, tzinfo=UTC))
    assert request_digest(dated) == request_digest(PLAIN)


def test_a_digest_is_sha256_and_stays() -> None:
    # `printf %s '{"requirements":[…],"targets":[…]}' | sha256sum`: lockfiles in the world hold it.
    assert request_digest(PLAIN) == (
        "sha256:93060811a21c793cb368f3bfe0af28edc37213ef9f41456858a31cc6cc4070f0"
    )


@pytest.mark.parametrize(
    ("wish", "line"),
    [
        (Wish(text="a>=1"), "a>=1"),
        (Wish(text="a @ file:lib", editable=True), "-e a @ file:lib"),
        (Wish(text="a==1", hashes=(A, B)), f"a==1 --hash={A} --hash={B}"),
        (Wish(text='a; os_name == "nt"', hashes=(A,)), f'a; os_name == "nt" --hash={A}'),
    ],
)
def test_a_wish_is_one_line(wish: Wish, line: str) -> None:
    assert wish_line(wish) == line
    assert parse_wish_line(line) == wish


def test_hashes_are_sorted_in_the_line() -> None:
    assert wish_line(Wish(text="a==1", hashes=(B, A))) == f"a==1 --hash={A} --hash={B}"
