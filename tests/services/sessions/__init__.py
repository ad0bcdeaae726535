"""User sessions, and forms that act once."""
