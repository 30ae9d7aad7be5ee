"""`ptolemy migrate`"""

from __future__ import annotations

import json

from ptolemy.cli.options import AsJson, DataDir

EXAMPLE = "\b\nExample:\n  PTOLEMY_DATABASE_URL=postgresql://ptolemy@db/ptolemy ptolemy migrate"


def migrate(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Create or update the database's schema."""
    from ptolemy.cli.failures import run
    from ptolemy.cli.opening import database_dsn
    from ptolemy.database import migrations
    from ptolemy.settings import load_settings

    async def work() -> list[str]:
        async with database_dsn(load_settings(data_dir=data_dir)) as dsn:
            return await migrations.migrate(dsn)

    applied = run(work())
    if as_json:
        print(json.dumps({"applied": applied}))
        return
    for name in applied:
        print(f"applied {name}")
    print("the database is up to date")
