"""Calls, accounts, applications and numbers as REST shows them. Pure.

Sources: SignalWire "Calls", "Accounts", "Applications", "Phone numbers" of the Compatibility API; the same
resources of Twilio's 2010-04-01 API.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ringback.calls.events import MediaStatistics
from ringback.calls.record import CallRecord
from ringback.calls.status import Direction
from ringback.dialects.http import rfc2822
from ringback.dialects.laml.addresses import address, formatted
from ringback.dialects.laml.profiles import API_VERSION, TWILIO, Profile
from ringback.dialects.laml.quality import mean_opinion_score
from ringback.dialects.laml.sids import ACCOUNT, APPLICATION, CALL, NUMBER, spell, spell_or_none
from ringback.dialects.laml.statuses import rest_status
from ringback.routing.directory import Account, Application, Number

Resource = dict[str, Any]

_TWILIO_CALL_LINKS = {
    "notifications": "Notifications",
    "recordings": "Recordings",
    "payments": "Payments",
    "events": "Events",
    "siprec": "Siprec",
    "streams": "Streams",
    "transcriptions": "Transcriptions",
    "user_defined_message_subscriptions": "UserDefinedMessageSubscriptions",
    "user_defined_messages": "UserDefinedMessages",
}

_LISTS = (
    *("available_phone_numbers", "applications", "calls", "conferences", "incoming_phone_numbers"),
    *("queues", "recordings", "messages", "transcriptions"),
)
_ABSENT_LISTS = (
    *("addresses", "authorized_connect_apps", "connect_apps", "keys", "notifications"),
    *("outgoing_caller_ids", "sandbox", "sip", "short_codes", "usage"),
)


class View:
    """How one request sees things: its profile, and the prefix that it came by, which all links keep."""

    def __init__(self, profile: Profile, prefix: str, account: Account) -> None:
        self.profile = profile
        self.account_sid = spell(profile, ACCOUNT, account.id)
        self.account_path = f"{prefix}/Accounts/{self.account_sid}"

    @property
    def list_suffix(self) -> str:
        """What the path of a list ends with."""
        return ".json" if self.profile is TWILIO else ""

    def call(self, call: CallRecord) -> Resource:
        """A call."""
        return _twilio_call(self, call) if self.profile is TWILIO else _signalwire_call(self, call)

    def call_path(self, call: CallRecord) -> str:
        """The call's path without suffix."""
        return f"{self.account_path}/Calls/{spell(self.profile, CALL, call.id)}"

    def account(self, account: Account, since: datetime) -> Resource:
        """An account; `since` stands for its dates, which are not kept."""
        return _account(self, account, since)

    def application(self, application: Application, since: datetime) -> Resource:
        """A configured application of this dialect."""
        return _application(self, application, since)

    def number(self, number: Number, application: Application | None, since: datetime) -> Resource:
        """A configured number, with where its calls go."""
        return _number(self, number, application, since)


def when(at: datetime | None) -> str | None:
    """A moment as the services write it."""
    return None if at is None else rfc2822(at)


def _common_call(view: View, call: CallRecord) -> Resource:
    from_, to = address(call.from_, call.from_uri), address(call.to, call.to_uri)
    return {
        "sid": spell(view.profile, CALL, call.id),
        "account_sid": view.account_sid,
        "date_created": when(call.created_at),
        "date_updated": when(call.updated_at),
        "parent_call_sid": spell_or_none(view.profile, CALL, call.parent_id),
        "to": to,
        "to_formatted": formatted(to),
        "from": from_,
        "from_formatted": formatted(from_),
        "phone_number_sid": spell_or_none(view.profile, NUMBER, call.number_id),
        "status": rest_status(call),
        "start_time": when(call.answered_at or call.initiated_at),
        "end_time": when(call.ended_at),
        "price": None,
        "price_unit": "USD",
        "answered_by": _answered_by(call),
        "api_version": API_VERSION,
        "annotation": None,
        "group_sid": None,
        "uri": f"{view.call_path(call)}.json",
    }


def _answered_by(call: CallRecord) -> str | None:
    if not call.answered_by or call.answered_by == "unknown":
        return None
    return "human" if call.answered_by == "human" else "machine"


def _twilio_call(view: View, call: CallRecord) -> Resource:
    path = view.call_path(call)
    queued = call.initiated_at is None and call.ended_at is None
    resource = _common_call(view, call)
    if queued:
        resource |= {"date_created": None, "date_updated": None}
    return resource | {
        "duration": None if call.ended_at is None else str(call.duration()),
        "direction": str(call.direction),
        "forwarded_from": call.forwarded_from,
        "caller_name": call.caller_name,
        "queue_time": "0",
        "trunk_sid": None,
        "subresource_uris": {name: f"{path}/{last}.json" for name, last in _TWILIO_CALL_LINKS.items()},
    }


def _signalwire_call(view: View, call: CallRecord) -> Resource:
    resource = _common_call(view, call)
    return resource | {
        "formatted_to": resource["to_formatted"],
        "formatted_from": resource["from_formatted"],
        "duration": 0 if call.ended_at is None else call.duration(),
        "direction": "inbound" if call.direction is Direction.INBOUND else "outbound",
        "forwarded_from": None,
        "caller_name": None,
        "subresource_uris": {"notifications": None, "recordings": f"{view.call_path(call)}/Recordings"},
        **_audio(call),
    }


def _audio(call: CallRecord) -> Resource:
    ended = call.ended_at is not None
    heard = call.media if ended else None
    media = heard or MediaStatistics()
    return {
        "audio_in_mos": round(mean_opinion_score(media), 1) if media.packets_in else None,
        "sip_result_code": str(call.sip_status) if ended and call.sip_status else None,
        "audio_rtt_avg": _whole(media.rtt_avg),
        "audio_rtt_min": _whole(media.rtt_min),
        "audio_rtt_max": _whole(media.rtt_max),
        "audio_out_jitter_min": _whole(media.jitter_out_min),
        "audio_out_jitter_max": _whole(media.jitter_out_max),
        "audio_out_jitter_avg": _whole(media.jitter_out_avg),
        "audio_out_lost": None if heard is None else heard.lost_out,
    }


def _whole(milliseconds: float | None) -> int | None:
    return None if milliseconds is None else round(milliseconds)


def _account(view: View, account: Account, since: datetime) -> Resource:
    path = view.account_path
    links: Resource = dict.fromkeys(_ABSENT_LISTS)
    links |= {name: f"{path}/{_camel(name)}{view.list_suffix}" for name in _LISTS}
    resource = {
        "sid": view.account_sid,
        "friendly_name": account.name,
        "status": "active",
        "auth_token": account.token,
        "date_created": rfc2822(since),
        "date_updated": rfc2822(since),
        "type": "Full",
        "owner_account_sid": view.account_sid,
        "uri": f"{path}.json" if view.profile is TWILIO else path,
        "subresource_uris": links,
    }
    if view.profile is TWILIO:
        return resource
    return resource | {
        "region_preference": None,
        "subproject": False,
        "signing_key": account.webhook_signing_key,
    }


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _hooks(application: Application | None) -> Resource:
    """The part of applications and numbers that says where calls go."""
    app = application
    return {
        "voice_url": (app.voice_url or None) if app else None,
        "voice_method": app.voice_method if app else "POST",
        "voice_fallback_url": (app.fallback_url or None) if app else None,
        "voice_fallback_method": app.fallback_method if app else "POST",
        "status_callback": (app.status_callback or None) if app else None,
        "status_callback_method": app.status_callback_method if app else "POST",
        "voice_caller_id_lookup": False,
        "sms_url": None,
        "sms_method": "POST",
        "sms_fallback_url": None,
        "sms_fallback_method": "POST",
    }


def _application(view: View, application: Application, since: datetime) -> Resource:
    sid = spell(view.profile, APPLICATION, application.id)
    resource = {
        "sid": sid,
        "account_sid": view.account_sid,
        "api_version": API_VERSION,
        "date_created": rfc2822(since),
        "date_updated": rfc2822(since),
        "friendly_name": application.name,
        **_hooks(application),
        "sms_status_callback": None,
        "message_status_callback": None,
        "uri": f"{view.account_path}/Applications/{sid}.json",
    }
    if view.profile is TWILIO:
        return resource | {"public_application_connect_enabled": False}
    return resource | {"sms_status_callback_method": "POST"}


def _number(view: View, number: Number, application: Application | None, since: datetime) -> Resource:
    sid = spell(view.profile, NUMBER, number.id)
    resource = {
        "sid": sid,
        "account_sid": view.account_sid,
        "api_version": API_VERSION,
        "date_created": rfc2822(since),
        "date_updated": rfc2822(since),
        "friendly_name": formatted(number.number),
        "phone_number": number.number,
        "address_requirements": "none",
        "address_sid": None,
        "beta": False,
        "capabilities": {"voice": True, "sms": False, "mms": False, "fax": False},
        "emergency_address_sid": None,
        "emergency_status": "Inactive",
        "identity_sid": None,
        "origin": "hosted",
        "sms_application_sid": None,
        "trunk_sid": None,
        "voice_application_sid": spell_or_none(view.profile, APPLICATION, number.application_id),
        **_hooks(application),
        "uri": f"{view.account_path}/IncomingPhoneNumbers/{sid}.json",
    }
    if view.profile is TWILIO:
        extra = {"voice_receive_mode": "voice", "status": "in-use", "bundle_sid": None, "type": None}
        return resource | extra | {"emergency_address_status": "unregistered", "subresource_uris": {}}
    return resource | {"account_id": view.account_sid, "country_code": "US"}
