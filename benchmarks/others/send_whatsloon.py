"""Send texts through whatsloon's client."""

from gevent import monkey

monkey.patch_all()

from whatsloon.client import WhatsApp  # type: ignore[import-not-found]  # noqa: E402 - after the patch, in benchmarks/.venv

from benchmarks.others.sending import arguments, timed  # noqa: E402 - after the patch
from benchmarks.payloads import NUMBER  # noqa: E402 - after the patch

base_url, count = arguments()
client = WhatsApp(access_token="token", phone_number_id=NUMBER, base_url=base_url)
timed(lambda to: client.send_text(to=to, body="hello"), count)
