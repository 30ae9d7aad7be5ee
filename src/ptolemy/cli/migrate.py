"""`ptolemy migrate`"""

from __future__ import annotations

import json

from ptolemy.cli.options import AsJson, DataDir

EXAMPLE = "\b\nExample:\n  PTOLEMY_DATABASE_URL=postgresql://ptolemy@db/ptolemy ptolemy migrate"


def migrate(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Create or update the database's schema.

    Without PTOLEMY_DATABASE_URL it makes the embedded database where there is none.
    """
    from ptolemy.cli.failures import explained, run
    from ptolemy.cli.opening import database_dsn, has_no_database
    from ptolemy.database import migrations
    from ptolemy.settings import load_settings

    async def work() -> list[str]:
        async with database_dsn(settings) as dsn:
            return await migrations.migrate(dsn)

    with explained():
        settings = load_settings(data_dir=data_dir)
        made = has_no_database(settings)
    applied = run(work())
    if as_json:
        print(json.dumps({"made": str(settings.data_dir) if made else None, "applied": applied}))
        return
    if made:
        print(f"made a database in {settings.data_dir}")
    for name in applied:
        print(f"applied {name}")
    print("the database is up to date")
