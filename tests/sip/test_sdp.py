from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.sip.errors import SdpError
from ringback.sip.sdp import Codec, MediaDescription, Origin, SessionDescription, address

OFFER = (
    "v=0\r\n"
    "o=alice 2890844526 2890842807 IN IP4 host.atlanta.example.com\r\n"
    "s=A call\r\n"
    "i=information\r\n"
    "c=IN IP4 192.0.2.1/127\r\n"
    "b=AS:64\r\n"
    "t=3034423619 3042462419\r\n"
    "r=7d 1h 0 25h\r\n"
    "a=recvonly\r\n"
    "m=audio 49170/2 RTP/AVP 0 8 97 101\r\n"
    "c=IN IP6 2001:db8::5\r\n"
    "a=rtpmap:0 PCMU/8000\r\n"
    "a=rtpmap:97 iLBC/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\n"
    "a=fmtp:97 mode=20\r\n"
    "a=fmtp:101 0-15\r\n"
    "a=ptime:30\r\n"
    "a=maxptime:60\r\n"
    "a=rtcp:53020 IN IP4 192.0.2.9\r\n"
    "a=rtcp-mux\r\n"
    "a=sendonly\r\n"
    "m=video 51372 UDP/TLS/RTP/SAVPF 31\r\n"
    "a=x-unknown:anything at all\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
)


def parse(text: str) -> SessionDescription:
    return SessionDescription.parse(text.encode())


def test_parts() -> None:
    description = parse(OFFER)
    assert description.origin == Origin("alice", 2890844526, 2890842807, "host.atlanta.example.com")
    assert (description.name, description.times) == ("A call", ("3034423619 3042462419",))
    assert (description.connection, description.direction) == ("192.0.2.1", "recvonly")
    audio, video, data = description.media
    assert (audio.kind, audio.port, audio.num_ports, audio.protocol) == ("audio", 49170, 2, "RTP/AVP")
    assert audio.payload_types == [0, 8, 97, 101]
    assert audio.codecs == {
        0: Codec("PCMU", 8000),
        8: Codec("PCMA", 8000),
        97: Codec("ILBC", 8000),
        101: Codec("TELEPHONE-EVENT", 8000),
    }
    assert audio.fmtp == {97: "mode=20", 101: "0-15"}
    assert (audio.ptime, audio.maxptime, audio.rtcp_mux, audio.rtcp) == (30, 60, True, (53020, "192.0.2.9"))
    assert (description.connection_of(audio), description.connection_of(video)) == (
        "2001:db8::5",
        "192.0.2.1",
    )
    assert (description.direction_of(audio), description.direction_of(video)) == ("sendonly", "recvonly")
    assert (video.codecs, video.ptime, video.rtcp, video.rtcp_mux) == (
        {31: Codec("H261", 90000)},
        None,
        (51373, None),
        False,
    )
    assert video.attributes["x-unknown"] == ["anything at all"]
    assert (data.payload_types, data.codecs, data.formats) == ([], {}, ("webrtc-datachannel",))
    assert audio.attribute("missing") is None


def test_written_as_read() -> None:
    assert str(parse(OFFER)) == OFFER
    assert parse(OFFER).encode() == OFFER.encode()


@pytest.mark.parametrize("end", ["\n", "\r"])
def test_other_line_ends(end: str) -> None:
    assert parse(OFFER.replace("\r\n", end)) == parse(OFFER)
    assert parse(OFFER.rstrip() + end * 3) == parse(OFFER)


def test_names_in_any_encoding() -> None:
    data = OFFER.encode().replace(b"A call", b"\xff\xfe")
    assert SessionDescription.parse(data).encode() == data


def test_static_types_and_their_redefinition() -> None:
    media = MediaDescription(
        (("a", "rtpmap:8 opus/48000/2"), ("a", "rtpmap:x y")), formats=("8", "18", "77", "200")
    )
    assert media.codecs == {8: Codec("OPUS", 48000, 2), 18: Codec("G729", 8000)}
    assert str(media.codecs[8]) == "OPUS/48000/2"
    assert media.payload_types == [8, 18, 77]


def test_defaults() -> None:
    description = parse("v=0\r\no=- 1 1 IN IP4 h\r\nm=audio 5000 RTP/AVP 0\r\n")
    (audio,) = description.media
    assert (description.name, description.times, description.direction_of(audio)) == ("-", (), "sendrecv")
    with pytest.raises(SdpError) as caught:
        description.connection_of(audio)
    assert caught.value.status == 400
    assert audio.refused() == MediaDescription((), "audio", 0, 1, "RTP/AVP", ("0",))
    assert description.with_(name="x").name == "x"


def test_odd_attributes_are_ignored() -> None:
    media = MediaDescription(
        (("a", "ptime:x"), ("a", "rtcp:99999"), ("a", "fmtp:0"), ("a", " sendonly ")), port=65535
    )
    assert (media.ptime, media.rtcp, media.fmtp, media.direction) == (None, (65535, None), {}, "sendonly")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v=1\r\no=- 1 1 IN IP4 h\r\n",
        "v=0\r\n",
        "v=0\r\no=- x 1 IN IP4 h\r\n",
        "v=0\r\no=- 1 1 IN IP4 h\r\no=- 1 1 IN IP4 h\r\n",
        "v=0\r\no=- 1 1 IN IP9 h\r\n",
        "v=0\r\no=- 1 1 IN IP4 h\r\nm=audio 99999 RTP/AVP 0\r\n",
        "v=0\r\no=- 1 1 IN IP4 h\r\nm=audio RTP/AVP 0\r\n",
        "v=0\r\no=- 1 1 IN IP4 h\r\nc=IN IP4\r\n",
        "v=0\r\no=- 1 1 IN IP4 h\r\nc=IN IP4 a;b\r\n",
        "v=0\r\no=- 1 1 IN IP4 h\r\nm =video 3227 RTP/AVP 31\r\n",
        "v=0\r\no=- 1 1 IN IP4 h\r\n\r\na=x\r\n",
        "v=0\r\no=- 1 1 IN IP4 h\r\na=\0\r\n",
        "v=0\r\no=- 1 1 IN IP4 h\r\n" + "m=audio 0 RTP/AVP 0\r\n" * 65,
        "v=0\r\no=- 1 1 IN IP4 h\r\n" + "a=x\r\n" * 2000,
        "v=0\r\no=- 1 1 IN IP4 h\r\na=" + "x" * 65536,
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(SdpError) as caught:
        parse(text)
    assert caught.value.status == 400


def test_address() -> None:
    assert address("192.0.2.1") == "IN IP4 192.0.2.1"
    assert address("2001:db8::1") == "IN IP6 2001:db8::1"


@settings(max_examples=200)
@given(st.data())
def test_parsing_is_total(data: st.DataObject) -> None:
    """A description or SdpError; a description is written so that it reads the same."""
    text = OFFER.encode()
    for _ in range(data.draw(st.integers(0, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.integers(0, 20))
        text = text[:start] + data.draw(st.binary(max_size=6)) + text[end:]
    try:
        description = SessionDescription.parse(text)
    except SdpError:
        return
    assert SessionDescription.parse(description.encode()) == description
    for media in description.media:
        _ = (
            media.codecs,
            media.fmtp,
            media.ptime,
            media.maxptime,
            media.rtcp,
            media.direction,
            media.connection,
        )
