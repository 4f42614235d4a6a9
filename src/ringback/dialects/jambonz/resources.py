"""Calls and applications as REST shows them. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ringback.calls.record import CallRecord
from ringback.dialects.jambonz.payload import (
    direction_name,
    originating_trunk,
    source_address,
    status_name,
    termination,
)
from ringback.dialects.jambonz.sids import application_sid, spell
from ringback.routing.directory import Account, Application


def call_resource(call: CallRecord, public_url: str, now: datetime) -> dict[str, Any]:
    """One call. `duration` is in seconds and runs while the call is up; nothing in it is null."""
    sid = spell(call.id)
    resource: dict[str, Any] = {
        "account_sid": spell(call.account_id),
        "application_sid": application_sid(call),
        "call_id": call.sip_call_id or sid,
        "sbc_callid": call.sip_call_id or sid,
        "call_sid": sid,
        "call_status": status_name(call.status, call.direction),
        "caller_name": call.caller_name or "",
        "direction": direction_name(call.direction),
        "duration": call.duration(now),
        "from": call.from_,
        "originating_sip_trunk_name": originating_trunk(call),
        "service_url": f"{public_url}/v1/calls/{sid}",
        "sip_reason": call.sip_reason,
        "sip_status": call.sip_status,
        "to": call.to,
        "trace_id": call.id.hex,
    }
    known = {
        "parent_call_sid": spell(call.parent_id) if call.parent_id else None,
        "originating_sip_ip": source_address(call),
        "local_sip_address": call.local_address,
        "call_termination_by": termination(call),
    }
    return resource | {key: value for key, value in known.items() if value}


def application_resource(application: Application) -> dict[str, Any]:
    """One application of this dialect, its hooks expanded; passwords are not shown."""
    speech = application.speech
    return {
        "application_sid": spell(application.id),
        "account_sid": spell(application.account_id),
        "name": application.name,
        "call_hook": _hook(application, application.voice_url, application.voice_method),
        "call_status_hook": _hook(
            application, application.status_callback, application.status_callback_method
        ),
        "messaging_hook": None,
        "app_json": application.app_json or None,
        "speech_synthesis_vendor": speech.synthesis_vendor or "default",
        "speech_synthesis_language": speech.synthesis_language or "en-US",
        "speech_synthesis_voice": speech.synthesis_voice or "default",
        "speech_recognizer_vendor": speech.recognizer_vendor or "default",
        "speech_recognizer_language": speech.recognizer_language or "en-US",
        "env_vars": dict(application.env_vars) or None,
    }


def _hook(application: Application, url: str, method: str) -> dict[str, Any] | None:
    if not url:
        return None
    return {
        "url": url,
        "method": method.upper(),
        "username": application.username or None,
        "password": "******" if application.password else None,
    }


def account_resource(account: Account) -> dict[str, Any]:
    """The account, without its secrets."""
    provider = account.service_provider_sid
    return {
        "account_sid": spell(account.id),
        "name": account.name,
        "service_provider_sid": spell(provider) if provider else None,
        "is_active": True,
        "device_calling_application_sid": (
            spell(account.device_application_id) if account.device_application_id else None
        ),
    }
