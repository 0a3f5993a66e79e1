"""Credentials are taken out of URLs and put back without loss, and never shown."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envlock.io.http.urls import host_of, split_credentials, without_credentials

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1)


@given(TEXT, st.text(st.characters(codec="utf-8", exclude_categories=["Cs"])))
def test_round_trip(user: str, password: str) -> None:
    rest = "example.org:8443/simple?x=1"
    url = f"https://{quote(user, safe='')}:{quote(password, safe='')}@{rest}"
    assert split_credentials(url) == (f"https://{rest}", (user, password))


@pytest.mark.parametrize(
    ("url", "plain", "login"),
    [
        ("https://example.org/a@b", "https://example.org/a@b", None),
        ("https://example.org?u=a@b", "https://example.org?u=a@b", None),
        ("https://u@example.org/", "https://example.org/", ("u", "")),
        ("https://u:p%40x@example.org/", "https://example.org/", ("u", "p@x")),
        ("https://u:p@q@example.org/", "https://example.org/", ("u", "p@q")),
        ("https://@example.org/", "https://example.org/", None),
        ("file:///a@b", "file:///a@b", None),
        ("relative/a@b", "relative/a@b", None),
    ],
)
def test_split(url: str, plain: str, login: tuple[str, str] | None) -> None:
    assert split_credentials(url) == (plain, login)
    assert without_credentials(url) == plain


@pytest.mark.parametrize(
    "url",
    ["https://u:p@Example.org:1/x", "http://[::1]:8080/x", "https://example.org", "nonsense"],
)
def test_host_is_what_the_standard_library_says(url: str) -> None:
    expected = urlsplit(url).hostname or ""
    assert host_of(url).strip("[]") == expected
