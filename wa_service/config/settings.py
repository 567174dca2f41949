"""Every setting: its variable, its default and one sentence. The only module that reads the environment.

A value comes from the environment, else from `.env`, else it is the default; an empty value counts as not set, except
for the words of STOP and START, which it turns off. Each secret may also be given as `<VARIABLE>_FILE`, the path of a
file that holds it, as Docker and systemd provide secrets. Problems are sentences that name the variable and never its
value.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values, set_key
from pydantic import ConfigDict, SecretStr, ValidationError, model_validator

from wa_service.config.api_keys import SHORTEST_KEY, ApiKey
from wa_service.config.api_versions import api_version_ended
from wa_service.config.conversation_settings import ConversationSettings
from wa_service.config.machine import intents_here
from wa_service.config.platform_settings import PlatformSettings
from wa_service.config.process_settings import ProcessSettings

_THIS_MACHINE = {"127.0.0.1", "::1", "localhost"}


class SettingsError(Exception):
    """The settings are invalid; `problems` holds one sentence per problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(ProcessSettings, ConversationSettings, PlatformSettings):
    """The settings of one process, read once by `load()` and frozen.

    The table is in the order of the bases, last one first.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.responder == "http" and not (self.responder_url and self.responder_secret):
            raise ValueError("WA_RESPONDER=http needs WA_RESPONDER_URL and WA_RESPONDER_SECRET.")
        if self.responder == "llm" and not self.llm_url:
            raise ValueError("WA_RESPONDER=llm needs WA_LLM_URL.")
        if self.responder == "llm" and self.llm_timeout >= self.handle_timeout:
            raise ValueError("WA_LLM_TIMEOUT must be less than WA_HANDLE_TIMEOUT.")
        if self.event_urls and not self.event_secret:
            raise ValueError("WA_EVENT_URLS needs WA_EVENT_SECRET.")
        if self.speech == "http" and not self.speech_url:
            raise ValueError("WA_SPEECH=http needs WA_SPEECH_URL.")
        return self


@dataclass(frozen=True, slots=True)
class Variable:
    """One line of the table of settings; `default` is None if the variable is required; `empty` as in `variable`."""

    name: str
    attribute: str
    default: str | None
    sentence: str
    secret: bool
    empty: str


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
            empty=str(extra.get("empty") or ""),
        )


def as_text(value: object) -> str:
    """Return a value as text for the environment, a secret as dots."""
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

    Without arguments it reads the process's environment and the file named by `WA_ENV_FILE` (default `.env`); with
    `env` only that mapping and, if given, `env_file`.

    Raises:
        SettingsError: a required setting is missing or a value is invalid.
    """
    settings, _, problems = _read(env, env_file)
    if settings is None or problems:
        raise SettingsError(list(problems.values()))
    return settings


def load_var_dir() -> Path:
    """Return `WA_VAR_DIR` only, since the embedded Valkey can start without Meta's credentials; raise like `load`."""
    return Path(_load_one("WA_VAR_DIR") or "var")


def load_intents() -> str:
    """Return `WA_INTENTS` only, since a script can be tried without Meta's credentials; raise like `load`."""
    return _load_one("WA_INTENTS") or intents_here()


def _load_one(name: str) -> str:
    """Return one variable's value, "" if it is not set; others may be missing or invalid."""
    _, given, problems = _read(None, None)
    if name in problems:
        raise SettingsError([problems[name]])
    return given.get(name, "")


def _read(
    env: Mapping[str, str] | None, env_file: Path | None
) -> tuple[Settings | None, dict[str, str], dict[str, str]]:
    """Return the settings (None if they are invalid), the given values, and the problems, both by variable."""
    given, problems = _given(env, env_file)
    try:
        return Settings.model_validate(given), given, problems
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            name = str(problem["loc"][0]) if problem["loc"] else ""
            problems.setdefault(name, _sentence(name, problem))
    return None, given, problems


def whole_environment() -> dict[str, str]:
    """Return the process's environment, for child processes that read the settings themselves."""
    return dict(os.environ)


def write_file(path: Path, values: Mapping[str, str]) -> None:
    """Write variables to a file in the format of `.env`, readable only by its owner."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    for name, value in sorted(values.items()):
        set_key(path, name, value)


def warnings(settings: Settings, today: date) -> list[str]:
    """Return warnings about valid settings; logged once, by the process that starts the others."""
    ended = api_version_ended(settings.api_version, today)
    version = [f"WHATSAPP_API_VERSION: {ended}"] if ended else []
    return [*version, *short_secrets(settings), *_in_clear_text(settings), *unknown_variables()]


def short_secrets(settings: Settings) -> Iterator[str]:
    """Yield warnings about app secrets that can be guessed."""
    if any(len(secret.get_secret_value()) < SHORTEST_KEY for secret in settings.app_secrets):
        yield (
            f"WHATSAPP_APP_SECRET is shorter than {SHORTEST_KEY} characters; Meta's has 32: copy it whole from the "
            "app's dashboard, since anyone who guesses it can sign webhooks."
        )


def _in_clear_text(settings: Settings) -> Iterator[str]:
    """Yield warnings about URLs beyond this machine that get a token or customers' messages unencrypted."""
    addresses: dict[str, tuple[str | None, ...]] = {
        "WHATSAPP_API_BASE_URL": (settings.api_base_url,),
        "WA_RESPONDER_URL": (settings.responder_url,),
        "WA_LLM_URL": (settings.llm_url,),
        "WA_SPEECH_URL": (settings.speech_url,),
        "WA_EVENT_URLS": settings.event_urls,
    }
    for name, given in addresses.items():
        parts = [urlsplit(address or "") for address in given]
        if any(part.scheme == "http" and part.hostname not in _THIS_MACHINE for part in parts):
            yield f"{name} leads beyond this machine without TLS: others on the network can read everything."


def unknown_variables(env: Mapping[str, str] | None = None, env_file: Path | None = None) -> list[str]:
    """Return a sentence for each unknown variable with our prefix, with the closest known one; see `load`."""
    env, from_file = _layers(env, env_file)
    known = {"WA_ENV_FILE"} | {name for v in variables() for name in (v.name, *([f"{v.name}_FILE"] * v.secret))}
    sentences = []
    for name in sorted({*env, *from_file} - known):
        if name.startswith(("WA_", "WHATSAPP_")):
            nearest = get_close_matches(name, known, n=1)
            sentences.append(f"{name} is not a setting{f': did you mean {nearest[0]}?' if nearest else '.'}")
    return sentences


def _given(env: Mapping[str, str] | None, env_file: Path | None) -> tuple[dict[str, str], dict[str, str]]:
    """Return the given values by variable, and a sentence for each variable that could not be read."""
    env, from_file = _layers(env, env_file)
    given: dict[str, str] = {}
    problems: dict[str, str] = {}
    for variable in variables():
        try:
            value = _look_up(variable, env, from_file)
        except SettingsError as error:
            problems[variable.name] = str(error)
            continue
        if _is_quoted(value):
            problems[variable.name] = f"{variable.name} is in quotes, which belong to the value here: remove them."
        elif value:
            given[variable.name] = value
    if "WA_VAR_DIR" in given:
        given.setdefault("PROMETHEUS_MULTIPROC_DIR", str(Path(given["WA_VAR_DIR"], "metrics")))
    return given, problems


def _layers(env: Mapping[str, str] | None, env_file: Path | None) -> tuple[Mapping[str, str], Mapping[str, str | None]]:
    """Return the environment and the file's values; `$` in the file is not expanded."""
    named = None
    if env is None:
        env = os.environ
        named = env.get("WA_ENV_FILE")
        env_file = env_file or Path(named or ".env")
    try:
        if named and env_file and (not env_file.exists() or env_file.is_dir()):
            raise SettingsError([f"WA_ENV_FILE names {env_file}, which is not a file: correct or unset it."])
        if env_file is None or not env_file.is_file():
            return env, {}
        return env, dotenv_values(env_file, interpolate=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        sentence = f"{env_file} cannot be read: it must be a UTF-8 file that the service's user may read."
        raise SettingsError([sentence]) from None


def _look_up(variable: Variable, *layers: Mapping[str, str | None]) -> str:
    unset = ""
    for layer in layers:
        value = layer.get(variable.name)
        file = layer.get(f"{variable.name}_FILE") if variable.secret else None
        if value and file:
            raise SettingsError([f"{variable.name} and {variable.name}_FILE are both given: remove one."])
        if file:
            try:
                content = Path(file).read_text(encoding="utf-8-sig").strip()
            except (OSError, UnicodeDecodeError):
                raise SettingsError([f"{variable.name}_FILE names a file that cannot be read."]) from None
            if not content:  # a secret that was not written must not open what it protects
                raise SettingsError([f"{variable.name}_FILE names a file that is empty."])
            return content
        if value and value.strip():
            return value.strip()
        if value is not None:
            unset = variable.empty
    return unset


def _is_quoted(value: str) -> bool:
    """Whether a value has the quotes of a shell: `docker run --env-file` keeps them, unlike `.env` and systemd."""
    return len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"


def _sentence(name: str, problem: Any) -> str:
    message = str(problem["msg"]).removeprefix("Value error, ").removesuffix(".")
    match problem["type"]:
        case "missing":
            sentence = next(v.sentence for v in variables() if v.name == name)
            return f"{name} is missing: {sentence[0].lower()}{sentence[1:]}"
        case "too_short":
            return f"{name} is empty."
        case "value_error":
            return f"{name} {message}.".lstrip()
        case _:
            return f"{name} should be {message.removeprefix('Input should be ')}."
