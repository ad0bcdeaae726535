"""The emulator answers as portals do, also to the vendor's own client."""
