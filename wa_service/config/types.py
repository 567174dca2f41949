"""Types of settings; their error messages say what a variable takes, never the given value."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from wa_service.config.api_keys import SHORTEST_KEY, ApiKey, parse_api_keys

LARGEST_PORT: Final = 65_535
_LONGEST_URL: Final = 2_048


def _split(value: Any) -> Any:
    """`"a, b"` → `("a", "b")`."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _words(value: Any) -> Any:
    return () if value == "none" else _split(value)


def _api_keys(value: Any) -> Any:
    return parse_api_keys(value) if isinstance(value, str) else value


def _takes(what: str, pattern: str) -> AfterValidator:
    """Return a validator for a text's format."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"takes {what}")
        return value

    return AfterValidator(check)


def _redis_url(value: SecretStr) -> SecretStr:
    address = value.get_secret_value()
    if not re.match(_REDIS_URL, address):
        raise ValueError(
            "takes an address that starts with redis://, rediss:// or unix://, or one such as "
            "redis+sentinel://host:26379,host:26379/service or redis+cluster://host:6379,host:6379"
        )
    try:
        _check_redis_url(address)
    except ValueError:
        raise ValueError("cannot be read: in a password write # as %23, / as %2F, ? as %3F and @ as %40") from None
    return value


def _check_redis_url(address: str) -> None:
    """Raise ValueError for a port, database or option that the store's client would refuse at its first use.

    Without redis-py: gunicorn's master reads the settings, and its workers would inherit imports from before gevent's
    patch.
    """
    scheme, _, rest = address.partition("://")
    netloc = re.split("[/?#]", rest, maxsplit=1)[0]
    # Of the path and query only: some Pythons refuse several hosts with brackets.
    parts = urlsplit(f"{scheme}://{rest.removeprefix(netloc)}")
    several = "+" in scheme
    for host in netloc.rpartition("@")[2].split(","):
        # `port` raises ValueError for what is no number, or too large.
        if urlsplit(f"//{host}").port == 0 or (several and host.endswith(":")):
            raise ValueError
    if scheme in ("redis", "rediss") and not re.fullmatch(r"(/\d*/?)?", parts.path):
        raise ValueError
    options = {**_REDIS_OPTIONS, **(_TLS_OPTIONS if scheme.startswith("rediss") else {})}
    for name, values in parse_qs(parts.query).items():
        if name not in options:
            raise ValueError
        options[name](values[0])


def _http_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that do not match, a port that is none
        is_usable = False
    if not is_usable or re.search(r"\s", value):
        raise ValueError("takes an address such as https://host/path or http://host:8000")
    return value


def _tool_url(value: str) -> str:
    # Each call would be refused; see `split_url` in resilience/destinations.py.
    if "@" in urlsplit(value).netloc or "\\" in value or not value.isascii() or len(value) > _LONGEST_URL:
        raise ValueError(f"takes an address of at most {_LONGEST_URL:,} ASCII characters, without user and password")
    return value


def _graph_url(value: str) -> str:
    if re.search("[?#@]", value):
        raise ValueError("takes an address such as https://graph.facebook.com, without user, query and fragment")
    return value


def _sentry_dsn(value: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(_http_url(value.get_secret_value()))
    except ValueError:
        parts = urlsplit("")
    if not parts.username or not parts.path.rpartition("/")[2].isdecimal():
        raise ValueError("takes a DSN as Sentry shows it, such as https://<key>@sentry.example/1")
    return value


def _address(value: str) -> str:
    found = re.fullmatch(r"unix:.+|(\[[0-9a-fA-F:.]+\]|[^\s:]*):(?P<port>\d{1,5})", value)
    if not found or int(found["port"] or 0) > LARGEST_PORT:
        raise ValueError("takes address:port or unix:path")
    return value


def _readable(value: Path) -> Path:
    if not os.access(value, os.R_OK):
        raise ValueError("names a file or directory that cannot be read")
    return value


def _token(value: SecretStr) -> SecretStr:
    # It is sent in a header, which takes no other characters: each call would raise.
    if not re.fullmatch(r"[!-~]+", value.get_secret_value()):
        raise ValueError("takes visible ASCII characters without spaces: copy it again, whole and alone")
    return value


def _bearer_key(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < SHORTEST_KEY:
        raise ValueError(f"takes a key of at least {SHORTEST_KEY} characters, made at random")
    return value


_HOSTS = r"([^/?#]*@)?[^/?#@,]+(,[^/?#@,]+)*"
_REDIS_URL = (
    rf"rediss?://|unix://|rediss?\+cluster://{_HOSTS}/?(\?.*)?$|rediss?\+sentinel://{_HOSTS}/[^/?#]+(/\d*)?(\?.*)?$"
)
# Options of redis-py in a query, and functions that raise ValueError for an unusable value.
_REDIS_OPTIONS: Final[Mapping[str, Callable[[str], object]]] = {
    "client_name": str,
    "db": int,
    "health_check_interval": int,
    "max_connections": int,
    "password": str,
    "protocol": int,
    "retry_on_timeout": str,
    "socket_connect_timeout": float,
    "socket_keepalive": str,
    "socket_timeout": float,
    "username": str,
}
_TLS_OPTIONS: Final[Mapping[str, Callable[[str], object]]] = {
    "ssl_ca_certs": str,
    "ssl_ca_path": str,
    "ssl_cert_reqs": ("none", "optional", "required").index,
    "ssl_certfile": str,
    "ssl_check_hostname": str,
    "ssl_ciphers": str,
    "ssl_keyfile": str,
    "ssl_min_version": ("771", "772").index,  # TLS 1.2 and 1.3
    "ssl_password": str,
}


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError:
        raise ValueError("takes IP addresses or networks such as 10.0.0.0/8") from None
    return value


def _responder_secret(value: SecretStr) -> SecretStr:
    try:
        key = base64.b64decode(value.get_secret_value().removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not 24 <= len(key) <= 64:
        raise ValueError("takes whsec_ and base64 of 24 to 64 random bytes")
    return value


def _signing_secret(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith("whsec_"):
        raise ValueError("takes whsec_ and base64 of 24 to 64 random bytes")
    return value


GraphId = Annotated[
    str, _takes("ids as the WhatsApp Manager shows them, not telephone numbers", r"[0-9A-Za-z_-]{1,64}")
]
ApiVersion = Annotated[str, _takes("a version such as v25.0", r"v\d{1,3}\.\d")]
HttpUrl = Annotated[str, AfterValidator(_http_url), AfterValidator(_tool_url)]
GraphUrl = Annotated[str, AfterValidator(_http_url), AfterValidator(_graph_url)]
SentryDsn = Annotated[SecretStr, AfterValidator(_sentry_dsn)]
Rate = Annotated[str, _takes("a rate such as 6000/minute", r"[1-9]\d* ?(/|per) ?(\d+ ?)?(second|minute|hour|day)s?")]
RateOrNone = Annotated[
    str, _takes("a rate such as 30/10minutes, or 0", r"0|[1-9]\d* ?(/|per) ?(\d+ ?)?(second|minute|hour|day)s?")
]
Address = Annotated[str, AfterValidator(_address)]
StoreTag = Annotated[str, _takes("1 to 32 letters, digits, dashes and underscores", r"[0-9A-Za-z_-]{1,32}")]
Port = Annotated[int, Field(ge=0, le=LARGEST_PORT)]
Network = Annotated[str, AfterValidator(_network)]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
ReadablePath = Annotated[Path, AfterValidator(_readable)]
Token = Annotated[SecretStr, AfterValidator(_token)]
BearerKey = Annotated[SecretStr, AfterValidator(_bearer_key)]
ResponderSecret = Annotated[SecretStr, AfterValidator(_responder_secret)]
"""The prefix `whsec_` may be left out, as the library of Standard Webhooks allows."""
SigningSecret = Annotated[ResponderSecret, AfterValidator(_signing_secret)]
HttpUrls = Annotated[tuple[HttpUrl, ...], BeforeValidator(_split)]
GraphIds = Annotated[tuple[GraphId, ...], BeforeValidator(_split)]
Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(_split)]
Networks = Annotated[tuple[Network, ...], BeforeValidator(_split)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
ApiKeys = Annotated[tuple[ApiKey, ...], BeforeValidator(_api_keys)]
Share = Annotated[float, Field(ge=0, le=1)]
SpeechSeconds = Annotated[float, Field(gt=0, le=86_400)]
