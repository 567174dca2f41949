"""Every setting: its variable, its default and one sentence. The only module that reads the environment.

A value comes from the environment, else from `.env`, else it is the default; an empty value counts as not
given. Each secret may also be given as `<VARIABLE>_FILE`, the path of a file that holds it (so Docker and
systemd hand secrets over). What is wrong is told in sentences that name the variable and never its value.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from dotenv import dotenv_values
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    model_validator,
)

from wa_service.config.api_keys import ApiKey
from wa_service.config.api_versions import api_version_ended
from wa_service.config.machine import cores, intents_here, speech_here
from wa_service.config.types import (
    Address,
    ApiKeys,
    ApiVersion,
    GraphId,
    GraphIds,
    HttpUrl,
    HttpUrls,
    Networks,
    Port,
    Rate,
    RedisUrl,
    Secrets,
    Share,
    SigningSecret,
    StoreTag,
)


class SettingsError(Exception):
    """The settings cannot be used; `problems` holds one sentence for each thing to put right."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _variable(name: str, sentence: str, default: Any = ..., *, secret: bool = False, shown: str | None = None) -> Any:
    """One line of the table: `shown` says the default in words where the value itself would not."""
    extra: dict[str, Any] = {"secret": secret, "shown": shown}
    given = {"default_factory": default} if callable(default) else {"default": default}
    return Field(validation_alias=name, description=sentence, json_schema_extra=extra, **given)


class Settings(BaseModel):
    """The settings of one process, read once by `load()` and frozen."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    # Meta
    access_token: SecretStr = _variable("WHATSAPP_ACCESS_TOKEN", "The system user's token.", secret=True)
    phone_number_ids: Annotated[GraphIds, Field(min_length=1)] = _variable(
        "WHATSAPP_PHONE_NUMBER_ID", "The number's id; several, comma separated: the first is the default sender."
    )
    verify_token: SecretStr = _variable(
        "WHATSAPP_VERIFY_TOKEN", "The word of the webhook handshake, the same as in the app's dashboard.", secret=True
    )
    app_secrets: Annotated[Secrets, Field(min_length=1)] = _variable(
        "WHATSAPP_APP_SECRET",
        "The app's secret, which signs webhooks; several, comma separated, while rotating.",
        secret=True,
    )
    business_account_id: GraphId | None = _variable(
        "WHATSAPP_BUSINESS_ACCOUNT_ID", "The WhatsApp Business Account's id; needed for templates.", None
    )
    api_version: ApiVersion = _variable(
        "WHATSAPP_API_VERSION", "The Graph API's version; v18.0 ended on 2026-01-26.", "v18.0"
    )
    api_base_url: HttpUrl = _variable(
        "WHATSAPP_API_BASE_URL", "Where the Graph API answers.", "https://graph.facebook.com"
    )
    messages_per_second: PositiveInt = _variable(
        "WHATSAPP_MESSAGES_PER_SECOND", "The throughput of one number, sent and received together.", 80
    )
    daily_limit: NonNegativeInt = _variable(
        "WHATSAPP_DAILY_LIMIT", "Customers opened by template in a rolling 24 h; 0 is unlimited.", 1000
    )
    coexistence_numbers: GraphIds = _variable(
        "WA_COEXISTENCE_NUMBERS",
        "Ids of numbers shared with the WhatsApp Business app, comma separated: 20 messages a second each.",
        (),
    )

    # Store
    redis_url: RedisUrl | None = _variable(
        "REDIS_URL",
        "The Redis or Valkey that keeps everything; may hold a password.",
        None,
        secret=True,
        shown="the embedded Valkey",
    )
    store_tag: StoreTag = _variable(
        "WA_STORE_TAG",
        "What this service's keys in Redis are tagged with; services that share a server each have their own.",
        "main",
    )
    redis_wait: NonNegativeFloat = _variable(
        "WA_REDIS_WAIT", "Seconds a process waits at its start for Redis to answer.", 5.0
    )
    require_durable_redis: bool = _variable(
        "WA_REQUIRE_DURABLE_REDIS", "Refuse to start on a Redis that would lose data.", False
    )
    retention_days: PositiveInt = _variable(
        "WA_RETENTION_DAYS", "Days that records, contacts, events and dead letters are kept.", 30
    )
    var_dir: Path = _variable("WA_VAR_DIR", "Where the embedded Valkey and the metrics keep their files.", Path("var"))

    # REST
    api_keys: ApiKeys = _variable(
        "WA_API_KEYS",
        "Who may call the REST API, comma separated: name:key[:send|read|manage|admin] or name:sha256:hex[:role].",
        (),
        secret=True,
        shown="empty: the REST API is closed",
    )
    api_rate: Rate = _variable("WA_API_RATE", "Calls that one API key may make.", "6000/minute")
    send_wait: Annotated[float, Field(ge=0, le=25)] = _variable(
        "WA_SEND_WAIT", "Seconds a POST waits for Meta's answer before it says 202.", 2.0
    )
    send_ttl: PositiveInt = _variable("WA_SEND_TTL", "Seconds a message may wait to be sent.", 86_400)
    send_concurrency: PositiveInt = _variable("WA_SEND_CONCURRENCY", "Sends under way side by side in one worker.", 100)
    settle_seconds: PositiveInt = _variable(
        "WA_SETTLE_SECONDS", "Seconds after which a send without an answer may be judged.", 300
    )
    resend_unknown: bool = _variable("WA_RESEND_UNKNOWN", "Send once more what Meta stays silent on.", False)

    # Conversation
    responder: Literal["script", "http", "none"] = _variable(
        "WA_RESPONDER", "Who answers customers: script, http or none.", "script"
    )
    script_file: Path | None = _variable(
        "WA_SCRIPT_FILE", "YAML of intents and replies.", None, shown="the packaged example"
    )
    intents: Literal["fuzzy", "semantic"] = _variable(
        "WA_INTENTS",
        "How a text is matched with the script's examples: fuzzy or semantic.",
        intents_here,
        shown="semantic where installed, else fuzzy",
    )
    responder_url: HttpUrl | None = _variable("WA_RESPONDER_URL", "Where the http responder answers.", None)
    responder_secret: SecretStr | None = _variable(
        "WA_RESPONDER_SECRET", "Signs calls to the http responder (Standard Webhooks).", None, secret=True
    )
    answer_max_age: NonNegativeInt = _variable(
        "WA_ANSWER_MAX_AGE",
        "Seconds after which, by Meta's time, a message is kept and told but not answered; 0: always answered.",
        86_400,
    )
    staff_pause: NonNegativeInt = _variable(
        "WA_STAFF_PAUSE",
        "Seconds for which nothing is answered in a conversation after a person of the business wrote there; 0: never.",
        1_800,
    )
    groups: Literal["quiet", "answer"] = _variable(
        "WA_GROUPS", "Whether messages to a group are answered: quiet or answer.", "quiet"
    )
    mark_read: bool = _variable(
        "WA_MARK_READ", "Mark a message as read, with a typing indicator, while it is handled.", True
    )
    handle_timeout: PositiveFloat = _variable(
        "WA_HANDLE_TIMEOUT", "Seconds after which the handling of a message is cut off and tried again.", 60.0
    )
    worker_concurrency: PositiveInt = _variable(
        "WA_WORKER_CONCURRENCY", "Conversations handled side by side in one worker.", 64
    )

    # Speech
    speech: Literal["local", "http", "none"] = _variable(
        "WA_SPEECH",
        "What hears voice notes: local, http or none.",
        speech_here,
        shown="local where installed, else none",
    )
    speech_model: Path | None = _variable(
        "WA_SPEECH_MODEL", "Directory of a faster-whisper model.", None, shown="the installed tiny.en"
    )
    speech_url: HttpUrl | None = _variable(
        "WA_SPEECH_URL", "Base address of a service with an OpenAI-compatible /v1/audio/transcriptions.", None
    )
    speech_api_key: SecretStr | None = _variable("WA_SPEECH_API_KEY", "Its bearer key.", None, secret=True)
    speech_timeout: PositiveFloat = _variable("WA_SPEECH_TIMEOUT", "Seconds to hear one voice note.", 30.0)
    speech_processes: PositiveInt = _variable("WA_SPEECH_PROCESSES", "Speech processes of one worker.", 1)
    speech_confidence: Share = _variable(
        "WA_SPEECH_CONFIDENCE", "Below this confidence (0 to 1) the customer is asked to type.", 0.60
    )

    # Web
    bind: Address = _variable("WA_BIND", "Where web listens: address:port or unix:path.", "127.0.0.1:8000")
    web_concurrency: PositiveInt = _variable("WEB_CONCURRENCY", "Gunicorn's worker processes.", cores, shown="cores")
    trusted_proxies: Networks = _variable(
        "WA_TRUSTED_PROXIES", "Addresses of proxies whose X-Forwarded-* headers count, comma separated.", ()
    )

    # Events pushed to tools
    push_allow: Networks = _variable(
        "WA_PUSH_ALLOW", "Networks beyond public ones where subscriptions may be, comma separated.", ()
    )
    event_urls: HttpUrls = _variable(
        "WA_EVENT_URLS", "URLs that every event is pushed to, comma separated; more by /v1/subscriptions.", ()
    )
    event_secret: SigningSecret | None = _variable(
        "WA_EVENT_SECRET", "Signs what is pushed to WA_EVENT_URLS (Standard Webhooks: whsec_…).", None, secret=True
    )

    # Seen
    log_format: Literal["auto", "json", "console"] = _variable(
        "WA_LOG_FORMAT", "json, console, or auto: console on a terminal.", "auto"
    )
    log_level: Literal["info", "debug"] = _variable(
        "WA_LOG_LEVEL", "info, or debug: a line for each webhook, status and media address, too.", "info"
    )
    log_numbers: Literal["masked", "full"] = _variable(
        "WA_LOG_NUMBERS", "How telephone numbers stand in the log: masked or full.", "masked"
    )
    metrics_key: SecretStr | None = _variable(
        "WA_METRICS_KEY", "Bearer key that /metrics asks for.", None, secret=True, shown="empty: /metrics is open"
    )
    metrics_dir: Path = _variable(
        "PROMETHEUS_MULTIPROC_DIR",
        "Where the processes of one machine share their metrics.",
        Path("var/metrics"),
        shown="<WA_VAR_DIR>/metrics",
    )
    worker_metrics_port: Port = _variable(
        "WA_WORKER_METRICS_PORT", "Port on which a worker on a machine of its own serves its metrics; 0: none.", 0
    )
    worker_metrics_bind: str = _variable(
        "WA_WORKER_METRICS_BIND", "Address on which that port listens; beyond loopback set WA_METRICS_KEY.", "127.0.0.1"
    )
    sentry_dsn: SecretStr | None = _variable("SENTRY_DSN", "Error tracking by Sentry.", None, secret=True)

    # Calls to the outside
    https_proxy: SecretStr | None = _variable("HTTPS_PROXY", "Proxy for calls to the outside.", None, secret=True)
    no_proxy: str = _variable("NO_PROXY", "Hosts called without the proxy, comma separated.", "")
    ca_bundle: Path | None = _variable(
        "REQUESTS_CA_BUNDLE", "Certificates to trust for calls to the outside.", None, shown="certifi's"
    )

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.responder == "http" and not (self.responder_url and self.responder_secret):
            raise ValueError("WA_RESPONDER=http needs WA_RESPONDER_URL and WA_RESPONDER_SECRET.")
        if self.event_urls and not self.event_secret:
            raise ValueError("WA_EVENT_URLS needs WA_EVENT_SECRET.")
        if self.speech == "http" and not self.speech_url:
            raise ValueError("WA_SPEECH=http needs WA_SPEECH_URL.")
        return self


@dataclass(frozen=True, slots=True)
class Variable:
    """One line of the table of settings; `default` is None where the variable is required."""

    name: str
    attribute: str
    default: str | None
    sentence: str
    secret: bool


def variables() -> Iterator[Variable]:
    """Yield every variable in the table's order."""
    for attribute, info in Settings.model_fields.items():
        extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        shown = extra.get("shown") or as_text(info.get_default())
        yield Variable(
            name=str(info.validation_alias),
            attribute=attribute,
            default=None if info.is_required() else str(shown),
            sentence=info.description or "",
            secret=bool(extra.get("secret")),
        )


def as_text(value: object) -> str:
    """The form in which a value stands in the environment; a secret as stars."""
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, SecretStr):
        return "••••"
    if isinstance(value, tuple):
        return ", ".join(
            f"{v.name} ({' + '.join(sorted(v.roles))})" if isinstance(v, ApiKey) else as_text(v) for v in value
        )
    return str(value)


def load(env: Mapping[str, str] | None = None, env_file: Path | None = None) -> Settings:
    """Read the settings once.

    Without arguments the process's environment and the file named by `WA_ENV_FILE` (default `.env`) are read;
    with `env` only that mapping and, where given, `env_file`.

    Raises:
        SettingsError: something required is missing or something given cannot be used.
    """
    given, problems = _given(env, env_file)
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            name = str(problem["loc"][0]) if problem["loc"] else ""
            problems.setdefault(name, _sentence(name, problem))
        raise SettingsError(list(problems.values())) from None
    if problems:
        raise SettingsError(list(problems.values()))
    return settings


def load_var_dir() -> Path:
    """`WA_VAR_DIR` alone: the embedded Valkey starts before Meta's credentials are there."""
    return Path(_given(None, None)[0].get("WA_VAR_DIR", "var"))


def load_intents() -> str:
    """`WA_INTENTS` alone: a script is tried where Meta's credentials are not there."""
    return str(_given(None, None)[0].get("WA_INTENTS", intents_here()))


def whole_environment() -> dict[str, str]:
    """The process's environment as it is: for child processes that read the settings like this one."""
    return dict(os.environ)


def warnings(settings: Settings, today: date) -> list[str]:
    """What a person should know about valid settings; told once, by the process that starts the others."""
    ended = api_version_ended(settings.api_version, today)
    return [*([f"WHATSAPP_API_VERSION: {ended}"] if ended else []), *unknown_variables()]


def unknown_variables(env: Mapping[str, str] | None = None, env_file: Path | None = None) -> list[str]:
    """One sentence for each variable that begins like ours and is none, with the nearest one; as `load` reads them."""
    env, from_file = _layers(env, env_file)
    known = {"WA_ENV_FILE"} | {name for v in variables() for name in (v.name, *([f"{v.name}_FILE"] * v.secret))}
    sentences = []
    for name in sorted({*env, *from_file} - known):
        if name.startswith(("WA_", "WHATSAPP_")):
            nearest = get_close_matches(name, known, n=1)
            sentences.append(f"{name} is no setting{f': is {nearest[0]} meant?' if nearest else '.'}")
    return sentences


def _given(env: Mapping[str, str] | None, env_file: Path | None) -> tuple[dict[str, str], dict[str, str]]:
    """What was given, by variable, and a sentence for each variable whose value could not be had."""
    env, from_file = _layers(env, env_file)
    given: dict[str, str] = {}
    problems: dict[str, str] = {}
    for variable in variables():
        try:
            if value := _look_up(variable, env, from_file):
                given[variable.name] = value
        except SettingsError as error:
            problems[variable.name] = str(error)
    if "WA_VAR_DIR" in given:
        given.setdefault("PROMETHEUS_MULTIPROC_DIR", str(Path(given["WA_VAR_DIR"], "metrics")))
    return given, problems


def _layers(env: Mapping[str, str] | None, env_file: Path | None) -> tuple[Mapping[str, str], Mapping[str, str | None]]:
    """The environment and what the file says; `$` in a file's values stands for itself."""
    if env is None:
        env = os.environ
        env_file = env_file or Path(env.get("WA_ENV_FILE") or ".env")
    return env, dotenv_values(env_file, interpolate=False) if env_file and env_file.is_file() else {}


def _look_up(variable: Variable, *layers: Mapping[str, str | None]) -> str:
    for layer in layers:
        value = layer.get(variable.name)
        file = layer.get(f"{variable.name}_FILE") if variable.secret else None
        if value and file:
            raise SettingsError([f"{variable.name} and {variable.name}_FILE are both given: leave one."])
        if file:
            try:
                return Path(file).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                raise SettingsError([f"{variable.name}_FILE names a file that cannot be read."]) from None
        if value is not None:
            return value.strip()
    return ""


def _sentence(name: str, problem: Any) -> str:
    message = str(problem["msg"]).removeprefix("Value error, ").removesuffix(".")
    match problem["type"]:
        case "missing":
            sentence = next(v.sentence for v in variables() if v.name == name)
            return f"{name} is missing: {sentence[0].lower()}{sentence[1:]}"
        case "too_short":
            return f"{name} names none."
        case "value_error":
            return f"{name} {message}.".lstrip()
        case _:
            return f"{name} should be {message.removeprefix('Input should be ')}."
