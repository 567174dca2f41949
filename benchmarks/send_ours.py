"""Texts through WhatsAppMetaClient, as a process of the service builds it: breaker and metrics on."""

from gevent import monkey

monkey.patch_all()

from wa_service import settings  # noqa: E402 - after the patch

loaded = settings.load()
settings.share_metrics_directory(loaded)

from benchmarks.others.sending import arguments, timed  # noqa: E402 - after the patch
from wa_service import runtime  # noqa: E402 - after the metrics directory is known

_, count = arguments()
built = runtime.build(loaded)
client = built.clients[built.numbers[0]]
timed(lambda to: client.send_message(to=to, text="hello"), count)
