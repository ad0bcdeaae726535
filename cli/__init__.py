"""Commands: `flask ...` for operators, `python -m cli.demo` behind `make run`."""
