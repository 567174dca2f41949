"""A self-hosted WhatsApp Business Cloud API service."""
