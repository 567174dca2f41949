"""How a message leaves."""
