"""What others would write, or have written, for the same answer: whole table, JSON, over HTTP."""
