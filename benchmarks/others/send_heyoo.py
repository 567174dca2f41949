"""Send texts through heyoo's client."""

from gevent import monkey

monkey.patch_all()

from heyoo import WhatsApp  # type: ignore[import-not-found]  # noqa: E402 - after the patch, in benchmarks/.venv

from benchmarks.others.sending import arguments, timed  # noqa: E402 - after the patch
from benchmarks.payloads import NUMBER  # noqa: E402 - after the patch

base_url, count = arguments()
client = WhatsApp("token", NUMBER)
client.url = f"{base_url}/v14.0/{NUMBER}/messages"  # has no setting for the base URL
timed(lambda to: client.send_message("hello", to), count)
