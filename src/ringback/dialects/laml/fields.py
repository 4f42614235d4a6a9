"""What the application is told: the parameters of document requests and of status callbacks.

Sources: Twilio "TwiML voice requests" and "Call status callbacks"; SignalWire "Calls, StatusCallback
parameters". Pure functions of the call's record.
"""

from __future__ import annotations

import math

from ringback.calls.events import MediaStatistics
from ringback.calls.record import CallRecord
from ringback.calls.status import Direction, EndedBy
from ringback.dialects.http import rfc2822
from ringback.dialects.laml.addresses import address
from ringback.dialects.laml.outcomes import header_fields
from ringback.dialects.laml.profiles import API_VERSION, TWILIO, Profile
from ringback.dialects.laml.quality import mean_opinion_score
from ringback.dialects.laml.sids import ACCOUNT, APPLICATION, CALL, spell
from ringback.dialects.laml.statuses import webhook_status
from ringback.sip.errors import SipParseError
from ringback.sip.uri import Uri


def request_fields(call: CallRecord, profile: Profile) -> list[tuple[str, str]]:
    """The parameters of every document request."""
    from_, to = address(call.from_, call.from_uri), address(call.to, call.to_uri)
    fields = [
        ("CallSid", spell(profile, CALL, call.id)),
        ("AccountSid", spell(profile, ACCOUNT, call.account_id)),
        ("ApiVersion", API_VERSION),
        ("From", from_),
        ("To", to),
        ("Caller", from_),
        ("Called", to),
        ("CallStatus", webhook_status(call)),
        ("Direction", str(call.direction)),
    ]
    fields += _if_known(call, profile)
    if profile is TWILIO and call.application_id is not None:
        fields.append(("ApplicationSid", spell(profile, APPLICATION, call.application_id)))
    return fields + _sip_fields(call, profile)


def _if_known(call: CallRecord, profile: Profile) -> list[tuple[str, str]]:
    fields = []
    if call.forwarded_from:
        fields.append(("ForwardedFrom", call.forwarded_from))
    if call.caller_name:
        fields.append(("CallerName", call.caller_name))
    if call.parent_id is not None:
        fields.append(("ParentCallSid", spell(profile, CALL, call.parent_id)))
    return fields


def _sip_fields(call: CallRecord, profile: Profile) -> list[tuple[str, str]]:
    fields = []
    if call.sip_call_id:
        fields.append(("SipCallId", call.sip_call_id))
    if profile is TWILIO and call.direction is Direction.INBOUND:
        domain = _host(call.to_uri)
        if domain:
            fields.append(("SipDomain", domain))
        if call.client:
            fields.append(("SipUsername", call.client))
        source = call.source.partition(":")[2].rpartition(":")[0]
        if source:
            fields.append(("SipSourceIp", source.strip("[]")))
    return fields + header_fields(call.invite_headers)


def _host(uri: str) -> str:
    try:
        return Uri.parse(uri).host
    except SipParseError:
        return ""


def failure_fields(code: str, url: str) -> list[tuple[str, str]]:
    """What a fallback gets besides."""
    return [("ErrorCode", code), ("ErrorUrl", url)]


def callback_fields(call: CallRecord, profile: Profile) -> list[tuple[str, str]]:
    """A status callback, for the state in which the call is now."""
    from_, to = address(call.from_, call.from_uri), address(call.to, call.to_uri)
    fields = _callback_core(call, profile, from_, to)
    fields += _if_known(call, profile)
    if call.ended_at is None:
        return fields
    fields.append(("CallDuration", str(call.duration())))
    if profile is TWILIO:
        fields.append(("Duration", str(math.ceil(call.duration() / 60))))
        if call.sip_status:
            fields.append(("SipResponseCode", str(call.sip_status)))
        return fields
    return fields + _ending(call, from_, to) + audio_fields(call.media or MediaStatistics())


def _callback_core(call: CallRecord, profile: Profile, from_: str, to: str) -> list[tuple[str, str]]:
    fields = [
        ("CallSid", spell(profile, CALL, call.id)),
        ("AccountSid", spell(profile, ACCOUNT, call.account_id)),
        ("ApiVersion", API_VERSION),
        ("From", from_),
        ("To", to),
        ("CallStatus", webhook_status(call)),
        ("Direction", str(call.direction)),
        ("Timestamp", rfc2822(call.updated_at)),
        ("CallbackSource", "call-progress-events"),
        ("SequenceNumber", str(call.sequence_number)),
    ]
    if profile is TWILIO:
        fields += [("Caller", from_), ("Called", to)]
    return fields


def _ending(call: CallRecord, from_: str, to: str) -> list[tuple[str, str]]:
    fields = []
    if call.sip_status:
        fields.append(("SipResultCode", str(call.sip_status)))
        if call.sip_reason:
            fields.append(("SipInviteResultPhrase", call.sip_reason))
    inbound = call.direction is Direction.INBOUND
    if call.ended_by is EndedBy.REMOTE:
        # The far end is the caller of an inbound call and the callee of an outbound one.
        who, way = (from_ if inbound else to), "inbound"
    else:
        who, way = (to if inbound else from_), "outbound"
    return [*fields, ("HangupBy", who), ("HangupDirection", way)]


def audio_fields(media: MediaStatistics) -> list[tuple[str, str]]:
    """SignalWire's audio statistics: counts of packets, times in milliseconds."""
    return [
        ("AudioInMos", f"{mean_opinion_score(media):.1f}"),
        ("AudioInAveragePtime", str(media.average_ptime)),
        ("AudioInMediaPacketCount", str(media.packets_in)),
        ("AudioInDtmfPacketCount", str(media.dtmf_in)),
        ("AudioInFlushPacketCount", str(media.flushed)),
        ("AudioInSkipPacketCount", str(media.skipped)),
        ("AudioInLargestJbSize", str(media.largest_buffer)),
        ("AudioInJitterMinVariance", _whole(media.jitter_in_min)),
        ("AudioInJitterMaxVariance", _whole(media.jitter_in_max)),
        ("AudioOutMediaPacketCount", str(media.packets_out)),
        ("AudioOutDtmfPacketCount", str(media.dtmf_out)),
    ]


def _whole(milliseconds: float | None) -> str:
    return str(round(milliseconds or 0.0))
