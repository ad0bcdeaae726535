"""Who may be connected to, and the only ways to connect (facts/security 5)."""
