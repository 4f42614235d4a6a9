"""What an application may write: every verb, its properties, their types. Data, and the reader of it.

One line is one verb or component: its name, then `property:type`; `*` behind a property means required.
Types: s string, n number, b boolean, o object, a array, h hook (a URL, or an object with one),
`#name` a component, `[#name]` an array of them, `{a,b}` one of these words; `|` parts alternatives.
Sources: jambonz verb specifications (strict set) and the published JSON schema, merged; the options of speech
vendors are objects that are passed over unread.
"""

from __future__ import annotations

import msgspec

_VERBS = """
answer
alert message*:s
agent stt:#recognizer tts:#synthesizer autoLockLanguage:b|s languageConfig:o turnDetection:s|o bargeIn:o \
 noResponseTimeout:n llm:o actionHook:h eventHook:h toolHook:h greeting:b earlyGeneration:b \
 noiseIsolation:s|o mcpServers:a handoff:o hangup:o toolFiller:b|o
conference name*:s beep:b memberTag:s speakOnlyTo:s startConferenceOnEnter:b endConferenceOnExit:b \
 endConferenceDuration:n maxParticipants:n joinMuted:b actionHook:h waitHook:h statusEvents:a statusHook:h \
 enterHook:h record:o listen:#listen stream:#listen distributeDtmf:b
config synthesizer:#synthesizer recognizer:#recognizer bargeIn:#bargeIn ttsStream:#ttsStream \
 record:#recordOptions listen:#listenOptions stream:#listenOptions transcribe:#transcribeOptions amd:#amd \
 fillerNoise:#fillerNoise notifyEvents:b notifySttLatency:b reset:s|a onHoldMusic:s \
 actionHookDelayAction:#actionHookDelayAction sipRequestWithinDialogHook:h boostAudioSignal:n|s vad:#vad \
 referHook:h earlyMedia:b autoStreamTts:b disableTtsCache:b trackTtsPlayout:b \
 noiseIsolation:#noiseIsolation turnTaking:#turnTaking
dequeue name*:s actionHook:h timeout:n beep:b callSid:s
dial target*:[#target] actionHook:h onHoldHook:h answerOnBridge:b callerId:s callerName:s confirmHook:h \
 referHook:h dialMusic:s dtmfCapture:o|a dtmfHook:h headers:o anchorMedia:b exitMediaPath:b \
 boostAudioSignal:n|s listen:#listen stream:#listen timeLimit:n timeout:n proxy:s transcribe:#transcribe \
 amd:#amd dub:[#dub] tag:o forwardPAI:b srtpEncryption:{sdes,dtls}
dialogflow project*:s credentials*:o|s lang*:s agent:s environment:s region:s model:{es,cx,ces} actionHook:h \
 eventHook:h toolHook:h events:a welcomeEvent:s welcomeEventParams:o noInputTimeout:n noInputEvent:s \
 passDtmfAsTextInput:b thinkingMusic:s tts:#synthesizer bargein:b queryInput:o deployment:s
dtmf dtmf*:s duration:n
dub action*:{addTrack,removeTrack,silenceTrack,playOnTrack,sayOnTrack} track*:s play:s say:s|o loop:b gain:n|s
enqueue name*:s actionHook:h waitHook:h priority:n
gather actionHook:h finishOnKey:s input:a numDigits:n minDigits:n maxDigits:n interDigitTimeout:n \
 partialResultHook:h speechTimeout:n listenDuringPrompt:b dtmfBargein:b bargein:b minBargeinWordCount:n \
 timeout:n recognizer:#recognizer play:#play say:#say fillerNoise:#fillerNoise \
 actionHookDelayAction:#actionHookDelayAction
hangup headers:o
leave
lex botId*:s botAlias*:s region*:s credentials*:o locale:s intent:o welcomeMessage:s metadata:o bargein:b \
 passDtmf:b actionHook:h eventHook:h noInputTimeout:n tts:#synthesizer
listen url*:s actionHook:h auth:#auth finishOnKey:s maxLength:n metadata:o mixType:{mono,stereo,mixed} \
 passDtmf:b playBeep:b disableBidirectionalAudio:b bidirectionalAudio:#bidirectionalAudio sampleRate:n \
 timeout:n transcribe:#transcribe wsAuth:#auth earlyMedia:b channel:n
llm vendor*:s llmOptions*:o model:s auth:o connectOptions:o mcpServers:a actionHook:h eventHook:h toolHook:h \
 handoff:o hangup:o events:a responseTimeoutMs:n cancelOnResponseTimeout:b cancelOnBargeIn:b
message to*:s from*:s carrier:s account_sid:s message_sid:s text:s media:s|a actionHook:h
pause length*:n
play url*:s|a loop:n|s earlyMedia:b seekOffset:n|s timeoutSecs:n|s actionHook:h
rasa url*:s recognizer:#recognizer tts:#synthesizer prompt:s actionHook:h eventHook:h
redirect actionHook*:h statusHook:h
say text:s|a instructions:s stream:b loop:n|s synthesizer:#synthesizer earlyMedia:b disableTtsCache:b \
 closeStreamOnEmpty:b closeOnStreamEmpty:b
sip:decline status*:n reason:s headers:o
sip:refer referTo*:s referredBy:s referredByDisplayName:s headers:o actionHook:h eventHook:h
sip:request method*:s body:s headers:o actionHook:h
tag data*:o
transcribe transcriptionHook:h translationHook:h recognizer:#recognizer earlyMedia:b channel:n enable:b
transfer mode*:{blind,warm} target*:[#target] blindMethod:{refer,dial} callerPresent:b callerId:s \
 onHoldHook:h timeout:n confirm:#transferConfirm amd:#amd disposition:#transferDisposition actionHook:h \
 eventHook:h brief:#transferBrief
"""

_COMPONENTS = """
actionHookDelayAction enabled:b enable:b noResponseTimeout:n noResponseGiveUpTimeout:n retries:n actions:a \
 giveUpActions:a
amd actionHook*:h thresholdWordCount:n digitCount:n timers:#amdTimers recognizer:#recognizer
amdTimers noSpeechTimeoutMs:n decisionTimeoutMs:n toneTimeoutMs:n greetingCompletionTimeoutMs:n
auth username*:s password*:s
bargeIn enable*:b sticky:b actionHook:h partialResultHook:h input:a finishOnKey:s numDigits:n minDigits:n \
 maxDigits:n interDigitTimeout:n dtmfBargein:b minBargeinWordCount:n
bidirectionalAudio enabled:b streaming:b sampleRate:n
dialFrom user:s host:s
fillerNoise enable*:b url:s startDelaySecs:n
listenOptions enable*:b url:s sampleRate:n wsAuth:#auth mixType:{mono,stereo,mixed} metadata:o maxLength:n \
 passDtmf:b playBeep:b disableBidirectionalAudio:b bidirectionalAudio:#bidirectionalAudio timeout:n
noiseIsolation enable:b vendor:s level:n model:s direction:s
recognizer vendor*:s label:s language:s fallbackVendor:s fallbackLabel:s fallbackLanguage:s vad:#vad \
 autogeneratePrompt:b hints:a hintsBoost:n altLanguages:a profanityFilter:b interim:b singleUtterance:b \
 dualChannel:b separateRecognitionPerChannel:b punctuation:b enhancedModel:b words:b diarization:b \
 diarizationMinSpeakers:n diarizationMaxSpeakers:n naicsCode:n identifyChannels:b vocabularyName:s \
 interactionType:{unspecified,discussion,presentation,phone_call,voicemail,voice_search,voice_command,dictation}\
 vocabularyFilterName:s filterMethod:{remove,mask,tag} model:s outputFormat:{simple,detailed} \
 profanityOption:{masked,removed,raw} requestSnr:b initialSpeechTimeoutMs:n azureServiceEndpoint:s \
 azureSttEndpointId:s asrDtmfTerminationDigit:s asrTimeout:n fastRecognitionTimeout:n minConfidence:n \
 nuanceOptions:o deepgramOptions:o ibmOptions:o nvidiaOptions:o sonioxOptions:o cobaltOptions:o awsOptions:o \
 azureOptions:o assemblyAiOptions:o googleOptions:o customOptions:o verbioOptions:o speechmaticsOptions:o \
 openaiOptions:o houndifyOptions:o gladiaOptions:o elevenlabsOptions:o xaiOptions:o modulateOptions:o
recordOptions action*:{startCallRecording,stopCallRecording,pauseCallRecording,resumeCallRecording} \
 type:{cloud,siprec} recordingID:s siprecServerURL:s|a headers:o silence:b
synthesizer vendor*:s label:s language:s voice:s|o fallbackVendor:s fallbackLabel:s fallbackLanguage:s \
 fallbackVoice:s|o engine:{standard,neural,generative,long-form} gender:{MALE,FEMALE,NEUTRAL} options:o
target type*:{phone,sip,user,teams} confirmHook:h method:{GET,POST} headers:o from:#dialFrom name:s number:s \
 sipUri:s auth:#auth vmail:b tenant:s trunk:s overrideTo:s proxy:s
transcribeOptions enable*:b transcriptionHook:h recognizer:#recognizer
transferBrief text*:s synthesizer:#synthesizer
transferConfirm prompt*:s digit*:s
transferDisposition onNoAnswer:{return,voicemail,hangup} onBusy:{return,voicemail,hangup} \
 onDecline:{return,voicemail,hangup} onFailure:{return,voicemail,hangup} voicemailUrl:s
ttsStream enable*:b synthesizer:#synthesizer
turnTaking enable:b vendor:s threshold:n model:s
vad enable:b voiceMs:n silenceMs:n strategy:s mode:n vendor:{webrtc,silero} threshold:n speechPadMs:n
"""

# Other names of the same verb; a vendor is preset where the name says one.
_ALIASES = {"stream": "listen", "room": "conference", "s2s": "llm"}
_VENDORS = (
    "openai", "microsoft", "google", "elevenlabs", "deepgram", "voiceagent", "ultravox", "qwen", "gptlive",
)  # fmt: skip
PRESETS: dict[str, dict[str, str]] = {f"{vendor}_s2s": {"vendor": vendor} for vendor in _VENDORS}


class Property(msgspec.Struct, frozen=True):
    """One property: the kinds of values it takes, as in the table."""

    kinds: tuple[str, ...]
    required: bool
    words: tuple[str, ...] = ()
    """The words allowed, where it is an enumeration."""


Shape = dict[str, Property]


def _property(text: str) -> tuple[str, Property]:
    name, _, types = text.partition(":")
    words: tuple[str, ...] = ()
    if types.startswith("{"):
        words, types = tuple(types[1:-1].split(",")), "s"
    kinds = ("o", "s") if types == "h" else tuple(types.split("|"))
    return name.rstrip("*"), Property(kinds, name.endswith("*"), words)


def _table(text: str) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    for line in text.strip().splitlines():
        name, *parts = line.replace("sip:", "sip/").split()
        shapes[name.replace("/", ":")] = dict(_property(part) for part in parts)
    return shapes


VERBS = _table(_VERBS)
VERBS |= {alias: VERBS[name] for alias, name in _ALIASES.items()}
VERBS |= dict.fromkeys(PRESETS, VERBS["llm"])
SHAPES: dict[str, Shape] = _table(_COMPONENTS) | VERBS
"""Verbs and components together: `#play`, `#dub` and `#listen` are verbs written inside another one."""
