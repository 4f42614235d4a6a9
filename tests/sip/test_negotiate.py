from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.sip.errors import SdpError
from ringback.sip.negotiate import Capabilities, LocalMedia, accept_answer, answer, make_offer
from ringback.sip.sdp import Codec, Direction, SessionDescription

LOCAL = LocalMedia("192.0.2.10", 20000, session_id=7)
SPOKEN = {0: "PCMU", 8: "PCMA", 9: "G722"}
DIRECTIONS: list[Direction] = ["sendrecv", "sendonly", "recvonly", "inactive"]


def describe(*lines: str, host: str = "198.51.100.1", version: int = 1) -> SessionDescription:
    head = ["v=0", f"o=- 5 {version} IN IP4 h", "s=-", f"c=IN IP4 {host}", "t=0 0"]
    return SessionDescription.parse(("\r\n".join([*head, *lines]) + "\r\n").encode())


def audio(formats: str = "0 8 101", *lines: str, port: int = 4000) -> list[str]:
    events = [f"a=rtpmap:{pt} telephone-event/8000" for pt in formats.split() if pt in ("96", "101")]
    return [f"m=audio {port} RTP/AVP {formats}", *events, *lines]


def test_a_first_offer() -> None:
    assert str(make_offer(LOCAL)) == (
        "v=0\r\n"
        "o=- 7 1 IN IP4 192.0.2.10\r\n"
        "s=-\r\n"
        "c=IN IP4 192.0.2.10\r\n"
        "t=0 0\r\n"
        "m=audio 20000 RTP/AVP 0 8 9 13 101\r\n"
        "a=rtpmap:0 PCMU/8000\r\n"
        "a=rtpmap:8 PCMA/8000\r\n"
        "a=rtpmap:9 G722/8000\r\n"
        "a=rtpmap:13 CN/8000\r\n"
        "a=rtpmap:101 telephone-event/8000\r\n"
        "a=fmtp:101 0-15\r\n"
        "a=ptime:20\r\n"
        "a=sendrecv\r\n"
    )


def test_an_offer_with_everything() -> None:
    capabilities = Capabilities((Codec("OPUS", 48000, 2), Codec("PCMA", 8000)), comfort_noise=False, ptime=40)
    local = LocalMedia("2001:db8::1", 20000, 20009, capabilities, "recvonly", True, 7)
    assert str(make_offer(local)).partition("t=0 0\r\n")[2] == (
        "m=audio 20000 RTP/AVP 96 8 101 97\r\n"
        "a=rtpmap:96 OPUS/48000/2\r\n"
        "a=rtpmap:8 PCMA/8000\r\n"
        "a=rtpmap:101 telephone-event/48000\r\n"
        "a=fmtp:101 0-15\r\n"
        "a=rtpmap:97 telephone-event/8000\r\n"
        "a=fmtp:97 0-15\r\n"
        "a=ptime:40\r\n"
        "a=rtcp:20009\r\n"
        "a=rtcp-mux\r\n"
        "a=recvonly\r\n"
    )
    assert "IP6 2001:db8::1" in str(make_offer(local))
    plain = LocalMedia("h", 20000, 20001, Capabilities(telephone_event="", comfort_noise=False))
    assert make_offer(plain).media[0].formats == ("0", "8", "9")
    assert make_offer(plain).media[0].attribute("rtcp") is None


def test_both_sides_agree() -> None:
    theirs = LocalMedia("2001:db8::2", 30000, session_id=9)
    offer = make_offer(LOCAL)
    description, there = answer(offer, theirs)
    here = accept_answer(offer, description, LOCAL)
    assert (here.remote_host, here.remote_port, here.remote_rtcp_port) == ("2001:db8::2", 30000, 30001)
    assert (there.remote_host, there.remote_port) == ("192.0.2.10", 20000)
    for side in (here, there):
        assert (side.codec, side.send_payload_type, side.receive) == ("PCMU", 0, SPOKEN)
        assert (side.send_dtmf_pt, side.receive_dtmf_pts, side.cn_pts) == (
            101,
            frozenset({101}),
            frozenset({13}),
        )
        assert (side.ptime, side.direction, side.held, side.rtcp_mux) == (20, "sendrecv", False, False)


def test_every_media_line_is_answered_in_its_place() -> None:
    offer = describe(
        "m=video 5000 RTP/AVP 31",
        "m=audio 5002 RTP/SAVP 0",
        *audio("18 8 0"),
        "m=audio 5004 RTP/AVP 0",
        "m=image 5006 udptl t38",
    )
    description, negotiated = answer(offer, LOCAL)
    assert [(line.kind, line.port, line.protocol, line.formats) for line in description.media] == [
        ("video", 0, "RTP/AVP", ("31",)),
        ("audio", 0, "RTP/SAVP", ("0",)),
        ("audio", 20000, "RTP/AVP", ("8", "0")),
        ("audio", 0, "RTP/AVP", ("0",)),
        ("image", 0, "udptl", ("t38",)),
    ]
    assert (negotiated.codec, negotiated.remote_port) == ("PCMA", 4000)
    assert (negotiated.send_dtmf_pt, negotiated.receive_dtmf_pts, negotiated.cn_pts) == (
        None,
        frozenset(),
        frozenset(),
    )


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["m=audio 5000 RTP/SAVP 0"],
        ["m=audio 5000 RTP/AVP 18 4"],
        ["m=audio 5000 RTP/AVP 101 13", "a=rtpmap:101 telephone-event/8000"],
        ["m=audio 5000 RTP/AVP 96", "a=rtpmap:96 PCMU/16000"],
        ["m=audio 0 RTP/AVP 0"],
        ["m=video 5000 RTP/AVP 0"],
    ],
)
def test_nothing_fits(lines: list[str]) -> None:
    with pytest.raises(SdpError) as caught:
        answer(describe(*lines), LOCAL)
    assert caught.value.status == 488


def test_an_offer_without_address() -> None:
    offer = SessionDescription.parse(b"v=0\r\no=- 1 1 IN IP4 h\r\nm=audio 5000 RTP/AVP 0\r\n")
    with pytest.raises(SdpError) as caught:
        answer(offer, LOCAL)
    assert caught.value.status == 400


def test_the_answer_follows_the_offer() -> None:
    offer = describe(
        "m=audio 4000 RTP/AVPF 8 0 96",
        "c=IN IP6 2001:db8::7",
        "a=rtpmap:96 telephone-event/8000",
        "a=rtcp-mux",
    )
    offer = offer.with_(lines=tuple(("t", "1 2") if line[0] == "t" else line for line in offer.lines))
    description, negotiated = answer(offer, LOCAL)
    (line,) = description.media
    assert (line.protocol, line.formats, line.rtcp_mux, description.times) == (
        "RTP/AVPF",
        ("8", "0", "96"),
        True,
        ("1 2",),
    )
    assert (negotiated.remote_host, negotiated.remote_rtcp_port, negotiated.rtcp_mux) == (
        "2001:db8::7",
        4000,
        True,
    )
    assert (negotiated.codec, negotiated.send_dtmf_pt, negotiated.receive_dtmf_pts) == (
        "PCMA",
        96,
        frozenset({96}),
    )


def test_dynamic_numbers_for_known_codecs() -> None:
    offer = describe(
        "m=audio 4000 RTP/AVP 98 99",
        "a=rtpmap:98 pcma/8000/1",
        "a=rtpmap:99 Cn/8000",
        "a=rtcp:9 IN IP4 192.0.2.7",
    )
    _, negotiated = answer(offer, LOCAL)
    assert (negotiated.send_payload_type, negotiated.codec, negotiated.receive) == (98, "PCMA", {98: "PCMA"})
    assert (negotiated.cn_pts, negotiated.remote_rtcp_host, negotiated.remote_rtcp_port) == (
        frozenset({99}),
        "192.0.2.7",
        9,
    )


def test_payload_types_may_differ_by_direction() -> None:
    offer = make_offer(LOCAL)
    reply = describe(
        "m=audio 4000 RTP/AVP 97 96", "a=rtpmap:97 PCMA/8000", "a=rtpmap:96 telephone-event/8000"
    )
    negotiated = accept_answer(offer, reply, LOCAL)
    assert (negotiated.send_payload_type, negotiated.codec, negotiated.send_dtmf_pt) == (97, "PCMA", 96)
    assert (negotiated.receive, negotiated.receive_dtmf_pts) == (SPOKEN, frozenset({101}))


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["m=audio 0 RTP/AVP 0"],
        ["m=video 5000 RTP/AVP 31"],
        ["m=audio 5000 RTP/AVP 18"],
        ["m=audio 5000 RTP/SAVP 0"],
    ],
)
def test_answers_that_do_not_fit(lines: list[str]) -> None:
    with pytest.raises(SdpError) as caught:
        accept_answer(make_offer(LOCAL), describe(*lines), LOCAL)
    assert caught.value.status == 488


def test_an_answer_with_what_was_not_offered() -> None:
    offer = make_offer(LocalMedia("h", 1, capabilities=Capabilities((Codec("PCMU", 8000),))))
    with pytest.raises(SdpError):
        accept_answer(offer, describe(*audio("8")), LOCAL)


@pytest.mark.parametrize(
    ("lines", "ptime"),
    [([], 20), (["a=ptime:30"], 30), (["a=ptime:5"], 10), (["a=ptime:45"], 40), (["a=ptime:200"], 60),
     (["a=ptime:60", "a=maxptime:40"], 40), (["a=ptime:0"], 20)],
)  # fmt: skip
def test_ptime_is_what_they_want_to_receive(lines: list[str], ptime: int) -> None:
    assert answer(describe(*audio("0", *lines)), LOCAL)[1].ptime == ptime


@pytest.mark.parametrize("theirs", DIRECTIONS)
@pytest.mark.parametrize("ours", DIRECTIONS)
def test_directions(ours: Direction, theirs: Direction) -> None:
    """Ours is what both want (RFC 3264 section 6.1)."""
    local = LocalMedia("h", 20000, direction=ours)
    description, negotiated = answer(describe(*audio("0", f"a={theirs}")), local)
    sends = ours in ("sendrecv", "sendonly") and theirs in ("sendrecv", "recvonly")
    receives = ours in ("sendrecv", "recvonly") and theirs in ("sendrecv", "sendonly")
    expected = {(1, 1): "sendrecv", (1, 0): "sendonly", (0, 1): "recvonly", (0, 0): "inactive"}[
        sends, receives
    ]
    assert negotiated.direction == expected == description.media[0].direction
    assert negotiated.held == (theirs in ("sendonly", "inactive"))


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_hold_by_address(host: str) -> None:
    offer = describe("m=audio 4000 RTP/AVP 0", f"c=IN {'IP6' if ':' in host else 'IP4'} {host}")
    description, negotiated = answer(offer, LOCAL)
    assert (negotiated.held, negotiated.direction, description.media[0].direction) == (
        True,
        "recvonly",
        "recvonly",
    )


def test_hold_at_session_level_and_back() -> None:
    first, before = answer(describe(*audio()), LOCAL)
    held, during = answer(describe("a=sendonly", *audio(), version=2), LOCAL, before)
    again, after = answer(describe(*audio(), version=3), LOCAL, during)
    assert [side.held for side in (before, during, after)] == [False, True, False]
    assert [side.direction for side in (before, during, after)] == ["sendrecv", "recvonly", "sendrecv"]
    assert [one.origin.version for one in (first, held, again)] == [1, 2, 3]
    assert {one.origin.session_id for one in (first, held, again)} == {7}


def test_our_own_hold_is_not_theirs() -> None:
    local = LocalMedia("h", 20000, direction="sendonly", session_id=7)
    offer = make_offer(local)
    negotiated = accept_answer(offer, describe(*audio("0", "a=recvonly")), local)
    assert (negotiated.direction, negotiated.held) == ("sendonly", False)
    refused = accept_answer(offer, describe(*audio("0", "a=inactive")), local)
    assert (refused.direction, refused.held) == ("inactive", True)


def test_an_unchanged_offer_changes_nothing() -> None:
    offer = describe("m=video 5000 RTP/AVP 31", *audio())
    first, before = answer(offer, LOCAL)
    second, after = answer(offer, LOCAL, before)
    assert second == first
    assert after == before


def test_our_changes_raise_the_version_by_one() -> None:
    offer = describe(*audio())
    _, before = answer(offer, LOCAL)
    moved = LocalMedia("192.0.2.11", 20002, session_id=99)
    second, after = answer(offer, moved, before)
    assert (second.origin.session_id, second.origin.version, second.origin.host) == (7, 2, "192.0.2.11")
    third = make_offer(moved, after)
    assert third.origin.version == 3


def test_a_further_offer_keeps_lines_and_numbers() -> None:
    offer = describe(
        "m=video 5000 RTP/AVP 31",
        "m=audio 4000 RTP/AVPF 8 96 101",
        "a=rtpmap:96 telephone-event/8000",
        "a=rtpmap:101 opus/48000/2",
    )
    _, negotiated = answer(offer, LOCAL)
    further = make_offer(LOCAL, negotiated)
    video, line = further.media
    assert (video.kind, video.port) == ("video", 0)
    assert (line.protocol, line.formats) == ("RTP/AVPF", ("8", "0", "9", "13", "96"))
    assert further.origin.version == 2
    same = accept_answer(further, describe("m=video 0 RTP/AVP 31", *audio("8 96")), LOCAL)
    assert make_offer(LOCAL, same) == further


def test_no_number_changes_its_codec() -> None:
    offer = describe("m=audio 4000 RTP/AVP 8 101", "a=rtpmap:101 opus/48000/2")
    _, negotiated = answer(offer, LOCAL)
    (line,) = make_offer(LOCAL, negotiated).media
    assert line.formats == ("8", "0", "9", "13", "96")
    assert line.codecs[96] == Codec("TELEPHONE-EVENT", 8000)


def test_when_no_number_is_free() -> None:
    every = " ".join(map(str, range(96, 128)))
    maps = [f"a=rtpmap:{number} X{number}/8000" for number in range(96, 128)]
    _, negotiated = answer(describe(f"m=audio 4000 RTP/AVP 0 {every}", *maps), LOCAL)
    assert "101" in make_offer(LOCAL, negotiated).media[0].formats


def test_session_ids_differ() -> None:
    assert (
        make_offer(LocalMedia("h", 1)).origin.session_id != make_offer(LocalMedia("h", 1)).origin.session_id
    )


@given(
    st.lists(st.sampled_from(["0", "8", "9", "13", "18", "101"]), unique=True), st.sampled_from(DIRECTIONS)
)
def test_what_is_answered_was_offered(formats: list[str], direction: Direction) -> None:
    offer = describe(*audio(" ".join(formats), f"a={direction}"))
    try:
        description, negotiated = answer(offer, LOCAL)
    except SdpError:
        assert not {"0", "8"} & set(formats)
        return
    assert set(description.media[0].formats) <= set(formats)
    assert negotiated.send_payload_type in negotiated.receive
    peer = LocalMedia("198.51.100.1", 4000)
    there = accept_answer(offer, SessionDescription.parse(description.encode()), peer)
    assert there.codec == negotiated.codec
    assert there.direction == {"sendonly": "recvonly", "recvonly": "sendonly"}.get(
        negotiated.direction, negotiated.direction
    )


def test_g722_is_spoken_with_whom_likes_it_best() -> None:
    description, negotiated = answer(describe(*audio("9 8 0 101")), LOCAL)
    assert description.media[0].formats == ("9", "8", "0", "101")
    assert (negotiated.codec, negotiated.send_payload_type) == ("G722", 9)
    _, negotiated = answer(describe(*audio("0 9 101")), LOCAL)
    assert negotiated.codec == "PCMU"
