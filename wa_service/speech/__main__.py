"""`python -m wa_service.speech`: the same as `python -m wa_service speech`, without gevent's patches."""

from __future__ import annotations

from wa_service.speech.server import main

main(prog_name="python -m wa_service speech")
