"""Languages as the services write them, as the built-in voice has them.

Sources: RestComm "Say" (its two-letter codes are its own), Twilio and SignalWire "Say" (BCP-47),
espeak-ng's list of languages.
"""

from __future__ import annotations

import msgspec

DEFAULT = "en-us"

# What the library ships, by its own identifiers (lower case).
_SHIPPED = """
    af am an ar as az ba be bg bn bpy bs ca ca-ba ca-nw ca-va chr cmn cs cv cy da de el en en-029
    en-gb-scotland en-gb-x-gbclan en-gb-x-gbcwmd en-gb-x-rp en-us en-us-nyc eo es es-419 et eu fa fa-latn fi
    fo fr fr-be fr-ch ga gd gn grc gu hak haw he hi hr ht hu hy hyw ia id io is it ja ka kk kl kn ko kok ku
    ky la lb lfn lt ltg lv mi mk ml mr ms mt mto my nb nci ne nl nog om or pa pap pl pt pt-br qu quc ro ru
    ru-lv sd shn si sjn sk sl smj sq sr sv sw ta te th ti tk tn tr tt ug uk ur uz vi vi-vn-x-central
    vi-vn-x-south yue
"""
INSTALLED = frozenset(_SHIPPED.split())

# Codes that mean a language which has another name here.
_ALIASES = {
    "bf": "fr-be",  # RestComm: Belgian French
    "bp": "pt-br",  # RestComm: Brazilian Portuguese
    "cf": "fr-ca",  # RestComm: Canadian French
    "dan": "da",
    "en-gb": "en",
    "en-uk": "en",
    "no": "nb",
    "no-no": "nb",
    "nn": "nb",
    "zh": "cmn",
    "zh-cn": "cmn",
    "zh-tw": "cmn",
    "cmn-cn": "cmn",
    "cmn-hans-cn": "cmn",
    "cmn-hant-tw": "cmn",
    "cmn-tw": "cmn",
    "zh-hk": "yue",
    "yue-hk": "yue",
    "yue-hant-hk": "yue",
    "es-mx": "es-419",
    "es-us": "es-419",
    "es-ar": "es-419",
    "es-co": "es-419",
    "es-cl": "es-419",
    "es-pe": "es-419",
    "iw": "he",
    "iw-il": "he",
    "in": "id",
    "arb": "ar",
}

# The region whose speech a bare language code has; a language that is not listed has no regions here.
_HOME = {
    "ca": "es",
    "cs": "cz",
    "da": "dk",
    "el": "gr",
    "fr": "fr",
    "hi": "in",
    "ja": "jp",
    "ko": "kr",
    "nb": "no",
    "pt": "pt",
    "sv": "se",
    "uk": "ua",
    "vi": "vn",
}


class LanguageMatch(msgspec.Struct, frozen=True):
    """`name` is installed. `exact` is false when it is only the nearest to what was asked for."""

    name: str
    exact: bool


def match_language(code: str) -> LanguageMatch | None:
    """The installed language for a code, the nearest where the region is missing, or None."""
    wanted = code.strip().lower().replace("_", "-")
    wanted = _ALIASES.get(wanted, wanted)
    if wanted in INSTALLED:
        return LanguageMatch(wanted, True)
    primary, _, rest = wanted.partition("-")
    base = _ALIASES.get(primary, primary)
    if base not in INSTALLED:
        return None
    return LanguageMatch(base, rest in (_HOME.get(base, base), ""))
