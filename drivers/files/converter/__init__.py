"""A program, not a part of the app: turns texts, workbooks and JSON into one form of CSV, with little memory.

`conversion.py` starts it with a task as JSON on its standard input. It imports nothing of the app but this folder, and
answers with JSON: the tables it wrote, or why there are none. What it writes has no header and no titles, `\\n` behind
each row, quotes where they are needed, nothing for a missing value and `""` for an empty text.
"""
