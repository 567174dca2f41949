"""Send texts through pywa's client."""

from gevent import monkey

monkey.patch_all()

from pywa import WhatsApp  # type: ignore[import-not-found]  # noqa: E402 - after the patch, in benchmarks/.venv

from benchmarks.others.sending import arguments, timed  # noqa: E402 - after the patch
from benchmarks.payloads import NUMBER  # noqa: E402 - after the patch

base_url, count = arguments()
client = WhatsApp(phone_id=NUMBER, token="token")
client.api._session.base_url = f"{base_url}/v23.0"  # has no setting for the base URL
timed(lambda to: client.send_message(to=to, text="hello"), count)
