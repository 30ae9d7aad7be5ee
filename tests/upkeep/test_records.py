"""Records of jobs go with the events that tell of them, once they need nothing more; answers and logs in their time."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from tests.product import Workspace, answered, problem, wait_for
from tests.upkeep.keeping import AT_MOST_DAYS, Body, Keeping
from tests.webhooks.receiver import receiving


def finished(one: Workspace, jobs: str, body: Body, path: str = "") -> str:
    job = answered(one.admin.post(f"/{path or jobs}", json=body), 202)
    one.finished(jobs, job)
    return f"/{jobs}/{job['id']}"


def export(one: Workspace) -> str:
    return finished(one, "exports", {"resource_type": "markets"})


def archive(one: Workspace) -> str:
    return finished(one, "exports", {"resource_type": "workspace"})


def imported(one: Workspace) -> str:
    content = b"identifier,name,type_id\na,A,equity\nb,B,nope\n"
    return f"/imports/{one.import_file('instruments', content, on_error='continue')['id']}"


def rehearsal(one: Workspace) -> str:
    backup = finished(one, "backups", {}).rpartition("/")[2]
    return finished(one, "backups/rehearsals", {"backup_id": backup}, "backups/rehearse")


def restore(one: Workspace) -> str:
    backup = finished(one, "backups", {})
    return finished(one, "backups/restores", {"slug": f"w-{uuid4().hex}"}, f"{backup[1:]}/restore")


@pytest.mark.parametrize("made", [export, archive, imported, rehearsal, restore], ids=lambda made: made.__name__)
@pytest.mark.parametrize(("plan", "days"), [("starter", 90), ("enterprise", AT_MOST_DAYS)])
def test_the_record_of_a_job_goes_when_events_of_its_age_do(
    keeping: Keeping, made: Callable[[Workspace], str], plan: str, days: int
) -> None:
    job, admin = made(keeping.workspace), keeping.workspace.admin
    keeping.on_plan(plan)
    keeping.pass_by(days=days, hours=-1)
    keeping.upkeep()
    assert answered(admin.get(job), 200)["status"] == "completed"
    keeping.pass_by(hours=2)
    keeping.upkeep()
    problem(admin.get(job), 404, "not_found")


def test_the_failed_rows_of_an_import_go_with_its_record(keeping: Keeping) -> None:
    job, robot = imported(keeping.workspace), keeping.workspace.robot
    keeping.pass_by(days=AT_MOST_DAYS, hours=-1)
    keeping.upkeep()
    assert b"nope" in robot.get(f"{job}/errors").content
    keeping.pass_by(hours=2)
    keeping.upkeep()
    problem(robot.get(f"{job}/errors"), 404, "not_found")
    assert keeping.count("import_errors") == 0


def test_a_job_that_is_under_way_keeps_its_record(keeping: Keeping) -> None:
    keeping.sight.rows(
        "insert into exports (workspace_id, id, resource_type, format, include_archived, status, rows_written)"
        " values ($1, gen_random_uuid(), 'instruments', 'csv', false, 'processing', 0)",
        keeping.workspace_id,
    )
    keeping.pass_by(days=1000)
    keeping.upkeep()
    assert keeping.count("exports") == 1


def test_a_backup_whose_file_went_keeps_its_record(keeping: Keeping) -> None:
    run = finished(keeping.workspace, "backups", {})
    keeping.pass_by(days=1000)
    keeping.upkeep()
    assert answered(keeping.workspace.admin.get(run), 200)["removed_at"]


def test_the_log_of_deliveries_is_kept_for_thirty_days(keeping: Keeping) -> None:
    admin = keeping.workspace.admin
    with receiving() as receiver:
        webhook = keeping.workspace.create("webhooks", url=receiver.url)
        log = f"/webhooks/{webhook['id']}/deliveries"
        answered(admin.put(f"/webhooks/{webhook['id']}/subscriptions", json=["series.created"]), 200)

        def delivered(number: int) -> list[str] | None:
            found = answered(admin.get(log, params={"status": "delivered"}), 200)["data"]
            return [each["id"] for each in found] if len(found) == number else None

        keeping.workspace.create("series", identifier="first")
        [first] = wait_for(lambda: delivered(1))
        keeping.pass_by(days=30, hours=-1)
        keeping.workspace.create("series", identifier="second")
        later = [each for each in wait_for(lambda: delivered(2)) if each != first]
        keeping.upkeep()
        assert delivered(2)
        keeping.pass_by(hours=2)
        keeping.upkeep()
        assert delivered(1) == later
        problem(admin.get(f"{log}/{first}"), 404, "not_found")


def test_the_log_of_a_webhook_that_is_gone_goes_at_once(keeping: Keeping) -> None:
    with receiving() as receiver:
        gone, stays = (keeping.workspace.create("webhooks", url=receiver.url)["id"] for _ in range(2))
        for each in (gone, stays):
            path = f"/webhooks/{each}/subscriptions"
            answered(keeping.workspace.admin.put(path, json=["series.created"]), 200)
        keeping.workspace.create("series", identifier="first")
        receiver.wait(2)
    wait_for(lambda: keeping.count("webhook_deliveries") == 2 or None)
    answered(keeping.workspace.admin.delete(f"/webhooks/{gone}"), 204)
    keeping.upkeep()
    left = "select webhook_id from webhook_deliveries where workspace_id = $1"
    assert keeping.sight.column(left, keeping.workspace_id) == [UUID(stays)]


def test_the_answers_to_keys_are_kept_for_a_day(keeping: Keeping) -> None:
    def ask(key: str) -> None:
        body = {"identifier": key, "name": key, "type_id": "equity"}
        answered(keeping.workspace.robot.post("/instruments", json=body, headers={"Idempotency-Key": key}), 201)

    ask("first")
    keeping.pass_by(hours=23)
    ask("second")
    keeping.upkeep()
    assert keeping.count("idempotency_keys") == 2
    keeping.pass_by(hours=2)
    keeping.upkeep()
    assert keeping.count("idempotency_keys") == 1
    ask("second")  # answered as before: it would be a duplicate
