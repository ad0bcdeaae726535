"""The analysts' pages, driven as by a browser on an emulated portal."""
