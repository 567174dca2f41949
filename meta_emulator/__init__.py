"""A Meta that fits on your desk: the Cloud API, its webhooks and a phone, in one process (docs/emulator.md)."""
