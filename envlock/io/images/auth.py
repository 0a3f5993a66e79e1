"""Authorization at container registries: Basic (RFC 7617) and the Bearer token flow.

A registry that wants to know who asks answers 401 and says how (``WWW-Authenticate``). For Bearer,
a token for the repository is had from the named realm, with the user's credentials or without
(Docker registry v2 authentication via central service; OAuth 2 for identity tokens).
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Mapping
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from envlock.errors import SourceError
from envlock.io.http.bodies import Body
from envlock.io.http.client import Http
from envlock.io.http.transfer import Response
from envlock.io.images.login import RegistryLogin, find_login
from envlock.io.images.reference import Reference, is_loopback

_CHALLENGE = re.compile(
    r"(?:^|[\s,])(Basic|Bearer)\s+((?:[\w-]+=(?:\"(?:[^\"\\]|\\.)*\"|[^\s,\"]+)[\s,]*)+)", re.I
)
_PARAMETER = re.compile(r"([\w-]+)=(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,\"]+))")
_MAX_TOKEN_BYTES = 1024 * 1024
_SHORTEST_SECRET = 4

_Key = tuple[str, tuple[str, ...]]


class Authorizer:
    """What one client knows of registries' wishes: logins and tokens, in memory only.

    Args:
        http: asks for tokens.
        environ: the variables that say where credentials are; this process's when None.
    """

    def __init__(self, http: Http, environ: Mapping[str, str] | None = None) -> None:
        self._http = http
        self._environ = environ
        self._guard = threading.Lock()
        self._logins: dict[str, RegistryLogin | None] = {}
        self._headers: dict[_Key, str] = {}
        self._secrets: set[str] = set()

    def headers(self, reference: Reference, scopes: tuple[str, ...]) -> dict[str, str]:
        """What a request with these scopes (``repository:library/debian:pull``) sends."""
        known = self._headers.get((reference.registry, scopes))
        return {} if known is None else {"Authorization": known}

    def learn(
        self, reference: Reference, scopes: tuple[str, ...], sent: Mapping[str, str], answer: str
    ) -> bool:
        """Get what ``answer``, the challenge of a 401, asks for; whether to ask again.

        Args:
            reference: whose registry.
            scopes: what the request was for.
            sent: what ``headers`` gave for it.

        Raises:
            SourceError: the token's realm gives none, or cannot be trusted with credentials.
            UsageError: the user's stored credentials cannot be read.
        """
        key = (reference.registry, scopes)
        with self._guard:
            known = self._headers.get(key)
            if known is not None and known != sent.get("Authorization"):
                return True  # another thread was faster
            value = self._answer(reference, scopes, answer)
            if value is None or value == known:
                return False
            self._headers[key] = value
            return True

    def has_login(self, reference: Reference) -> bool:
        """Whether the user has stored credentials for the registry."""
        return self._login(reference) is not None

    def redact(self, text: str) -> str:
        """``text`` without anything secret that this client knows, in one line for messages."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, "***")
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())

    def _login(self, reference: Reference) -> RegistryLogin | None:
        key = reference.name
        if key not in self._logins:
            login = find_login(reference, self._environ)
            self._logins[key] = login
            self._secrets.update(login.secrets if login else ())
        return self._logins[key]

    def _answer(self, reference: Reference, scopes: tuple[str, ...], challenges: str) -> str | None:
        asked = {
            kind.lower(): {
                name.lower(): re.sub(r"\\(.)", r"\1", quoted) or plain
                for name, quoted, plain in _PARAMETER.findall(text)
            }
            for kind, text in _CHALLENGE.findall(challenges)
        }
        login = self._login(reference)
        if "bearer" in asked:
            token = self._token(reference, scopes, asked["bearer"], login)
            self._secrets.add(token)
            return f"Bearer {token}"
        if "basic" in asked and login is not None and not login.identity:
            return login.basic
        return None

    def _token(
        self,
        reference: Reference,
        scopes: tuple[str, ...],
        challenge: Mapping[str, str],
        login: RegistryLogin | None,
    ) -> str:
        realm = _realm(reference, challenge.get("realm", ""))
        # One scope a parameter; the registry's own wording goes first.
        wanted = tuple(dict.fromkeys([*_one(challenge.get("scope")), *scopes]))
        service = challenge.get("service")
        parameters = [("service", service)] if service else []
        where = urlunsplit((realm.scheme, realm.netloc, realm.path, "", ""))
        try:
            if login is not None and login.identity:
                form = [
                    ("grant_type", "refresh_token"),
                    ("client_id", "envlock"),
                    *parameters,
                    ("scope", " ".join(wanted)),
                    ("refresh_token", login.identity),
                ]
                answer = self._http.request(
                    "POST",
                    urlunsplit(realm._replace(fragment="")),
                    headers={"Content-Type": "application/x-www-form-urlencoded"},
                    body=Body(urlencode(form).encode()),
                    # The body holds the credentials: nobody else gets it.
                    follow=False,
                    max_bytes=_MAX_TOKEN_BYTES,
                )
            else:
                query = [*parse_qsl(realm.query), *parameters, *(("scope", s) for s in wanted)]
                answer = self._http.get(
                    urlunsplit(realm._replace(query=urlencode(query), fragment="")),
                    headers={"Authorization": login.basic} if login else None,
                    max_bytes=_MAX_TOKEN_BYTES,
                )
        except SourceError as error:
            raise SourceError(
                f"no token for {reference.name}: {error.what}", where=where, remedy=error.remedy
            ) from None
        return _token_of(answer, reference, where, stored=login is not None)


def scope(repository: str, *actions: str) -> str:
    """The scope of a token: ``repository:library/debian:pull``."""
    return f"repository:{repository}:{','.join(actions)}"


def log_in_remedy(reference: Reference) -> str:
    """What to do where a registry wants (other) credentials."""
    return f"log in: docker login {reference.registry} (or podman, skopeo)"


def _one(text: str | None) -> Iterable[str]:
    return (text or "").split()


def _realm(reference: Reference, text: str) -> SplitResult:
    try:
        realm = urlsplit(text)
        host = realm.netloc
        safe = realm.scheme == "https" or (
            realm.scheme == "http" and reference.loopback and is_loopback(host)
        )
    except ValueError:
        safe, host = False, ""
    if not safe or not host or "@" in host:
        raise SourceError(
            f"{reference.registry} sends for tokens to a place that is not safe for credentials",
            where=text[:200].partition("?")[0],
            remedy="its realm must be https; ask who runs the registry",
        )
    return realm


def _token_of(answer: Response, reference: Reference, where: str, *, stored: bool) -> str:
    if answer.status != 200:
        what = (
            "does not accept the stored credentials" if stored else "gives no token without a login"
        )
        raise SourceError(
            f"{reference.registry} {what} (the answer was {answer.status})",
            where=where,
            remedy=log_in_remedy(reference),
        )
    try:
        content = json.loads(answer.body)
        token = content.get("token") or content.get("access_token")
    except (ValueError, AttributeError, RecursionError):
        token = None
    if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
        raise SourceError(f"the answer holds no token for {reference.name}", where=where)
    return token
