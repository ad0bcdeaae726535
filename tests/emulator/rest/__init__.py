"""The emulated portal's REST methods."""
