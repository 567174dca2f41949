"""How much CPU does an ordinary delivery cost to take apart and read? Prints microseconds a delivery.

    python -m benchmarks.parse_delivery

Ordinary is one text message (as Meta sends it: about 700 bytes), and one status.
"""

import time

import orjson

from wa_service.whatsapp.events import parse, walk
from wa_service.whatsapp.signature import SignatureVerifier

ROUNDS = 20_000

MESSAGE = {
    "from": "351912000111",
    "from_user_id": "PT.41270098812345678",
    "id": "wamid.HBgMMzUxOTEyMDAwMTExFQIAEhgUM0E1QjZDN0Q4RTlGMEExQjJDM0QA",
    "timestamp": "1790000001",
    "type": "text",
    "text": {"body": "What time is breakfast, and may we bring the dog? We arrive on Friday evening."},
    "context": {"from": "351210000000", "id": "wamid.HBgMMzUxOTEyMDAwMTExFQIAERgSQTFCMkMzRDRFNUY2QTdCOEM5AA=="},
}
STATUS = {
    "id": "wamid.HBgMMzUxOTEyMDAwMTExFQIAERgSQTFCMkMzRDRFNUY2QTdCOEM5AA==",
    "status": "delivered",
    "timestamp": "1790000002",
    "recipient_id": "351912000111",
    "biz_opaque_callback_data": "6f1c2d3e-4a5b",
    "pricing": {
        "billable": True,
        "pricing_model": "PMP",
        "category": "service",
        "type": "free_customer_service",
    },
}


def delivery(key: str, item: dict[str, object]) -> bytes:
    """One delivery with one event, as bytes."""
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "351210000000", "phone_number_id": "106500000000001"},
        "contacts": [{"profile": {"name": "Ana"}, "wa_id": "351912000111", "user_id": "PT.41270098812345678"}],
        key: [item],
    }
    change = {"field": "messages", "value": value}
    return orjson.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": "102200000000001", "changes": [change]}]}
    )


def microseconds(name: str, raw: bytes) -> None:
    """Print what JSON, walk and parse of `raw` cost, in microseconds of CPU."""
    verifier = SignatureVerifier(["benchmark"])
    steps = {
        "json": lambda: orjson.loads(raw),
        "json + walk": lambda: list(walk(orjson.loads(raw))),
        "json + walk + parse": lambda: list(parse(orjson.loads(raw))),
        "signature": lambda: verifier.refusal(raw, "sha256=" + 64 * "0"),
    }
    for step, run in steps.items():
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            for _ in range(ROUNDS):
                run()
            best = min(best, time.process_time() - start)
        print(f"{name:8} {len(raw):5} bytes  {step:20} {best / ROUNDS * 1e6:6.1f} µs")


if __name__ == "__main__":
    microseconds("message", delivery("messages", MESSAGE))
    microseconds("status", delivery("statuses", STATUS))
