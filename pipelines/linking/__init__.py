"""Accounts without a credit code, linked to businesses by name, address and telephone."""
