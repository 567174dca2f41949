"""Settings of Meta, the store and the REST API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, NonNegativeFloat, NonNegativeInt, PositiveInt, SecretStr

from wa_service.config.types import (
    ApiKeys,
    ApiVersion,
    GraphId,
    GraphIds,
    GraphUrl,
    Rate,
    RedisUrl,
    Secrets,
    StoreTag,
    Token,
    Words,
)
from wa_service.config.variable import variable

_STOP_WORDS = (
    *(
        "STOP",
        "STOP ALL",
        "STOP PROMOTIONS",
        "OPT OUT",
        "OPT-OUT",
        "UNSUBSCRIBE",
        "CANCEL",
        "STOPP",
        "ABMELDEN",
        "BAJA",
        "SAIR",
    ),
    *("PARAR", "ARRÊT", "ARRET"),
)
_START_WORDS = ("START", "UNSTOP")


class PlatformSettings(BaseModel):
    """Settings of Meta, the store and the REST API."""

    # Meta
    access_token: Token = variable("WHATSAPP_ACCESS_TOKEN", "The system user's token.", secret=True)
    phone_number_ids: Annotated[GraphIds, Field(min_length=1)] = variable(
        "WHATSAPP_PHONE_NUMBER_ID", "Id of the number, or of several, comma separated: the first is the default sender."
    )
    verify_token: SecretStr = variable(
        "WHATSAPP_VERIFY_TOKEN", "The token of the webhook handshake, the same as in the app's dashboard.", secret=True
    )
    app_secrets: Annotated[Secrets, Field(min_length=1)] = variable(
        "WHATSAPP_APP_SECRET",
        "The app's secret, which signs webhooks; several, comma separated, during a rotation.",
        secret=True,
    )
    business_account_id: GraphId | None = variable(
        "WHATSAPP_BUSINESS_ACCOUNT_ID", "The WhatsApp Business Account's id; needed for templates.", None
    )
    api_version: ApiVersion = variable(
        "WHATSAPP_API_VERSION", "The Graph API's version; v18.0 ended on 2026-01-26.", "v18.0"
    )
    api_base_url: GraphUrl = variable(
        "WHATSAPP_API_BASE_URL", "Base URL of the Graph API.", "https://graph.facebook.com"
    )
    messages_per_second: PositiveInt = variable(
        "WHATSAPP_MESSAGES_PER_SECOND", "The throughput of one number, sent and received together.", 80
    )
    daily_limit: NonNegativeInt = variable(
        "WHATSAPP_DAILY_LIMIT", "Customers opened by template in a rolling 24 h; 0 is unlimited.", 1000
    )
    coexistence_numbers: GraphIds = variable(
        "WA_COEXISTENCE_NUMBERS",
        "Ids of numbers shared with the WhatsApp Business app, comma separated: 20 messages a second each.",
        (),
    )

    # Store
    redis_url: RedisUrl | None = variable(
        "REDIS_URL",
        "URL of Redis or Valkey, may include a password; also `redis+sentinel://` and `redis+cluster://`.",
        None,
        secret=True,
        shown="the embedded Valkey",
    )
    store_tag: StoreTag = variable(
        "WA_STORE_TAG",
        "Tag of this service's keys in Redis; services that share a server need different tags.",
        "main",
    )
    redis_wait: NonNegativeFloat = variable(
        "WA_REDIS_WAIT", "Seconds that a process waits at its start for Redis.", 5.0
    )
    require_durable_redis: bool = variable(
        "WA_REQUIRE_DURABLE_REDIS", "Refuse to start on a Redis that could lose data.", False
    )
    sentinel_password: SecretStr | None = variable(
        "WA_SENTINEL_PASSWORD", "The password of the Sentinels that REDIS_URL names.", None, secret=True
    )
    redis_replicas: NonNegativeInt = variable(
        "WA_REDIS_REPLICAS", "Replicas that must have every write before it is acknowledged or a message is sent.", 0
    )
    redis_fsync: bool = variable(
        "WA_REDIS_FSYNC",
        "The replicas and the primary must have it on disk (Redis or Valkey 7.2, `appendfsync always`).",
        False,
    )
    failover_pause: NonNegativeFloat = variable(
        "WA_FAILOVER_PAUSE",
        "Seconds for which nothing is sent after a failover; 0 where every replica has everything.",
        30.0,
    )
    retention_days: PositiveInt = variable(
        "WA_RETENTION_DAYS", "Days for which records, contacts, events and dead letters are kept.", 30
    )
    var_dir: Path = variable("WA_VAR_DIR", "Directory of the embedded Valkey's and the metrics' files.", Path("var"))

    # REST
    api_keys: ApiKeys = variable(
        "WA_API_KEYS",
        "Who may call the REST API, comma separated: name:key[:send|read|manage|admin] or name:sha256:hex[:role].",
        (),
        secret=True,
        shown="empty: the REST API is closed",
    )
    api_rate: Rate = variable("WA_API_RATE", "Rate limit of one API key.", "6000/minute")
    send_wait: Annotated[float, Field(ge=0, le=25)] = variable(
        "WA_SEND_WAIT", "Seconds that a POST waits for Meta's answer before it answers 202; at most 25.", 2.0
    )
    send_ttl: PositiveInt = variable("WA_SEND_TTL", "Seconds that a message may wait to be sent.", 86_400)
    schedule_days: PositiveInt = variable("WA_SCHEDULE_DAYS", "How many days ahead a message's send_at may be.", 35)
    marketing_per_week: NonNegativeInt = variable(
        "WA_MARKETING_PER_WEEK", "Marketing templates that one customer may get in seven days; 0: no limit.", 0
    )
    marketing_road: Literal["cloud", "mm", "mm-strict"] = variable(
        "WA_MARKETING_ROAD",
        "API for marketing templates: Cloud API, or Marketing Messages API (mm-strict: without fallback).",
        "cloud",
    )
    rate_card: Path | None = variable(
        "WA_RATE_CARD", "CSV of prices (country, category, price, currency) for GET /v1/costs; `*` is any.", None
    )
    stop_words: Words = variable(
        "WA_STOP_WORDS",
        "Messages by which a customer refuses marketing, comma separated, each a whole message; empty or `none`: off.",
        _STOP_WORDS,
        empty="none",
    )
    start_words: Words = variable(
        "WA_START_WORDS",
        "Messages by which a customer wants marketing again; empty or `none`: off.",
        _START_WORDS,
        empty="none",
    )
    stop_key: SecretStr | None = variable(
        "WA_STOP_KEY",
        "Key of the digests by which a STOP outlives an erasure.",
        None,
        secret=True,
        shown="generated at the first start and kept in the store",
    )
    send_concurrency: PositiveInt = variable(
        "WA_SEND_CONCURRENCY", "Concurrent sends of one number in one worker process.", 100
    )
    settle_seconds: PositiveInt = variable(
        "WA_SETTLE_SECONDS", "Seconds after which a send without an answer may be resolved.", 300
    )
    resend_unknown: bool = variable("WA_RESEND_UNKNOWN", "Resend what Meta neither confirms nor refuses.", False)
