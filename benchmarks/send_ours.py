"""Send texts through WhatsAppMetaClient, configured as in the service: with breaker and metrics."""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

from wa_service.config import settings  # noqa: E402 - after the patch
from wa_service.observability import multiprocess  # noqa: E402 - after the patch

loaded = settings.load()
multiprocess.share(loaded.metrics_dir)

from benchmarks.others.sending import arguments, timed  # noqa: E402 - after the patch
from wa_service.delivery.breakers import MetaBreaker  # noqa: E402 - as above
from wa_service.observability import metrics  # noqa: E402 - as above
from wa_service.resilience.deadline import GreenletDeadline  # noqa: E402 - as above
from wa_service.whatsapp import WhatsAppMetaClient  # noqa: E402 - as above
from wa_service.whatsapp.http.transport import CallOutcome  # noqa: E402 - as above


def observe(call: str, outcome: CallOutcome, seconds: float) -> None:
    """Record a call's metrics as the service does."""
    metrics.api_called(call, seconds, outcome.code)


base_url, count = arguments()
client = WhatsAppMetaClient(
    access_token=loaded.access_token.get_secret_value(),
    phone_number_id=loaded.phone_number_ids[0],
    api_version=loaded.api_version,
    base_url=base_url,
    deadline=GreenletDeadline,
    guard=MetaBreaker(lambda: None).guard,
    observe=observe,
    ca_bundle=str(loaded.ca_bundle) if loaded.ca_bundle else None,
)
timed(lambda to: client.send_message(to=to, text="hello"), count)
