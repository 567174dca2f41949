from __future__ import annotations

import base64
import hashlib
from datetime import date
from pathlib import Path

import pytest
from dotenv import dotenv_values
from pydantic import ValidationError

from wa_service.config import settings
from wa_service.config.settings import Settings, SettingsError
from wa_service.store.client import connect

REQUIRED = {
    "WHATSAPP_ACCESS_TOKEN": "EAAlongtoken",
    "WHATSAPP_PHONE_NUMBER_ID": "106540000000001",
    "WHATSAPP_VERIFY_TOKEN": "shake",
    "WHATSAPP_APP_SECRET": "pepper-of-thirty-two-characters",
}


OVERRIDDEN = (
    "client_name=x&health_check_interval=5&max_connections=5&protocol=3&socket_connect_timeout=5.5&socket_timeout=5"
)
KEPT = "db=0&username=x&password=y&retry_on_timeout=yes&socket_keepalive=yes"
OF_TLS = (
    "ssl_ca_certs=/a&ssl_ca_path=/a&ssl_cert_reqs=none&ssl_certfile=/a&ssl_check_hostname=no&ssl_ciphers=x"
    "&ssl_keyfile=/a&ssl_min_version=771&ssl_password=x"
)


def load(**given: str) -> Settings:
    return settings.load(REQUIRED | given)


def problems(**given: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(**given)
    return str(caught.value)


def test_every_missing_variable_gets_a_sentence_of_its_own() -> None:
    with pytest.raises(SettingsError) as caught:
        settings.load({})
    assert [problem.split()[0] for problem in caught.value.problems] == sorted(REQUIRED, key=list(REQUIRED).index)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WA_SEND_WAIT", "secret-value"),
        ("WA_SEND_WAIT", "26"),
        ("WA_SPEECH", "secret-value"),
        ("WA_MARK_READ", "secret-value"),
        ("WA_SPEECH_CONFIDENCE", "1.5"),
        ("WA_RETENTION_DAYS", "0"),
        ("WHATSAPP_DAILY_LIMIT", "-1"),
        ("WHATSAPP_PHONE_NUMBER_ID", "+15551234567"),
        ("WHATSAPP_PHONE_NUMBER_ID", ","),
        ("WHATSAPP_APP_SECRET", ","),
        ("WHATSAPP_API_VERSION", "18"),
        ("WHATSAPP_API_BASE_URL", "secret-value"),
        ("REDIS_URL", "http://secret-value"),
        ("WA_API_RATE", "secret-value"),
        ("WA_BIND", "secret-value"),
        ("WA_TRUSTED_PROXIES", "secret-value"),
        ("WA_API_KEYS", "nameonly"),
        ("WA_API_KEYS", "tool:secret-value:root"),
        ("WA_API_KEYS", "tool:sha256:secret-value"),
        ("WA_API_KEYS", "tool:sha256"),
        ("WA_API_KEYS", "tool:secret-value"),
        ("WA_API_KEYS", "tool:secret-value-of-nineteen,tool:secret-value-of-twenty"),
        ("WA_API_KEYS", "ci:secret-value-of-a-tool:read,ops:secret-value-of-a-tool:admin"),
        ("WA_METRICS_KEY", "secret-value"),
        ("WHATSAPP_API_BASE_URL", "https://user:secret-value@graph.example.com"),
        ("WHATSAPP_API_BASE_URL", "https://graph.example.com?token=secret-value"),
        ("WHATSAPP_API_BASE_URL", "https://graph.example.com:99999"),
        ("WA_RESPONDER_URL", "http://[secret-value/"),
        ("WA_RESPONDER_SECRET", "whsec_secret-value"),
        ("WA_EVENT_URLS", "https://:8000/"),
        ("WA_EVENT_URLS", "https://tool.example.com/,https://user:secret-value@tool.example.com/"),
        ("WA_RESPONDER_URL", "https://secret-value@tool.example.com"),
        ("WA_LLM_URL", "https://tool.example.com/secret-valué"),
        ("WA_SPEECH_URL", "https://tool.example.com\\secret-value"),
        ("SENTRY_DSN", "secret-value"),
        ("SENTRY_DSN", "https://secret-value@sentry.example"),
        ("SENTRY_DSN", "https://sentry.example/1"),
        ("WA_BIND", "127.0.0.1:65536"),
        ("REQUESTS_CA_BUNDLE", "/secret-value"),
        ("REQUESTS_CA_BUNDLE", "secret-value" * 300),
        ("WHATSAPP_ACCESS_TOKEN", "secret-value…"),
        ("WHATSAPP_ACCESS_TOKEN", "Bearer secret-value"),
        ("WHATSAPP_ACCESS_TOKEN", "secret-value\nsecret-value"),
        ("WA_LLM_API_KEY", "secret-value\u200b"),
        ("WA_SPEECH_API_KEY", "“secret-value”"),
        ("REDIS_URL", "redis://:secret-value#x@127.0.0.1:6379/0"),
        ("REDIS_URL", "redis://:secret-value/x@127.0.0.1:6379/0"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_but_not_told(variable: str, value: str) -> None:
    told = problems(**{variable: value})
    assert told.startswith(variable)
    assert "\n" not in told
    assert "secret-value" not in told


@pytest.mark.parametrize(
    "address",
    [
        "redis://h:abc/0",
        "redis://h:70000/0",
        "redis://h:0/0",
        "redis://h:6379/abc",
        "redis://h:6379/-1",
        "redis://h:6379/0?foo=1",
        "redis://h:6379/0?socket_timeout=foo",
        "redis://h:6379/0?ssl_cert_reqs=none",
        "rediss://h:6379/0?ssl_cert_reqs=nope",
        "rediss://h:6379/0?ssl_min_version=5",
        "unix:///tmp/valkey.sock?db=abc",
        "redis+sentinel://h:abc/svc",
        "redis+sentinel://h:26379,h2:/svc",
        "redis+sentinel://h:26379,h2:70000/svc",
        "redis+sentinel://h:26379/svc?foo=1",
        "redis+cluster://h:99999",
        "redis+cluster://h:6379?socket_timeout=foo",
    ],
)
def test_a_redis_address_that_redis_py_would_refuse_at_the_first_use_is_refused_at_once(address: str) -> None:
    assert problems(REDIS_URL=address).startswith("REDIS_URL cannot be read")


@pytest.mark.parametrize(
    "address",
    [
        "redis://",
        "redis://h",
        "redis://h:/0/",
        "redis://user:p%40ss%2Fw%23rd@[::1]:65535/15?db=3",
        f"redis://h?{OVERRIDDEN}&{KEPT}",
        f"rediss://h:6379/0?{OVERRIDDEN}&{KEPT}&{OF_TLS}",
        "unix:///tmp/valkey.sock?db=3",
        "unix://user:password@/tmp/valkey.sock",
        "redis+sentinel://h/svc",
        f"rediss+sentinel://user:password@h:26379,[::1]:26380,h3/s%20vc/3?{OVERRIDDEN}&{KEPT}&{OF_TLS}",
        "redis+cluster://h:6379/",
        f"rediss+cluster://:password@h:6379,[::1]?{OVERRIDDEN}&{KEPT}&{OF_TLS}",
    ],
)
def test_a_redis_address_that_is_accepted_is_one_that_redis_py_can_use(address: str) -> None:
    load(REDIS_URL=address)
    with connect(address) as client:
        client.connection_pool.make_connection()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        load().api_version = "v25.0"  # type: ignore[misc]  # the assignment must fail


def test_no_secret_stands_in_the_text_of_the_settings() -> None:
    told = repr(
        load(
            REDIS_URL="redis://:hushhush@h/0",
            WA_API_KEYS="tool:hushhushhushhushhushhush",
            WA_METRICS_KEY="hushhush" * 3,
        )
    )
    for secret in ("EAAlongtoken", "shake", "pepper", "hushhush"):
        assert secret not in told


def test_several_numbers_and_secrets_are_comma_separated() -> None:
    given = load(WHATSAPP_PHONE_NUMBER_ID="1, 2", WHATSAPP_APP_SECRET="new,old")
    assert given.phone_number_ids == ("1", "2")
    assert [secret.get_secret_value() for secret in given.app_secrets] == ["new", "old"]


def test_an_empty_value_counts_as_not_given() -> None:
    assert load(WHATSAPP_API_VERSION="", REDIS_URL="  ").api_version == "v18.0"


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    given = {k: v for k, v in REQUIRED.items() if k != "WHATSAPP_ACCESS_TOKEN"}
    read = settings.load(given | {"WHATSAPP_ACCESS_TOKEN_FILE": str(tmp_path / "token")})
    assert read.access_token.get_secret_value() == "from-a-file"


@pytest.mark.parametrize("variable", ["WHATSAPP_APP_SECRET", "WHATSAPP_VERIFY_TOKEN", "WA_RATE_CARD", "WA_BIND"])
@pytest.mark.parametrize("quote", ['"', "'"])
def test_a_value_in_quotes_is_told(variable: str, quote: str) -> None:
    told = problems(**{variable: f"{quote}secret-value{quote}"})
    assert told == f"{variable} is in quotes, which belong to the value here: remove them."


def test_a_byte_order_mark_is_no_part_of_a_value(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("EAAfrom-a-file\n", encoding="utf-8-sig")
    file = tmp_path / ".env"
    file.write_text(f"WHATSAPP_ACCESS_TOKEN_FILE={path}\n", encoding="utf-8-sig")
    without = {name: value for name, value in REQUIRED.items() if name != "WHATSAPP_ACCESS_TOKEN"}
    assert settings.load(without, file).access_token.get_secret_value() == "EAAfrom-a-file"


def test_every_secret_has_its_file_form(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    for variable in settings.variables():
        if variable.secret:
            given = {k: v for k, v in REQUIRED.items() if k != variable.name}
            with pytest.raises(SettingsError) as caught:
                settings.load(given | {f"{variable.name}_FILE": str(missing)})
            assert caught.value.problems == [f"{variable.name}_FILE names a file that cannot be read."]


def test_a_secret_given_twice_is_refused() -> None:
    assert "remove one" in problems(WHATSAPP_ACCESS_TOKEN_FILE="/dev/null")


def test_an_empty_secret_file_does_not_open_what_the_secret_protects() -> None:
    assert problems(WA_METRICS_KEY_FILE="/dev/null") == "WA_METRICS_KEY_FILE names a file that is empty."


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WHATSAPP_API_VERSION=v24.0\nWA_SEND_WAIT=3\n")
    given = settings.load(REQUIRED | {"WHATSAPP_API_VERSION": "v25.0"}, tmp_path / ".env")
    assert (given.api_version, given.send_wait) == ("v25.0", 3.0)


def test_an_empty_value_in_the_environment_leaves_the_file_s(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WA_SEND_WAIT=3\n")
    assert settings.load(REQUIRED | {"WA_SEND_WAIT": ""}, tmp_path / ".env").send_wait == 3.0


@pytest.mark.parametrize("given", ["", " ", "none"])
def test_the_words_of_stop_and_start_may_be_off(given: str) -> None:
    off = load(WA_STOP_WORDS=given, WA_START_WORDS=given)
    assert (off.stop_words, off.start_words) == ((), ())
    assert "STOP" in load().stop_words


def test_an_empty_value_in_the_environment_leaves_the_words_of_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WA_STOP_WORDS=BASTA\nWA_START_WORDS=\n")
    given = settings.load(REQUIRED | {"WA_STOP_WORDS": ""}, tmp_path / ".env")
    assert (given.stop_words, given.start_words) == (("BASTA",), ())


def test_a_file_that_is_not_utf_8_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("WA_SEND_WAIT=3 # \xe9\n".encode("latin-1"))
    with pytest.raises(SettingsError, match="must be a UTF-8 file that the service's user may read"):
        settings.load(REQUIRED, tmp_path / ".env")


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_named_file_that_is_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("WA_ENV_FILE", str(tmp_path / name))
    with pytest.raises(SettingsError, match="WA_ENV_FILE names"):
        settings.load()


def test_a_file_that_cannot_even_be_looked_at_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WA_ENV_FILE", "x" * 300)
    with pytest.raises(SettingsError, match="xxx cannot be read"):
        settings.load()


def test_a_value_that_is_read_alone_is_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WA_ENV_FILE", "/dev/null")
    monkeypatch.setenv("WA_VAR_DIR", '"/srv/wa"')
    monkeypatch.setenv("WA_INTENTS", "fuzy")
    with pytest.raises(SettingsError, match="WA_VAR_DIR is in quotes"):
        settings.load_var_dir()
    with pytest.raises(SettingsError, match="WA_INTENTS should be 'fuzzy' or 'semantic'"):
        settings.load_intents()
    monkeypatch.setenv("WA_VAR_DIR", "/srv/wa")
    assert settings.load_var_dir() == Path("/srv/wa")


def test_the_metrics_directory_follows_the_var_directory() -> None:
    assert load(WA_VAR_DIR="/srv/wa").metrics_dir == Path("/srv/wa/metrics")


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("tool:hush-hush-hush-hush-hush", {"send", "read"}),
        ("tool:hush-hush-hush-hush-hush:send", {"send"}),
        ("tool:hush-hush-hush-hush-hush:send|read", {"send", "read"}),
        ("tool:hush-hush-hush-hush-hush:admin", {"send", "read", "manage", "admin"}),
        ("tool:hush-hush-hush-hush-hush:manage", {"manage"}),
        (f"tool:sha256:{hashlib.sha256(b'hush-hush-hush-hush-hush').hexdigest()}:read", {"read"}),
        (f"tool:sha256:{hashlib.sha256(b'hush-hush-hush-hush-hush').hexdigest().upper()}", {"send", "read"}),
    ],
)
def test_an_api_key_has_a_name_a_digest_and_roles(text: str, roles: set[str]) -> None:
    (key,) = load(WA_API_KEYS=text).api_keys
    assert (key.name, key.digest, set(key.roles)) == (
        "tool",
        hashlib.sha256(b"hush-hush-hush-hush-hush").digest(),
        roles,
    )


def test_a_responder_s_secret_may_lack_its_prefix() -> None:
    secret = base64.b64encode(bytes(24)).decode()
    given = load(WA_RESPONDER="http", WA_RESPONDER_URL="https://tool.example.com", WA_RESPONDER_SECRET=secret)
    assert given.responder_secret is not None
    assert given.responder_secret.get_secret_value() == secret
    assert "WA_EVENT_SECRET" in problems(WA_EVENT_SECRET=secret)


def test_a_time_that_the_speech_process_would_refuse_is_refused() -> None:
    assert "WA_SPEECH_TIMEOUT" in problems(WA_SPEECH_TIMEOUT="90000")


def test_an_http_responder_needs_an_address_and_a_secret() -> None:
    secret = f"whsec_{base64.b64encode(bytes(24)).decode()}"
    assert "WA_RESPONDER_URL" in problems(WA_RESPONDER="http", WA_RESPONDER_SECRET=secret)
    assert "WA_LLM_URL" in problems(WA_RESPONDER="llm")
    assert "WA_HANDLE_TIMEOUT" in problems(WA_RESPONDER="llm", WA_LLM_URL="http://h", WA_LLM_TIMEOUT="60")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WA_BIND", "127.0.0.1:65535"),
        ("WA_BIND", "[::1]:8000"),
        ("WA_BIND", "unix:/run/wa/web.sock:70000"),
        ("WHATSAPP_API_BASE_URL", "http://[::1]:8090/graph"),
        ("SENTRY_DSN", "https://key:secret@sentry.example:8443/path/42"),
        ("WA_LLM_URL", "https://llm.example/v1?key=x@y"),
    ],
)
def test_an_unusual_address_is_taken(variable: str, value: str) -> None:
    load(**{variable: value})


def test_the_ended_default_version_is_told_and_a_living_one_is_not() -> None:
    today = date(2026, 11, 22)
    assert "2026-01-26" in " ".join(settings.warnings(load(), today))
    assert settings.warnings(load(WHATSAPP_API_VERSION="v25.0"), today) == []
    assert settings.warnings(load(), date(2026, 1, 26)) == []


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("http://graph.example.com", True),
        ("https://graph.example.com", False),
        ("http://127.0.0.1:8090", False),
        ("http://[::1]:8090", False),
    ],
)
def test_a_token_that_would_go_in_clear_text_is_told(address: str, told: bool) -> None:
    given = load(WHATSAPP_API_VERSION="v25.0", WHATSAPP_API_BASE_URL=address)

    warnings = settings.warnings(given, date(2026, 11, 22))

    assert any(warning.startswith("WHATSAPP_API_BASE_URL leads") for warning in warnings) is told


@pytest.mark.parametrize(
    "variable", ["WHATSAPP_API_BASE_URL", "WA_RESPONDER_URL", "WA_LLM_URL", "WA_SPEECH_URL", "WA_EVENT_URLS"]
)
def test_every_address_that_gets_texts_or_tokens_is_told(variable: str) -> None:
    secret = f"whsec_{base64.b64encode(bytes(24)).decode()}"
    given = load(WHATSAPP_API_VERSION="v25.0", WA_EVENT_SECRET=secret, **{variable: "http://tool.example.com"})
    (warning,) = settings.warnings(given, date(2026, 11, 22))
    assert warning.startswith(f"{variable} leads")


@pytest.mark.parametrize(
    ("secrets", "told"),
    [("x", True), ("0123456789abcdef0123456789abcdef", False), ("0123456789abcdef0123456789abcdef,x", True)],
)
def test_an_app_secret_that_can_be_guessed_is_told(secrets: str, told: bool) -> None:
    warnings = settings.warnings(load(WHATSAPP_API_VERSION="v25.0", WHATSAPP_APP_SECRET=secrets), date(2026, 11, 22))

    assert any(warning.startswith("WHATSAPP_APP_SECRET is shorter") for warning in warnings) is told


def test_every_variable_is_told_in_one_sentence() -> None:
    for variable in settings.variables():
        assert variable.sentence.endswith(".")
        assert ". " not in variable.sentence


def test_a_name_that_is_no_setting_is_told_with_the_nearest_one(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("WA_RETENTION_DAY=3\nWHATSAPP_APP_SECRET_FILE=/run/secret\nWA_ENV_FILE=x\nPATH=/bin\n")
    assert settings.unknown_variables({"WA_BINT": "x", "WA_BIND": "x"}, file) == [
        "WA_BINT is not a setting: did you mean WA_BIND?",
        "WA_RETENTION_DAY is not a setting: did you mean WA_RETENTION_DAYS?",
    ]


def test_a_dollar_in_a_file_s_value_stands_for_itself(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("WHATSAPP_APP_SECRET=pre${HOME}post\n")
    given = settings.load({name: value for name, value in REQUIRED.items() if name != "WHATSAPP_APP_SECRET"}, file)
    assert [secret.get_secret_value() for secret in given.app_secrets] == ["pre${HOME}post"]


def test_settings_that_are_written_are_read_again_and_are_for_their_owner_alone(tmp_path: Path) -> None:
    values = {"WA_BIND": "127.0.0.1:8001", "WA_LLM_API_KEY": 'it\'s $HOME "q" \\n #1', "WA_RESPONDER": "script"}
    path = tmp_path / "settings.env"

    settings.write_file(path, {"WA_STORE_TAG": "gone"})
    settings.write_file(path, values)

    assert dotenv_values(path, interpolate=False) == values
    assert path.stat().st_mode & 0o777 == 0o600
