"""What doors with pages share: forms, session, answers."""
