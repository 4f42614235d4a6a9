"""Devices are asked whether they are there, and whoever guesses passwords is stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.patience import PATIENCE
from tests.server.site import site_settings

from ringback.config.tables import AccountTable, DevicesSection, GatewayTable, TrunkTable
from ringback.sip.endpoint import SipEndpoint
from ringback.sip.flow import Trace, split_address
from ringback.sip.uri import NameAddr, Uri
from ringback.testing.kit import DEVICE, DEVICE_PASSWORD, TOKEN, RunningServer, WebApp
from ringback.testing.softphone import CallFailed, Softphone


async def refusals(phone: Softphone, times: int) -> list[int]:
    statuses = []
    for _ in range(times):
        try:
            await phone.register()
            statuses.append(200)
        except CallFailed as refused:
            statuses.append(refused.status)
    return statuses


async def test_whoever_guesses_passwords_is_stopped(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with WebApp() as app:
        devices = DevicesSection(failures=3, failures_per_minute=0.0)
        async with RunningServer(site_settings(app, data, devices=devices)) as server:
            async with server.phone(password="guess") as mallory:
                assert await refusals(mallory, 5) == [401, 401, 401, 503, 503]
            async with server.phone("nobody", "guess") as mallory:
                assert await refusals(mallory, 1) == [503], "another name is no way round it"
            async with server.phone() as alice:
                # From that address not even the right password is looked at: nothing can be learnt.
                assert await refusals(alice, 1) == [503]
                with pytest.raises(CallFailed) as refused:
                    await (await alice.call("+14155550100")).answered()
                assert refused.value.status == 503
    refusals_said = [each.getMessage() for each in caplog.records if "too many attempts" in each.getMessage()]
    assert len(refusals_said) == 1, "and not one for each"
    assert refusals_said[0].startswith("REGISTER of device alice from udp:127.0.0.1:")
    assert "is refused: too many attempts from there, the next in 3600 s" in refusals_said[0]


async def test_honest_devices_are_not_counted(data: Path) -> None:
    async with WebApp() as app:
        devices = DevicesSection(failures=1, failures_per_minute=0.0)
        async with (
            RunningServer(site_settings(app, data, devices=devices)) as server,
            server.phone() as alice,
        ):
            assert await refusals(alice, 5) == [200] * 5


async def test_a_registered_device_is_asked_whether_it_is_there(data: Path) -> None:
    asked: asyncio.Queue[Trace] = asyncio.Queue()

    def seen(trace: Trace) -> None:
        if trace.direction == "in" and trace.message.startswith(b"OPTIONS"):
            asked.put_nowait(trace)

    device = SipEndpoint(on_trace=seen)
    await device.start(["udp:127.0.0.1:0"])
    devices = DevicesSection(keep_alive="always", keep_alive_seconds=1)
    try:
        async with WebApp() as app, RunningServer(site_settings(app, data, devices=devices)) as server:
            host, port = split_address(server.sip_address)
            registrar = Uri(host=host, port=port)
            registration = device.register(
                registrar,
                aor=NameAddr(Uri(user=DEVICE, host=host, port=port)),
                credentials=(DEVICE, DEVICE_PASSWORD),
            )
            assert (await registration.first).status == 200
            for _ in range(2):
                trace = await asyncio.wait_for(asked.get(), PATIENCE)
                assert b"OPTIONS sip:alice@127.0.0.1:" in trace.message
            assert len(server.telephony.registered()) == 1
    finally:
        await device.stop(0.0)


async def test_a_device_dials_out_where_its_account_lets_it(data: Path) -> None:
    async with WebApp() as app, Softphone("gateway", server="127.0.0.1:9") as carrier:
        gateway = GatewayTable(host=carrier.listening.partition(":")[2])
        settings = site_settings(
            app,
            data,
            trunk=(TrunkTable(name="carrier", account="test", gateways=(gateway,)),),
            account=(AccountTable(name="test", token=TOKEN, devices_dial_out=True),),
        )
        async with RunningServer(settings) as server, server.phone() as alice:
            mine = await alice.call("+493012345678")
            theirs = await carrier.incoming()
            assert theirs.invite is not None
            assert theirs.invite.uri.user == "+493012345678"
            theirs.answer()
            await mine.answered()
            mine.hang_up()
            await theirs.ended()
            await server.settled()
