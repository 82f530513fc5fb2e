"""Adapters to the APIs whose balances are read."""
