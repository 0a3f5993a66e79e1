"""No secret of the usual kinds gets into what is written down, wherever it stands."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envlock.runs.secrets import Hider, has_secret, is_secret_file, is_secret_name

LETTERS = string.ascii_letters + string.digits
NAMES = ["DB_PASSWORD", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "api_key", "OPENAI_API_KEY"]
NAMES += ["password", "my.passphrase", "SESSION_COOKIE", "accessToken", "private-key", "x_pwd"]
HARMLESS = ["PWD", "PATH", "tokenizer", "max_tokens", "n-tokens", "key", "primary_key", "author"]
HARMLESS += ["keyboard", "bypass", "pass-through", "lr", "passes", "seed"]


def tokens(length: int = 24) -> st.SearchStrategy[str]:
    return st.text(LETTERS, min_size=length, max_size=length)


SHAPED = st.one_of(
    tokens(36).map(lambda t: f"ghp_{t}"),
    tokens(40).map(lambda t: f"sk-{t}"),
    tokens(30).map(lambda t: f"hf_{t}"),
    st.text(string.ascii_uppercase + string.digits, min_size=16, max_size=16).map("AKIA".__add__),
    tokens(20).map(lambda t: f"glpat-{t}"),
    st.tuples(tokens(), tokens(), tokens()).map(lambda t: f"eyJ{t[0]}.{t[1]}.{t[2]}"),
    tokens(64).map(
        lambda t: f"-----BEGIN RSA PRIVATE KEY-----\n{t}\n-----END RSA PRIVATE KEY-----"
    ),
)
AROUND = st.text(" ,;\n\"'()[]{}", max_size=6)


@given(SHAPED, AROUND, AROUND)
def test_shapes_are_hidden_wherever_they_stand(secret: str, before: str, after: str) -> None:
    text = f"{before}{secret}{after}"
    hider = Hider({})
    shown = [
        hider.text(text),
        hider.said(text),
        *hider.argv(["cmd", text, "--x", text, f"--y={text}"]),
        json.dumps(hider.tree({"a": [text, {text: text}]})),
    ]
    core = secret.splitlines()[1] if "\n" in secret else secret
    assert not [one for one in shown if core in one]
    assert hider.hidden
    assert has_secret(text)


@given(st.sampled_from(NAMES), tokens(12))
def test_what_is_called_a_secret_is_hidden(name: str, value: str) -> None:
    hider = Hider({})
    argv = ["cmd", f"--{name}", value, f"--{name}={value}", f"{name}={value}", "last"]
    assert value not in " ".join(hider.argv(argv))
    assert hider.argv(argv)[-1] == "last"
    assert value not in hider.said(f"x {name} = {value}\n{name}: '{value}'\n{name}={value};")
    assert value not in json.dumps(hider.tree({"p": {name: {"value": value}, "q": 1}}))
    # The header's own words stay, and a value may be part of one ("uthorization").
    said = hider.said(f"Authorization: Bearer {value}")
    assert said.startswith("Authorization: ")
    assert f" {value}" not in said


@given(st.sampled_from(NAMES), tokens(12), st.text(max_size=20), st.text(max_size=20))
def test_values_of_secret_variables_are_hidden_everywhere(
    name: str, value: str, before: str, after: str
) -> None:
    hider = Hider({name: value, "HOME": "/home/me"})
    text = before + value + after
    assert value not in hider.text(text)
    assert value not in json.dumps(hider.argv(["cmd", text]), ensure_ascii=False)
    assert value not in json.dumps(hider.tree([{"x": text}]), ensure_ascii=False)


@given(tokens(12), tokens(8))
def test_passwords_in_addresses(password: str, user: str) -> None:
    for address in (f"https://{user}:{password}@host/x", f"postgres://{user}:{password}@h:1/db"):
        shown = Hider({}).text(address)
        assert password not in shown
        assert shown.endswith(address.rpartition("@")[2])


@given(st.text(max_size=200))
def test_other_text_stays(text: str) -> None:
    hider = Hider({})
    if not hider.hidden and "<hidden>" not in hider.text(text):
        assert hider.text(text) == text


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_no_secret_stays(name: str) -> None:
    assert not is_secret_name(name)
    argv = ["cmd", f"--{name}", "some-value", f"{name}=12"]
    assert Hider({name: "some-value"}).argv(argv) == argv


@pytest.mark.parametrize("path", [".env", "a/.env.local", "id_ed25519", "x.pem", "secrets.yaml"])
def test_files_of_secrets(path: str) -> None:
    assert is_secret_file(path)
    assert not is_secret_file(path.strip(".").replace(".", "_") + ".py")
