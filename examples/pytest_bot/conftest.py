"""Fixtures of the clinic bot's tests: the bot in a thread, the service and an emulated Meta."""

import threading

import pytest
import requests
from clinic_bot import create_app
from werkzeug.serving import make_server


@pytest.fixture(scope="session")
def wa_service_options():
    server = make_server("127.0.0.1", 0, create_app(), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return {"responder": f"http://127.0.0.1:{server.server_port}/answer"}


@pytest.fixture
def ana(meta, wa_service, wa_service_options):
    requests.post(wa_service_options["responder"].replace("answer", "reset"), timeout=5)
    return meta.phone("447700900123")
