"""How much prepaid API credit is left, when it runs out, and that somebody was told."""

__version__ = "0.1.0"
