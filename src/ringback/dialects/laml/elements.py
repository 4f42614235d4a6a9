"""Every element that TwiML and cXML voice documents know, with its attributes.

The names come from the services' own builders and pages; both profiles share one table, so that a document
written for one of them is never refused by the other for a name.
"""

from __future__ import annotations

_HOOK = "action method"
_STATUS = "statusCallback statusCallbackMethod statusCallbackEvent"
_RECORDING = "recordingStatusCallback recordingStatusCallbackMethod recordingStatusCallbackEvent"
_DETECTION = (
    "machineDetection machineDetectionTimeout machineDetectionSpeechThreshold "
    "machineDetectionSpeechEndThreshold machineDetectionSilenceTimeout "
    "amdStatusCallback amdStatusCallbackMethod"
)
_AGENT = (
    "id url language ttsLanguage transcriptionLanguage ttsProvider voice transcriptionProvider speechModel "
    "profanityFilter dtmfDetection welcomeGreeting partialPrompts welcomeGreetingInterruptible interruptible "
    "preemptible hints intelligenceService reportInputDuringAgentSpeech elevenlabsTextNormalization "
    "interruptSensitivity debug"
)

_TABLE = {
    # Verbs that run.
    "Say": "voice language loop",
    "Play": "loop digits",
    "Pause": "length",
    "Gather": (
        f"{_HOOK} input timeout speechTimeout maxSpeechTime profanityFilter finishOnKey numDigits "
        "partialResultCallback partialResultCallbackMethod language hints bargeIn debug actionOnEmptyResult "
        "speechModel enhanced"
    ),
    "Redirect": "method",
    "Reject": "reason",
    "Hangup": "",
    "Dial": (
        f"{_HOOK} {_RECORDING} timeout hangupOnStar timeLimit callerId callerName record trim answerOnBridge "
        "ringTone recordingTrack recordingStorageUrl recordingStorageUrlMethod recordingConfigurationId "
        "callReason sequential referUrl referMethod events passports"
    ),
    "Record": (
        f"{_HOOK} {_RECORDING} timeout finishOnKey maxLength playBeep trim transcribe transcribeCallback "
        "recordingConfigurationId storageUrl storageUrlMethod"
    ),
    "Refer": _HOOK,
    "Start": _HOOK,
    "Stop": "",
    # Verbs that are known by name.
    "Connect": _HOOK,
    "Denoise": "",
    "Echo": "timeout",
    "Enqueue": f"{_HOOK} waitUrl waitUrlMethod maxQueueSize workflowSid",
    "Leave": "",
    "Message": f"to from {_HOOK} statusCallback",
    "Pay": (
        "input action method bankAccountType statusCallback statusCallbackMethod timeout maxAttempts "
        "securityCode postalCode minPostalCodeLength paymentConnector paymentConnectorUrl paymentMethod "
        "tokenType chargeAmount currency description validCardTypes language confirmation "
        "requireMatchingInputs"
    ),
    "Prompt": "for errorType cardType attempt requireMatchingInputs",
    "Queue": "url method reservationSid postWorkActivitySid",
    "Sms": f"to from {_HOOK} statusCallback",
    # What may stand inside them.
    "AI": "engine voice postPromptURL postPromptAuthUser postPromptAuthPassword hints",
    "AiSession": "aiConnector aiSessionConfiguration",
    "Application": f"url method {_STATUS} customerId copyParentTo",
    "ApplicationSid": "",
    "Assistant": _AGENT,
    "Autopilot": "",
    "Client": f"url method {_STATUS} clientNotificationUrl",
    "Conference": (
        f"{_STATUS} {_RECORDING} muted beep startConferenceOnEnter endConferenceOnExit participantLabel "
        "jitterBufferSize waitUrl waitMethod maxParticipants record trim region coach eventCallbackUrl "
        "streamUrl"
    ),
    "Config": "name value",
    "Conversation": (
        f"{_STATUS} {_RECORDING} serviceInstanceSid inboundAutocreation routingAssignmentTimeout "
        "inboundTimeout url method record trim"
    ),
    "ConversationRelay": (
        f"{_AGENT} backgroundnoisereduction speechtimeout deepgramsmartformat ignorebackchannel events"
    ),
    "ConversationRelaySession": "connector sessionConfiguration",
    "Header": "name value",
    "Headers": "",
    "Identity": "",
    "Language": "code name ttsProvider voice transcriptionProvider speechModel",
    "Number": f"url method sendDigits {_STATUS} byoc {_DETECTION}",
    "Parameter": "name value",
    "Recording": f"{_RECORDING} name trim track channels recordingConfigurationId",
    "ReferSip": "",
    "Room": "participantIdentity",
    "Sim": "",
    "Sip": f"username password url method {_STATUS} codecs sessionTimeout {_DETECTION}",
    "Siprec": "name connectorName track statusCallback statusCallbackMethod",
    "Stream": (
        "name url connectorName track statusCallback statusCallbackMethod codec bidir realtime "
        "authBearerToken streamStartConferenceOnEnter streamSslValidateCertificate"
    ),
    "Task": "priority timeout",
    "Transcription": (
        "name track statusCallbackUrl statusCallbackMethod inboundTrackLabel outboundTrackLabel "
        "partialResults languageCode transcriptionEngine profanityFilter speechModel hints "
        "enableAutomaticPunctuation enableProviderData intelligenceService "
        "conversationConfiguration conversationId"
    ),
    "Uri": "priority weight username password",
    "Verto": "",
    "VirtualAgent": "connectorName language sentimentAnalysis statusCallback statusCallbackMethod",
    "WhatsApp": f"url method {_STATUS}",
}

ATTRIBUTES: dict[str, frozenset[str]] = {name: frozenset(words.split()) for name, words in _TABLE.items()}

UNBUILT_VERBS = frozenset(
    {"Connect", "Denoise", "Echo", "Enqueue", "Leave", "Message", "Pay", "Prompt", "Queue", "Sms"}
)
ASIDE = frozenset({"Denoise", "Message", "Sms", "Start", "Stop"})
"""Verbs that do something beside the call: without them, the document still makes sense."""

SSML = frozenset({"break", "emphasis", "lang", "p", "phoneme", "prosody", "s", "say-as", "sub", "w"})
