"""`python -m wa_service <command>`, installed as `wa-service <command>`."""

# Before everything else: a module that took the blocking socket or lock would keep it.
from __future__ import annotations

from gevent import monkey

monkey.patch_all()

from wa_service.cli.commands import main  # noqa: E402 - after the patch, see above

if __name__ == "__main__":
    raise SystemExit(main())
