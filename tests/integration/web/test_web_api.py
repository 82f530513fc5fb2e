"""The JSON API: what it says, what it refuses, and that its description is true."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from support import recorded
from support.scene import MINUTE, NOW, Scene

from monitor.store.base import Changes


async def get(client: httpx.AsyncClient, path: str, status: int = 200) -> Any:
    answer = await client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


async def test_keys_are_listed_in_the_order_of_the_configuration(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    body = await get(client, "/api/v1/keys")
    assert [key["name"] for key in body["keys"]] == list(full_scene.world.keys)
    assert body["total"] == 6
    assert body["polling"] is True
    assert body["at"] == "2026-05-01T12:00:30Z"


async def test_amounts_are_texts_and_times_are_utc(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    body = await get(client, "/api/v1/keys/small")
    assert body["meters"][0]["balance"] == "0.90"
    assert body["last_success_at"] == "2026-05-01T12:00:10Z"


async def test_keys_come_in_parts(client: httpx.AsyncClient, full_scene: Scene) -> None:
    body = await get(client, "/api/v1/keys?limit=2&offset=1")
    assert [key["name"] for key in body["keys"]] == ["low", "empty"]
    assert (body["total"], body["offset"]) == (6, 1)


async def test_a_failing_key_tells_its_reason(client: httpx.AsyncClient, full_scene: Scene) -> None:
    body = await get(client, "/api/v1/keys/refused")
    assert body["state"] == "unauthorized"
    assert body["severity"] == "critical"
    assert body["meters"][0]["fresh"] is False


async def test_history_holds_balances_and_outages(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    body = await get(client, "/api/v1/keys/refused/history?since=7d")
    assert body["meters"][0]["points"][-1]["balance"] == "880"
    assert body["outages"][0]["reason"] == "unauthorized"
    assert body["since"] == "2026-04-24T12:00:30Z"


async def test_history_may_start_at_a_time(client: httpx.AsyncClient, full_scene: Scene) -> None:
    body = await get(client, "/api/v1/keys/low/history?since=2026-05-01T14:00:00%2B02:00")
    assert body["since"] == "2026-05-01T12:00:00Z"
    assert len(body["meters"][0]["points"]) == 1


async def test_a_key_without_readings_has_an_empty_history(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    body = await get(client, "/api/v1/keys/new/history")
    assert (body["meters"], body["outages"]) == ([], [])


async def test_alerts_come_newest_first_with_their_deliveries(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    body = await get(client, "/api/v1/alerts")
    assert len(body["alerts"]) == 4
    opened = await get(client, "/api/v1/alerts?state=open")
    assert len(opened["alerts"]) == 3
    (delivery,) = next(a["deliveries"] for a in body["alerts"] if a["alert"]["rule"] == "exhausted")
    assert delivery["notification"]["state"] == "dead"
    assert delivery["attempts"][0]["outcome"] == "refused"
    assert delivery["attempts"][0]["duration"] == 0.12
    assert len((await get(client, "/api/v1/alerts?limit=1"))["alerts"]) == 1


async def test_an_alert_has_its_acknowledgement_and_its_suppressions(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    store = full_scene.store
    (alert,) = (a for a in store.alerts(only_open=True) if a.rule == "exhausted")
    store.acknowledge([alert.id], NOW, "anna", "")
    store.write([Changes(suppressed=[recorded.suppressed(store.events([alert.id])[0].id)])])
    records = (await get(client, "/api/v1/alerts"))["alerts"]
    (record,) = (r for r in records if r["ack"])
    assert record["ack"] == {
        "alert_id": alert.id,
        "at": "2026-05-01T12:00:30Z",
        "by": "anna",
        "reason": "",
    }
    assert [(s["channel"], s["reason"]) for s in record["suppressed"]] == [("ops", "silenced")]


async def test_alerts_tell_the_silences_in_force_and_which_of_them_keeps_one_quiet(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    silence = recorded.silence(7, NOW - MINUTE, providers="relay", keys="*")
    full_scene.world.silences = (silence, recorded.silence(8, NOW - MINUTE, until=NOW))
    answer = await get(client, "/api/v1/alerts?state=open")
    assert [found["id"] for found in answer["silences"]] == [7]
    quiet = {r["alert"]["rule"]: r["silence"] and r["silence"]["id"] for r in answer["alerts"]}
    assert quiet == {"low_balance": None, "exhausted": 7, "rejected": None}


async def test_notifications_can_be_asked_for_by_state(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    assert len((await get(client, "/api/v1/notifications"))["notifications"]) == 4
    (dead,) = (await get(client, "/api/v1/notifications?state=dead"))["notifications"]
    assert dead["notification"]["error"].startswith("invalid_auth")
    assert dead["events"][0]["rule"] == "exhausted"


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        pytest.param("/api/v1/keys?limit=0", "limit", id="below the lower bound"),
        pytest.param("/api/v1/keys?limit=1001", "limit", id="above the upper bound"),
        pytest.param("/api/v1/keys?limit=ten", "limit", id="no number"),
        pytest.param("/api/v1/keys?limit=", "limit", id="empty"),
        pytest.param("/api/v1/keys?limit=1e2", "limit", id="no whole number"),
        pytest.param("/api/v1/keys?limit=%D9%A3", "limit", id="digits of another script"),
        pytest.param("/api/v1/keys?limit=1_0", "limit", id="underscores"),
        pytest.param("/api/v1/keys?limit=5&limit=6", "limit", id="given twice"),
        pytest.param("/api/v1/keys?offset=-1", "offset", id="negative"),
        pytest.param("/api/v1/keys?limti=5", "limti", id="an unknown name"),
        pytest.param("/api/v1/keys/low?limit=5", "limit", id="where there are none"),
        pytest.param("/api/v1/alerts?state=closed", "state", id="an unknown word"),
        pytest.param("/api/v1/alerts?limit=1001", "limit", id="too many alerts"),
        pytest.param("/api/v1/notifications?state=lost", "state", id="an unknown state"),
        pytest.param("/api/v1/keys/low/history?since=7", "since", id="a length without unit"),
        pytest.param("/api/v1/keys/low/history?since=401d", "since", id="too far back"),
        pytest.param("/api/v1/keys/low/history?since=99999999w", "since", id="far too far back"),
        pytest.param(
            "/api/v1/keys/low/history?since=2026-05-01T00:00:00", "since", id="a time without zone"
        ),
        pytest.param("/api/v1/keys/low/history?since=2026-06-01T00:00:00Z", "since", id="ahead"),
        pytest.param("/api/v1/keys/low/history?since=0001-01-01T00:00%2B23:59", "since", id="ages"),
    ],
)
async def test_a_bad_parameter_is_refused_by_name(
    client: httpx.AsyncClient, full_scene: Scene, path: str, parameter: str
) -> None:
    error = (await get(client, path, 400))["error"]
    assert error["parameter"] == parameter
    assert error["message"]


@pytest.mark.parametrize(
    "path", ["/api/v1/keys/nobody", "/api/v1/keys/nobody/history", "/api/v1/nothing", "/api/v2"]
)
async def test_what_is_not_there_is_not_found_in_json(client: httpx.AsyncClient, path: str) -> None:
    assert (await get(client, path, 404))["error"]["parameter"] is None


async def test_without_the_store_the_api_answers_503_and_still_tells_the_present(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    full_scene.store.close()
    for path in ("/api/v1/alerts", "/api/v1/notifications", "/api/v1/keys/low/history"):
        assert (await get(client, path, 503))["error"]["message"]
    assert (await get(client, "/api/v1/keys"))["total"] == 6


async def test_every_answer_is_as_the_description_says(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    document = await get(client, "/api/v1/openapi.json")
    assert document["openapi"].startswith("3.1")
    for path, operations in document["paths"].items():
        for status, real in (("200", path.format(name="refused")), ("404", path)):
            response = operations["get"]["responses"].get(status)
            if response is None:
                continue
            schema = response["content"]["application/json"]["schema"]
            body = await get(client, real, int(status))
            whole = {**schema, "components": document["components"]}
            Draft202012Validator(whole).validate(body)


async def test_the_description_is_strict_enough_to_notice_a_number(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    document = await get(client, "/api/v1/openapi.json")
    body = await get(client, "/api/v1/keys/low")
    body["meters"][0]["balance"] = 5
    schema = {
        "$ref": "#/components/schemas/KeyOverview",
        "components": document["components"],
    }
    assert not Draft202012Validator(schema).is_valid(body)


async def test_the_description_names_every_address_of_the_api(client: httpx.AsyncClient) -> None:
    document = await get(client, "/api/v1/openapi.json")
    assert set(document["paths"]) == {
        "/api/v1/keys",
        "/api/v1/keys/{name}",
        "/api/v1/keys/{name}/history",
        "/api/v1/alerts",
        "/api/v1/notifications",
    }
