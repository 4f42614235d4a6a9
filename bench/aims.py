"""What is to be reached on one core, row by row: the table that `ringback bench all` fills in."""

from __future__ import annotations

import msgspec


class Aim(msgspec.Struct, frozen=True):
    """A row: what is measured, by which bench (as in `ringback bench MODE`), and what is to be reached."""

    mode: str
    what: str
    reach: str


HELD = (
    "1,000 at ≤ 75 % of the core, ≤ 13 µs a leg and tick; each ≥ 99 % of its packets within 5 ms, "
    "no tick over 20 ms"
)
AIMS = {
    "ivr": Aim(
        "ivr",
        "IVR calls held at once, callers speaking all the time, keys listened for in the audio; no speech "
        "detection",
        HELD,
    ),
    "media": Aim(
        "media",
        "IVR legs held at once by the media plane alone, with speech detection; callers speak 60 % of the "
        "time",
        HELD,
    ),
    "recorded": Aim("recorded", "legs held at once by the media plane alone, each recorded", "800"),
    "pairs": Aim(
        "pairs",
        "bridged pairs, relay only, by the media plane alone",
        "700 at ≤ 80 % of the core; added delay ≤ 1 ms median, ≤ 10 ms p99",
    ),
    "relay-delay": Aim(
        "relay-delay", "added delay of a bridged call in the whole server", "≤ 1 ms median, ≤ 10 ms p99"
    ),
    "mixed": Aim(
        "mixed",
        "IVR legs and bridged pairs at once, in the whole server",
        "1,000 and 100: added delay ≤ 1 ms median, ≤ 5 ms p99; no tick over 20 ms",
    ),
    "room": Aim("room", "one conference room, everyone talking", "800"),
    "cps": Aim(
        "cps",
        "inbound calls a second: a decision by HTTP, a second of prompt, durable callbacks",
        "300; INVITE to 200 p99 ≤ 200 ms, nothing sent twice",
    ),
    "outbound": Aim(
        "outbound",
        "calls a second placed by REST: prompt, hang-up, durable callbacks",
        "as many as inbound, within a fifth: 240; POST p99 ≤ 200 ms",
    ),
    "rest": Aim("rest", "list and retrieve with many calls stored", "100,000 stored: p99 ≤ 50 ms each"),
    "first-audio": Aim(
        "first-audio", "last octet of the application's reply to first sound", "p50 ≤ 20 ms, p95 ≤ 40 ms"
    ),
    "barge-in": Aim(
        "barge-in",
        "key or speech to silence",
        "RFC 4733 ≤ 40 ms from the first packet, in-band ≤ 80 ms, speech ≤ 40 ms after the detector",
    ),
    "memory-idle": Aim("memory", "memory at rest (sum of PSS)", "≤ 150 MB"),
    "memory-leg": Aim("memory", "memory of a leg", "≤ 250 KB at 500 of them"),
    "overload": Aim(
        "overload",
        "calls offered at three times the capacity",
        "≥ 90 % of the peak's goodput, running calls on time",
    ),
    "refusal": Aim("overload", "processor time of a refusal", "≤ 100 µs"),
    "quality": Aim(
        "quality",
        "what the jitter buffer and the concealment make of speech",
        "5 % lost: MOS-LQO 0.5 above repetition; 30 ms jitter: 0.1 below none at most, delay p95 ≤ 70 ms",
    ),
    "start": Aim("start", "start of the server to its first call answered", "≤ 2 s"),
    "crash": Aim(
        "crash",
        "kill -9 of all processes amid calls, to the last of them settled",
        "≤ 5 s from the next start; each callback delivered once by its token; ≤ 1 s of a recording lost",
    ),
    "idle": Aim("start", "processor time at rest", "≤ 0.1 % of the core, over 20 s at least"),
    "sockets": Aim(
        "sockets",
        "processor time of a packet received and one sent, nothing else done, by how the kernel is asked",
        "for comparison",
    ),
    "leaks": Aim("leaks", "memory, descriptors, tasks and ports after many calls", "where they were"),
}
"""By the name that a `Figure` is given."""
