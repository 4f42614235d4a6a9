"""Scenarios for SIPp, put together of steps: the far end of a trunk, and callers that say odd things.

A step is a piece of SIPp's XML. A scene that waits at `cue()` goes on when the test says so (`Carrier.cue`),
so that nothing depends on how long anything takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from textwrap import dedent, indent

Step = str | Callable[[int], str]
"""What is done, or what is done with the port of the audio."""
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n'
_CONTACT = "Contact: <sip:[local_ip]:[local_port];transport=[transport]>"
_VIA = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport"
TAG = "[pid]s[call_number]"
CHALLENGE = 'Digest realm="carrier", nonce="f84f1cec41e6cbe5aea9c8e88d359", qop="auth", algorithm=MD5'


def scene(*steps: str) -> str:
    """The scenario of these steps."""
    text = "".join(steps)
    kept = sorted(set(re.findall(r'assign_to="(\w+)"', text)))
    if kept:
        text += f'<Reference variables="{",".join(kept)}"/>\n'
    return f'{_HEAD}<scenario name="scene">\n{text}</scenario>\n'


def sdp(
    port: int,
    *,
    codec: str = "0 PCMU",
    direction: str = "sendrecv",
    version: int = 1,
    host: str = "127.0.0.1",
) -> str:
    """A description of audio at this port; `codec`: payload type and name."""
    kind, name = codec.split()
    return dedent(
        f"""\
        v=0
        o=sipp 1 {version} IN IP4 127.0.0.1
        s=-
        c=IN IP4 {host}
        t=0 0
        m=audio {port} RTP/AVP {kind} 101
        a=rtpmap:{kind} {name}/8000
        a=rtpmap:101 telephone-event/8000
        a=fmtp:101 0-15
        a={direction}
        """
    )


# -- one who is called


def invited() -> str:
    """Wait for the INVITE, and keep what later responses and requests of our own are made of."""
    return keeps("INVITE", "call")


def keeps(method: str, name: str) -> str:
    """Wait for a request that is answered later (`answers_later`)."""
    kept = "".join(
        f'<ereg regexp=".*" search_in="hdr" header="{field}:" check_it="true" assign_to="{name}_{field}"/>'
        for field in ("Via", "From", "To", "CSeq")
    )
    contact = ' rrs="true"' if method == "INVITE" else ""
    return f'<recv request="{method}"{contact}><action>{kept}</action></recv>\n'


def answers_later(
    name: str, line: str, *headers: str, body: str = "", tag: str = "", again: bool = False
) -> str:
    """Answer a request that was kept. `tag`: where it had none; `again`: until it is acknowledged."""
    tagged = f";tag={tag}" if tag else ""
    about = [f"Via:[${name}_Via]", f"From:[${name}_From]", f"To:[${name}_To]{tagged}"]
    lines = [f"SIP/2.0 {line}", *about, "Call-ID: [call_id]", f"CSeq:[${name}_CSeq]", _CONTACT, *headers]
    return _send(lines, body, again=again)


def takes(method: str, *, optional: bool = False) -> str:
    """Wait for a request; `optional`: one that may come before what follows."""
    return f'<recv request="{method}"{_optional(optional)}/>\n'


def gets(status: int, *, optional: bool = False) -> str:
    """Wait for a response to a request of our own."""
    return f'<recv response="{status}"{_optional(optional)}/>\n'


def cue() -> str:
    """Wait until the test says that it goes on."""
    return takes("MESSAGE")


def pause(milliseconds: int) -> str:
    """Let time pass."""
    return f'<pause milliseconds="{milliseconds}"/>\n'


def says(line: str, *headers: str, body: str = "", known: bool = False) -> str:
    """Answer the request that came last; `known`: it was sent within the dialog."""
    to = "[last_To:]" if known else f"[last_To:];tag={TAG}"
    lines = [
        f"SIP/2.0 {line}",
        "[last_Via:]",
        "[last_From:]",
        to,
        "[last_Call-ID:]",
        "[last_CSeq:]",
        _CONTACT,
    ]
    return _send([*lines, *headers], body)


def rings() -> str:
    """180."""
    return says("180 Ringing")


def speaks_early(port: int, *headers: str, tag: str = "") -> str:
    """183 with a description. `tag`: of another fork."""
    line = "183 Session Progress"
    return answers_later("call", line, *headers, body=sdp(port), tag=f"{TAG}{tag}")


def answers(port: int, *, tag: str = "") -> str:
    """Answer the call: 200 with a description, and the ACK for it. `tag`: of another fork."""
    return answers_later("call", "200 OK", body=sdp(port), tag=f"{TAG}{tag}", again=True) + takes("ACK")


def is_hung_up_on() -> str:
    """BYE comes."""
    return takes("BYE") + says("200 OK", known=True)


def is_cancelled() -> str:
    """CANCEL comes, and the INVITE ends with it."""
    ended = answers_later("call", "487 Request Terminated", tag=TAG, again=True)
    return takes("CANCEL") + says("200 OK") + ended + takes("ACK")


def sends(method: str, cseq: int, *headers: str, body: str = "", via: str = _VIA) -> str:
    """A request of our own within the dialog."""
    lines = [
        f"{method} [next_url] SIP/2.0",
        via,
        "Max-Forwards: 70",
        f"From:[$call_To];tag={TAG}",
        "To:[$call_From]",
        "Call-ID: [call_id]",
        f"CSeq: {cseq} {method}",
        _CONTACT,
        *headers,
    ]
    return _send(lines, body, again=method != "ACK")


def offers(cseq: int, description: str) -> str:
    """A re-INVITE that is accepted."""
    return sends("INVITE", cseq, body=description) + gets(100, optional=True) + gets(200) + sends("ACK", cseq)


def is_refused_offer(cseq: int, status: int, description: str) -> str:
    """A re-INVITE that is refused."""
    tried = sends("INVITE", cseq, body=description) + gets(100, optional=True) + gets(status)
    return tried + sends("ACK", cseq, via=_via_of(3))


def notifies(cseq: int, line: str, *, last: bool = False) -> str:
    """Tell how far the call has come that a REFER asked for."""
    state = "terminated;reason=noresource" if last else "active;expires=60"
    headers = ("Event: refer", f"Subscription-State: {state}", "Content-Type: message/sipfrag;version=2.0")
    return sends("NOTIFY", cseq, *headers, body=f"SIP/2.0 {line}\n") + gets(200)


def hangs_up(cseq: int) -> str:
    """BYE, and its answer."""
    return sends("BYE", cseq) + gets(200)


# -- one who calls, or registers


def calls(uri: str, *, from_: str, to: str = "", headers: tuple[str, ...] = ()) -> str:
    """The INVITE that begins a call; `to` is the URI where nothing else is said."""
    lines = [
        f"INVITE {uri} SIP/2.0",
        _VIA,
        f"From: {from_};tag={TAG}",
        f"To: {to or f'<{uri}>'}",
        "Call-ID: [call_id]",
        "CSeq: 1 INVITE",
        _CONTACT,
        *headers,
    ]
    return _send(lines, sdp(9), again=True)


def _via_of(steps: int) -> str:
    """The Via of the message so many steps before: the ACK for a refusal has that of its INVITE."""
    return _VIA.replace("[branch]", f"[branch-{steps}]")


def _acknowledges(uri: str, via: str = _VIA) -> str:
    lines = [f"ACK {uri} SIP/2.0", via, "[last_From:]", "[last_To:]", "Call-ID: [call_id]", "CSeq: 1 ACK"]
    return _send(lines, "")


def is_answered() -> str:
    """The call is answered."""
    return _provisional() + '<recv response="200" rrs="true"/>\n' + _acknowledges("[next_url]")


def is_refused(status: int) -> str:
    """The call ends in this."""
    return _provisional() + gets(status) + _acknowledges("sip:refused@[remote_ip]", _via_of(5))


def _provisional() -> str:
    return "".join(gets(status, optional=True) for status in (100, 180, 183))


def registers(name: str, password: str) -> str:
    """Register the address that this is sent from, with a digest."""

    def register(cseq: int, *more: str) -> str:
        aor = f"sip:{name}@[remote_ip]:[remote_port]"
        lines = ["REGISTER sip:[remote_ip]:[remote_port] SIP/2.0", _VIA, "Max-Forwards: 70"]
        lines += [f"From: <{aor}>;tag={TAG}", f"To: <{aor}>", "Call-ID: [call_id]", f"CSeq: {cseq} REGISTER"]
        contact = f"Contact: <sip:{name}@[local_ip]:[local_port]>"
        return _send([*lines, contact, "Expires: 300", *more], "", again=True)

    proof = f"[authentication username={name} password={password}]"
    return register(1) + '<recv response="401" auth="true"/>\n' + register(2, proof) + gets(200)


def _optional(optional: bool) -> str:
    return ' optional="true"' if optional else ""


def _send(lines: list[str], body: str, *, again: bool = False) -> str:
    described = body.startswith("v=0")
    if described:
        lines = [*lines, "Content-Type: application/sdp"]
    text = "\n".join([*lines, "Content-Length: [len]", "", body])
    retrans = ' retrans="500"' if again else ""
    return f"<send{retrans}><![CDATA[\n\n{indent(text, '      ')}\n]]></send>\n"
