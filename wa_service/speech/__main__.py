"""`python -m wa_service.speech`: what `python -m wa_service speech` runs, without gevent's patches."""

from __future__ import annotations

from wa_service.speech.server import main

main()
