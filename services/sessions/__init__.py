"""Sessions of people who opened the app, and forms that act once."""
