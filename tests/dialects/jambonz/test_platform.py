"""REST below /v1: what the platform tells of applications and accounts."""

from __future__ import annotations

import pytest
from tests.dialects.jambonz.conftest import Ask
from tests.dialects.jambonz.making import ACCOUNT, APPLICATION, OTHER, configured

from ringback.calls.services import Services

BASE = f"/v1/Accounts/{ACCOUNT.id}"


@pytest.fixture(autouse=True)
def known(services: Services) -> None:
    services.directory.put(
        configured("https://app.example/voice", status_callback="https://app.example/status")
    )


@pytest.mark.parametrize("path", [f"{BASE}/Applications", "/v1/Applications"])
async def test_applications(rest: Ask, path: str) -> None:
    listed = (await rest("GET", path)).json
    assert [one["application_sid"] for one in listed] == [str(APPLICATION)]
    assert listed[0]["call_hook"]["url"] == "https://app.example/voice"
    assert listed[0] == (await rest("GET", f"/v1/Applications/{APPLICATION}")).json
    assert (await rest("GET", f"{path}?name=zzz")).json == []
    page = (await rest("GET", f"{path}?page=1&page_size=10")).json
    assert (page["total"], page["page"], page["page_size"], page["batch"]) == (1, 1, 10, 10)
    assert page["data"] == listed
    bad = await rest("GET", f"{path}?page=x")
    assert (bad.status, bad.json) == (400, {"msg": 'missing or invalid "page" query arg'})


async def test_no_password_is_shown(rest: Ask, services: Services) -> None:
    services.directory.put(configured("https://app.example/voice", username="u", password="hidden"))
    assert "hidden" not in (await rest("GET", "/v1/Applications")).text


async def test_applications_of_others_are_unknown(rest: Ask) -> None:
    reply = await rest("GET", f"/v1/Applications/{APPLICATION}", token=OTHER.token)
    assert (reply.status, reply.text) == (404, "Not Found")
    assert (await rest("GET", "/v1/Applications", token=OTHER.token)).json == []


async def test_accounts(rest: Ask) -> None:
    account = (await rest("GET", BASE)).json
    assert account["account_sid"] == str(ACCOUNT.id)
    assert (await rest("GET", "/v1/Accounts")).json == [account]
    assert ACCOUNT.token not in str(account)


async def test_the_webhook_secret(rest: Ask) -> None:
    assert (await rest("GET", f"{BASE}/WebhookSecret")).json == {"webhook_secret": ACCOUNT.webhook_secret}
    assert (await rest("GET", f"{BASE}/WebhookSecret?regenerate=true")).status == 400
