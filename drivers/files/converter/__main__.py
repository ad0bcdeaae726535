"""Start the program: it is run by its path, apart from the app, so it has to say where its modules are."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from drivers.files.converter.program import main

if __name__ == "__main__":
    main()
