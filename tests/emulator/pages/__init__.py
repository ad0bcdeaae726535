"""The emulated portal's own pages, in test clients and in a browser."""
