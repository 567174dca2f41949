"""The default seed: two phones and one template of every kind and status."""

from __future__ import annotations

from typing import Any

DEFAULT_SEED: dict[str, Any] = {
    # Numbers that regulators reserve for fiction.
    "phones": [
        {"wa_id": "447700900123", "name": "Ana"},
        {"wa_id": "15550102030", "name": "Ben"},
    ],
    "templates": [
        {
            "name": "hello_world",
            "language": "en_US",
            "category": "UTILITY",
            "components": [
                {"type": "HEADER", "format": "TEXT", "text": "Hello World"},
                {"type": "BODY", "text": "Welcome. This is a first message from our business to you."},
                {"type": "FOOTER", "text": "Sent by the emulator"},
            ],
        },
        {
            "name": "order_update",
            "language": "en_US",
            "category": "UTILITY",
            "components": [
                {
                    "type": "HEADER",
                    "format": "TEXT",
                    "text": "Order {{1}}",
                    "example": {"header_text": ["A-77"]},
                },
                {
                    "type": "BODY",
                    "text": "Hello {{1}}, your order ships {{2}} and arrives a day later.",
                    "example": {"body_text": [["Ana", "today"]]},
                },
                {"type": "FOOTER", "text": "Reply stop to end these notes"},
                {
                    "type": "BUTTONS",
                    "buttons": [
                        {
                            "type": "URL",
                            "text": "Track it",
                            "url": "https://example.org/track/{{1}}",
                            "example": ["https://example.org/track/A-77"],
                        },
                        {"type": "QUICK_REPLY", "text": "Stop"},
                    ],
                },
            ],
        },
        {
            "name": "order_update",
            "language": "pt_BR",
            "category": "UTILITY",
            "components": [
                {
                    "type": "BODY",
                    "text": "Olá {{1}}, o seu pedido sai {{2}} e chega um dia depois.",
                    "example": {"body_text": [["Ana", "hoje"]]},
                },
            ],
        },
        {
            "name": "seasonal_sale",
            "language": "en_US",
            "category": "MARKETING",
            "parameter_format": "NAMED",
            "components": [
                {
                    "type": "HEADER",
                    "format": "IMAGE",
                    "example": {"header_handle": ["4::aW1hZ2UvcG5n:ARZ0"]},
                },
                {
                    "type": "BODY",
                    "text": "Hello {{first_name}}, our sale ends {{last_day}} at midnight.",
                    "example": {
                        "body_text_named_params": [
                            {"param_name": "first_name", "example": "Ana"},
                            {"param_name": "last_day", "example": "Friday"},
                        ]
                    },
                },
                {
                    "type": "BUTTONS",
                    "buttons": [
                        {"type": "COPY_CODE", "text": "Copy offer code", "example": "S25"},
                        {"type": "QUICK_REPLY", "text": "Unsubscribe"},
                    ],
                },
            ],
        },
        {
            "name": "weekend_offer",
            "language": "en_US",
            "category": "MARKETING",
            "components": [
                {"type": "BODY", "text": "This weekend two nights are one. Write STOP to hear of no more offers."},
                {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Stop"}]},
            ],
        },
        {
            "name": "one_time_code",
            "language": "en_US",
            "category": "AUTHENTICATION",
            "ttl_seconds": 600,
            "components": [
                {"type": "BODY", "add_security_recommendation": True},
                {"type": "FOOTER", "code_expiration_minutes": 10},
                {
                    "type": "BUTTONS",
                    "buttons": [{"type": "OTP", "otp_type": "COPY_CODE", "text": "Copy code"}],
                },
            ],
        },
        {
            "name": "plant_carousel",
            "language": "en_US",
            "category": "MARKETING",
            "components": [
                {"type": "BODY", "text": "Our plants of the week."},
                {
                    "type": "CAROUSEL",
                    "cards": [
                        {
                            "components": [
                                {
                                    "type": "HEADER",
                                    "format": "IMAGE",
                                    "example": {"header_handle": ["4::aW1hZ2UvcG5n:ARZ1"]},
                                },
                                {
                                    "type": "BODY",
                                    "text": "Meet {{1}}, easy to keep.",
                                    "example": {"body_text": [["Aloe"]]},
                                },
                                {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "More"}]},
                            ]
                        }
                        for _ in range(2)
                    ],
                },
            ],
        },
        {
            "name": "paused_offer",
            "language": "en_US",
            "category": "MARKETING",
            "status": "PAUSED",
            "quality": "RED",
            "components": [{"type": "BODY", "text": "An offer that too many people blocked."}],
        },
        {
            "name": "disabled_offer",
            "language": "en_US",
            "category": "MARKETING",
            "status": "DISABLED",
            "quality": "RED",
            "components": [{"type": "BODY", "text": "An offer that was paused three times."}],
        },
        {
            "name": "rejected_offer",
            "language": "en_US",
            "category": "MARKETING",
            "status": "REJECTED",
            "rejected_reason": "PROMOTIONAL",
            "components": [{"type": "BODY", "text": "An offer that the review refused."}],
        },
        {
            "name": "pending_offer",
            "language": "en_US",
            "category": "MARKETING",
            "status": "PENDING",
            "components": [{"type": "BODY", "text": "An offer that is still in review."}],
        },
    ],
}
