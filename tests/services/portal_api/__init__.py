"""The three rings of the REST client, against scripted answers."""
