"""What of the drivers' tests needs more than the machine may have."""

from __future__ import annotations

from tests.suite import clickhouse_engine

collect_ignore = [] if clickhouse_engine.IS_HERE else ["test_clickhouse_types.py"]
