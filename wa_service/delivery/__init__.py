"""Delivery of messages to Meta."""
