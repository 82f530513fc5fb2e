"""How a message leaves: the outbox and one door per kind of channel."""
