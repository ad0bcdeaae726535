"""Use cases: what the application does, without Flask. `services.wiring` builds them once per process."""
