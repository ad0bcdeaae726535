"""The client and the use cases of the portal's objects, on an emulated portal."""
