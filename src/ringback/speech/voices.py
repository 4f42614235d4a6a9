"""Voice names of the services, mapped to the nearest that the built-in engine has.

Sources: Twilio "Text-to-speech voices", SignalWire "Say" and "Text-to-speech", Amazon Polly "Available
voices", jambonz "synthesizer", RestComm "Say".
"""

from __future__ import annotations

import re

import msgspec

from ringback.speech.languages import DEFAULT, match_language
from ringback.speech.protocol import Gender

# A variant of the engine colours any language: a woman's voice, a man's.
VARIANTS: dict[Gender, str] = {"female": "+f2", "male": "+m3", "": "+f2"}
_BASIC: dict[str, Gender] = {
    "man": "male",
    "woman": "female",
    "alice": "female",
    "male": "male",
    "female": "female",
    "default": "",
    "": "",
}

_POLLY_WOMEN = {
    "arb": "zeina",
    "ar-ae": "hala",
    "ca-es": "arlet",
    "cmn-cn": "zhiyu",
    "yue-cn": "hiujin",
    "cs-cz": "jitka",
    "da-dk": "naja sofie",
    "nl-nl": "lotte laura",
    "nl-be": "lisa",
    "en-au": "nicole olivia",
    "en-gb": "amy emma",
    "en-in": "aditi raveena kajal",
    "en-ie": "niamh",
    "en-nz": "aria",
    "en-sg": "jasmine",
    "en-us": "joanna salli kendra kimberly ivy danielle ruth tiffany",
    "en-za": "ayanda",
    "fi-fi": "suvi",
    "fr-fr": "lea céline celine",
    "fr-be": "isabelle",
    "fr-ca": "chantal gabrielle",
    "de-de": "marlene vicki",
    "de-at": "hannah",
    "de-ch": "sabrina",
    "is-is": "dóra dora",
    "it-it": "carla bianca beatrice",
    "ja-jp": "mizuki kazuha tomoko",
    "ko-kr": "seoyeon jihye",
    "nb-no": "liv ida",
    "pl-pl": "ewa maja ola",
    "pt-br": "camila vitória vitoria",
    "pt-pt": "inês ines",
    "ro-ro": "carmen",
    "ru-ru": "tatyana",
    "es-es": "conchita lucia alba",
    "es-mx": "mia",
    "es-us": "lupe penélope penelope",
    "sv-se": "astrid elin",
    "tr-tr": "filiz burcu",
    "cy-gb": "gwyneth",
}
_POLLY_MEN = {
    "ar-ae": "zayd",
    "da-dk": "mads",
    "nl-nl": "ruben",
    "en-au": "russell",
    "en-gb": "brian arthur",
    "en-gb-wls": "geraint",
    "en-us": "joey justin kevin matthew gregory stephen patrick",
    "fr-fr": "mathieu rémi remi",
    "fr-ca": "liam",
    "de-de": "hans daniel",
    "is-is": "karl",
    "it-it": "giorgio adriano lorenzo",
    "ja-jp": "takumi",
    "pl-pl": "jacek jan",
    "pt-br": "ricardo thiago",
    "pt-pt": "cristiano",
    "ru-ru": "maxim",
    "es-es": "enrique sergio raul",
    "es-mx": "andrés andres",
    "es-us": "miguel pedro",
}
_POLLY: dict[str, tuple[str, Gender]] = {
    **{name: (tag, "female") for tag, names in _POLLY_WOMEN.items() for name in names.split()},
    **{name: (tag, "male") for tag, names in _POLLY_MEN.items() for name in names.split()},
}

_TAG = re.compile(
    r"^([a-z]{2,3}-(?:[a-z]{2,4}|\d{3}))-", re.IGNORECASE
)  # en-US-JennyNeural, cmn-CN-Wavenet-A
_TIER = re.compile(r"-(neural|generative|standard|long-form)$", re.IGNORECASE)
# Google's letters: the same letter is mostly the same gender in every language.
_GOOGLE = re.compile(r"-(?:standard|wavenet|neural2|news|studio|polyglot)-([a-z])$", re.IGNORECASE)
_GOOGLE_MEN = frozenset("bdij")


class EspeakVoice(msgspec.Struct, frozen=True):
    """A voice of the engine. `name` is what it is selected by, such as "en-us+f2"."""

    name: str
    language: str
    gender: Gender


class ResolvedVoice(msgspec.Struct, frozen=True):
    """The nearest voice. Unless it is `exact`, `note` says in one sentence what was replaced by what."""

    voice: EspeakVoice
    exact: bool
    note: str = ""


def resolve_voice(voice: str, language: str = "", gender: Gender = "") -> ResolvedVoice:
    """Find the engine's voice for what an application named; never fails.

    `language` wins over the language that the voice belongs to; `gender` counts where the voice has none.
    """
    known, tag, spoken_gender = _describe(voice)
    chosen: Gender = spoken_gender or gender or "female"
    asked = language.strip() or tag
    found = match_language(asked or DEFAULT)
    name = found.name if found else DEFAULT
    result = EspeakVoice(name + VARIANTS[chosen], name, chosen)
    parts = []
    if not known:
        parts.append(f"the voice {voice.strip()} is not here")
    if found is None or not found.exact:
        parts.append(f"the language {asked} is not here")
    if not parts:
        return ResolvedVoice(result, True)
    return ResolvedVoice(result, False, f"{' and '.join(parts)}: the built-in voice {result.name} speaks")


def _describe(voice: str) -> tuple[bool, str, Gender]:
    """(ours, language tag, gender) of a voice name."""
    name = voice.strip()
    if name.lower() in _BASIC:
        return True, "", _BASIC[name.lower()]
    family, dot, rest = name.partition(".")
    bare = _TIER.sub("", rest if dot else name)
    tag = _TAG.match(f"{bare}-")
    if family.lower() == "polly" or (not dot and bare.lower() in _POLLY):
        polly_language, polly_gender = _POLLY.get(bare.lower(), ("", ""))
        return False, polly_language, polly_gender
    letter = _GOOGLE.search(bare if dot else name)
    if letter:
        google: Gender = "male" if letter.group(1).lower() in _GOOGLE_MEN else "female"
        return False, tag.group(1) if tag else "", google
    return False, tag.group(1) if tag else "", ""
