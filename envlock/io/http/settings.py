"""How an HTTP client behaves where its user says so: variables, the CA bundle to trust."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from envlock.errors import UsageError
from envlock.io.http.transfer import Settings

_BUNDLE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def http_settings(
    variables: Mapping[str, str],
    *,
    certificate: str | None,
    retries: int | None,
    timeout: float | None,
    backoff: float,
) -> Settings:
    """What is given, and where it is None, what the variables say: see ``http``.

    Raises:
        UsageError: a variable or the CA bundle cannot be used.
    """
    if retries is None:
        retries = int(_number(variables, "ENVLOCK_HTTP_RETRIES", 3))
    if timeout is None:
        timeout = _number(variables, "ENVLOCK_HTTP_TIMEOUT", 30)
    bundle, folder = _trust(certificate, variables)
    return Settings(
        certificate=bundle,
        certificate_folder=folder,
        netrc=variables.get("NETRC"),
        retries=retries,
        timeout=timeout,
        backoff=backoff,
    )


def _number(variables: Mapping[str, str], name: str, default: float) -> float:
    text = variables.get(name, "")
    try:
        value = float(text) if text else default
    except ValueError:
        value = -1
    if not 0 <= value < float("inf"):
        raise UsageError(
            f"{name}={text} is not a number", where="environment", remedy="for example 30"
        )
    return value


def _trust(certificate: str | None, variables: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The CA bundle and folder to trust; (None, None) leaves it to the system's own store."""
    if certificate is not None:
        if not Path(certificate).exists():
            raise UsageError(
                "no such CA bundle", where=certificate, remedy="correct the certificate setting"
            )
        return (None, certificate) if Path(certificate).is_dir() else (certificate, None)
    for name in _BUNDLE_VARIABLES:
        bundle = variables.get(name)
        if bundle:
            if not Path(bundle).exists():
                raise UsageError(f"{name}: no such CA bundle", where=bundle, remedy=f"unset {name}")
            return (None, bundle) if Path(bundle).is_dir() else (bundle, None)
    if variables.get("SSL_CERT_DIR"):
        return None, variables["SSL_CERT_DIR"]
    import ssl  # 10 ms, and only needed where no variable says it

    paths = ssl.get_default_verify_paths()
    return paths.cafile, paths.capath
