"""Every log event with its meaning and fields, from which the documentation's table is generated."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One line of the table; `fields` is Markdown, without those of every line (`event`, `level`, `timestamp`)."""

    name: str
    fact: str
    fields: str = ""


LOG_EVENTS = (
    LogEvent("whatsapp.webhook.verified", "A handshake was answered with Meta's challenge."),
    LogEvent("whatsapp.webhook.handshake_refused", "A handshake had the wrong mode or verify token."),
    LogEvent("whatsapp.webhook.accepted", "A delivery was stored and answered 200 (debug).", "`ms`"),
    LogEvent(
        "whatsapp.webhook.refused",
        "A delivery was refused.",
        "`reason`: missing, malformed, mismatch (with `size`, `peer`), not_stored (with `error`), busy (with "
        "`peer`); one line per second and reason, `count`: how many it stands for",
    ),
    LogEvent(
        "whatsapp.webhook.odd",
        "A signed webhook has no event for us; one line per minute and kind.",
        "`kind`: other_object, empty, foreign_number, test_button; `count`, `meaning`, `number`",
    ),
    LogEvent(
        "whatsapp.webhook.dead_lettered",
        "An event of a delivery became a dead letter at once.",
        "`kind`: flood, malformed (with `reason`); `number`",
    ),
    LogEvent(
        "whatsapp.message.received",
        "A worker took a message for the first time.",
        "`message`, `number`, `type`, `lag_ms`",
    ),
    LogEvent(
        "whatsapp.message.handled",
        "A message was handled and its replies are stored.",
        "`message`, `number`, `type`, `intent`, `replies`, `ms`, `burst` (how many messages, if several)",
    ),
    LogEvent(
        "whatsapp.message.retry_scheduled",
        "A message is handled again later.",
        "`message`, `number`, `reason`, `seconds`",
    ),
    LogEvent(
        "whatsapp.message.dead_lettered",
        "A message became a dead letter.",
        "`message`, `number`, `kind`, `reason`, `tries`",
    ),
    LogEvent(
        "whatsapp.message.failed",
        "Handling a message raised an unexpected error.",
        "`message`, `number`, `reason` and a traceback",
    ),
    LogEvent(
        "whatsapp.conversation.llm_takes_no_tools",
        "The language model's server does not support tools, so the model cannot hand over to a person.",
        "`message`, `number`",
    ),
    LogEvent(
        "whatsapp.conversation.reply_limit_reached",
        "A customer reached `WA_REPLY_LIMIT`, so the responder is paused there.",
        "`message`, `number`",
    ),
    LogEvent("whatsapp.message.lease_lost", "Another worker has the conversation now, so this one stopped."),
    LogEvent(
        "whatsapp.message.result_discarded",
        "A message was handled, but another worker had the lease by then, and its result counts.",
        "as of `whatsapp.message.handled`",
    ),
    LogEvent(
        "whatsapp.message.store_unavailable",
        "A result could not be stored; the message is handled again when its lease ends.",
    ),
    LogEvent("whatsapp.message.mark_read_failed", "A message could not be marked as read (debug).", "`reason`"),
    LogEvent("whatsapp.media.resolved", "Meta returned the URL of a file (debug).", "`ms`"),
    LogEvent("whatsapp.media.resolve_failed", "Getting a file's URL failed (debug).", "`code`, `ms`"),
    LogEvent("whatsapp.media.deleted", "Meta deleted a file (debug).", "`ms`"),
    LogEvent("whatsapp.media.delete_failed", "Deleting a file at Meta failed (debug).", "`code`, `ms`"),
    LogEvent(
        "whatsapp.media.downloaded",
        "A file was downloaded.",
        "`number`, `media_id`, `type`, `bytes`, `ms`",
    ),
    LogEvent("whatsapp.media.failed", "A file could not be downloaded.", "`number`, `media_id`, `reason`, `ms`"),
    LogEvent(
        "whatsapp.console.changed",
        "A user of the console changed something; the event of kind `console` names the conversation.",
        "`key` (its name), `action`, and what it was about",
    ),
    LogEvent("whatsapp.console.signed_in", "A user signed in to the console.", "`key` (its name)"),
    LogEvent("whatsapp.console.signed_out", "A user signed out of the console.", "`key` (its name)"),
    LogEvent("whatsapp.console.trial_failed", "Trying a sentence on the script in the console failed.", "a traceback"),
    LogEvent("whatsapp.console.sign_in_refused", "A sign-in failed because of an unknown API key."),
    LogEvent(
        "whatsapp.send.accepted",
        "Meta accepted a message.",
        "`id`, `type`, `number`, `ms` (the call), `waited_ms` (since it was queued), `wamid`, `message`, "
        "`held` (why Meta holds it)",
    ),
    LogEvent("whatsapp.template.sent", "Meta accepted a template.", "as of `whatsapp.send.accepted`"),
    LogEvent(
        "whatsapp.send.retry_scheduled",
        "A send is tried again later.",
        "`id`, `type`, `number`, `ms` (the call), `message` (that it answers), `seconds`, `code`, `reason`, "
        "`fbtrace_id`",
    ),
    LogEvent(
        "whatsapp.send.held",
        "Meta paused a message's template, or cannot send it yet: the message waits until the template may be sent.",
        "`id`, `type`, `number`, `ms` (the call), `message` (that it answers), `seconds`, `code`, `reason`, "
        "`fbtrace_id`",
    ),
    LogEvent(
        "whatsapp.template.released",
        "A paused template is active again, or is tried again: the messages that waited for it are sent.",
        "`messages`",
    ),
    LogEvent(
        "whatsapp.send.resent",
        "A send that Meta neither confirmed nor refused is sent again (`WA_RESEND_UNKNOWN`).",
        "`id`, `reason`",
    ),
    LogEvent(
        "whatsapp.send.failed",
        "A message will not be sent.",
        "`id`, `reason` (a group, expired, not_owner, customer_stopped, marketing_limit, no_word_from_meta); after a "
        "call also `type`, `number`, `ms` (the call), `message` (that it answers), `code`, `fbtrace_id`, `follows` "
        "(the fallback)",
    ),
    LogEvent("whatsapp.send.canceled", "A caller canceled a message before it was sent.", "`id`"),
    LogEvent(
        "whatsapp.send.unknown",
        "It is unknown whether Meta has a message.",
        "`id`, `type`, `number`, `ms` (the call), `message` (that it answers), `code`, `reason`, `fbtrace_id`",
    ),
    LogEvent("whatsapp.send.outcome_not_stored", "The outcome of a send could not be stored: it is unknown.", "`id`"),
    LogEvent(
        "whatsapp.send.outcome_discarded",
        "An attempt ended without effect: its claim was lost, Meta's status came first, or the store was unavailable.",
        "`id`, `outcome` (retry, held, failed, unknown), `code`, `reason`, `fbtrace_id`",
    ),
    LogEvent(
        "whatsapp.send.crashed", "Sending raised an unexpected error; the send becomes unknown.", "`id`, `reason`"
    ),
    LogEvent(
        "whatsapp.status",
        "Meta reported that an accepted message failed; any other status (debug).",
        "`id`, `status`; of a failure `code`, `advice` (what to do about it), of others `ms` (since Meta accepted it)",
    ),
    LogEvent(
        "whatsapp.management",
        "Meta reported something about an account or a number, or an error without a message (a warning).",
        "`field` (Meta's, or error), `name` (of the event), `waba_id`; `code`, `number`",
    ),
    LogEvent("whatsapp.contact.marketing", "A customer refused marketing, or wants it again.", "`word`, `by`"),
    LogEvent(
        "whatsapp.erasure.continued",
        "A worker completed an erasure that was interrupted.",
        "`digest` (of an address, as in the event `erased`), `erased`",
    ),
    LogEvent(
        "whatsapp.erasure.interrupted",
        "An erasure was interrupted, and the person has newer messages: repeat it, or leave them. Hourly.",
        "`digest`",
    ),
    LogEvent("whatsapp.limit.reported", "Meta reported a limit.", "`per_second`, `daily`, `number`"),
    LogEvent("whatsapp.rate.lowered", "A number sends more slowly after Meta's 130429.", "`id`, `per_second`"),
    LogEvent(
        "whatsapp.number.paused",
        "All processes stop sending from a number.",
        "`reason`: meta_unwell, throttled, account; `seconds`, `code`",
    ),
    LogEvent("whatsapp.number.pause_not_stored", "A pause could not be stored: other processes continue to send."),
    LogEvent("whatsapp.management.breaker_opened", "Management calls fail at once for a while."),
    LogEvent("whatsapp.templates.fetch_failed", "The templates could not be fetched in the background.", "`error`"),
    LogEvent(
        "whatsapp.api",
        "A REST call was answered.",
        "`method`, `route`, `status`, `key` (its name), `ms`; without a known key one a second, with `count`",
    ),
    LogEvent("whatsapp.web.failed", "A view raised an unexpected error (500).", "a traceback"),
    LogEvent(
        "whatsapp.web.result_not_read",
        "The result of a send could not be read for its caller, because of a defect; the caller gets 202.",
        "a traceback",
    ),
    LogEvent("whatsapp.settings", "A warning about the settings, at start.", "`warning`"),
    LogEvent("whatsapp.store.unavailable", "Redis did not answer at start."),
    LogEvent(
        "whatsapp.store.refused",
        "Redis is available and refused a command or step: its memory is full, a key has a wrong type, or a defect. "
        "The work is retried. One line a minute and kind.",
        "`command` (a step, or Redis's), `error` (its kind), `count`",
    ),
    LogEvent(
        "whatsapp.store.probe_failed",
        "A defect kept this process from finding out whether Redis is back; it goes on trying.",
        "a traceback",
    ),
    LogEvent(
        "whatsapp.store.failed_over", "Another server became the store's primary: every number pauses.", "`seconds`"
    ),
    LogEvent(
        "whatsapp.store.history_trimmed",
        "Memory is at 80 %: the oldest events and the contents of the oldest sends were deleted early, so that "
        "new events can be stored.",
        "`events`, `sends`",
    ),
    LogEvent("whatsapp.store.not_durable", "Redis could lose data.", "`warning`"),
    LogEvent(
        "whatsapp.store.stream_not_copied",
        "There is no memory for a copy of the events stream: the data of deleted events stays in memory and files "
        "until a later day has room for it.",
    ),
    LogEvent("whatsapp.worker.started", "A worker process is ready to work.", "`consumer`, `numbers`"),
    LogEvent("whatsapp.worker.stopped", "A worker process stopped cleanly.", "`ms`, `released` (conversations)"),
    LogEvent(
        "whatsapp.worker.died", "A worker process ended unexpectedly; another one is started.", "`status`, `seconds`"
    ),
    LogEvent(
        "whatsapp.worker.start_failed",
        "No worker process could be started (no memory for it); after a death, the next try follows in a second.",
        "`reason`",
    ),
    LogEvent("whatsapp.worker.replaced", "A successor with the current settings took over.", "`consumer`, `successor`"),
    LogEvent("whatsapp.worker.replace_failed", "A successor could not start; the old process continues.", "`reason`"),
    LogEvent("whatsapp.worker.took_over", "The conversations of a dead process were released.", "`released`"),
    LogEvent("whatsapp.worker.takeover_failed", "They could not be released; their leases expire."),
    LogEvent("whatsapp.worker.release_failed", "Conversations could not be released at the stop; their leases expire."),
    LogEvent("whatsapp.worker.consumer_died", "A consumer raised an unexpected error; the process ends."),
    LogEvent(
        "whatsapp.worker.round_failed",
        "A round of periodic work raised an unexpected error; the next one is in ten seconds.",
        "`worker` (its class) and a traceback",
    ),
    LogEvent("whatsapp.worker.metrics_served", "This worker serves the metrics of its machine.", "`port`"),
    LogEvent(
        "whatsapp.worker.metrics_not_served",
        "Nothing can listen at `WA_WORKER_METRICS_BIND`, or at that port.",
        "`port`, `reason`",
    ),
    LogEvent(
        "whatsapp.conversation.reply_failed",
        "A script's reply could not be rendered; `problems.failed` was sent.",
        "`intent`, `reason`",
    ),
    LogEvent(
        "whatsapp.conversation.responder_failed",
        "The program or language model did not answer; the fallback was sent.",
        "`message`, `number`, `reason`",
    ),
    LogEvent(
        "whatsapp.conversation.responder_answer_unusable",
        "The answer of the program or language model is not a valid reply; the fallback was sent.",
        "`message`, `number`, `reason`",
    ),
    LogEvent(
        "whatsapp.conversation.speech_failed",
        "Transcribing a voice note failed.",
        "`reason`",
    ),
    LogEvent(
        "whatsapp.conversation.semantic_failed",
        "Comparing by meaning failed, so texts were compared by letters.",
        "`reason`",
    ),
    LogEvent("whatsapp.conversation.speech_restarted", "The speech process ended; another one is started.", ""),
    LogEvent(
        "whatsapp.conversation.speech_unusable",
        "The speech process cannot be set up (weights missing, changed) or started; the next try is in 30 seconds.",
        "`reason`",
    ),
    LogEvent("whatsapp.batch.taken", "A batch was stored and may begin.", "`id`, `items`, `refused`"),
    LogEvent(
        "whatsapp.batch.paused",
        "A batch is paused until it is resumed.",
        "`id`, `reason`: asked, too_many_failed, spam_limited, withheld_by_meta, template_paused, template_disabled, "
        "quality_red",
    ),
    LogEvent(
        "whatsapp.batch.quality_not_told",
        "The quality of a running batch's number could not be read from Meta; the next try is in five minutes.",
        "`number`, `error`",
    ),
    LogEvent(
        "whatsapp.batch.quiet_hours_unreadable",
        "This machine does not know the time zone of a batch's quiet hours, so it sends nothing of the batch.",
        "`quiet`, `reason`",
    ),
    LogEvent("whatsapp.batch.resumed", "A paused batch continues.", "`id`"),
    LogEvent("whatsapp.batch.canceled", "The unsent items of a batch were canceled.", "`id`"),
    LogEvent("whatsapp.batch.done", "Every item of a batch was sent, failed or was canceled.", "`id`"),
    LogEvent(
        "whatsapp.marketing.road_switched",
        "Meta disabled marketing on the Cloud API; this process sends it by the Marketing Messages API from now on.",
        "`number`, `code`",
    ),
    LogEvent(
        "whatsapp.costs.differ",
        "For a past day, Meta charged a number of messages that differs from its statuses by more than one percent.",
        "`day`, `ours`, `metas`",
    ),
    LogEvent("whatsapp.costs.not_compared", "Meta's charges could not be read.", "`error`"),
    LogEvent("whatsapp.costs.rate_card_unusable", "WA_RATE_CARD cannot be read; costs have no prices.", "`reason`"),
    LogEvent(
        "whatsapp.push.retry_scheduled",
        "A delivery to a subscriber failed; it is retried later.",
        "`subscription`, `answer`, `cursor`, `tries`",
    ),
    LogEvent(
        "whatsapp.push.unwritable",
        "A defect kept an event from being written, signed or sent for a subscriber. The delivery counts as failed.",
        "`subscription`, `cursor` and a traceback",
    ),
    LogEvent(
        "whatsapp.push.dropped",
        "A subscriber refused an event for the last time, while it accepted others.",
        "`subscription`, `answer`, `cursor`, `tries`",
    ),
    LogEvent(
        "whatsapp.push.paused",
        "A subscription was paused: it failed for five days, or answered 410.",
        "`subscription`, `answer`, `reason`: failing, gone",
    ),
    LogEvent(
        "whatsapp.push.event_urls_failed",
        "The subscriptions of WA_EVENT_URLS could not be created; the next start of a worker tries again.",
        "`reason`",
    ),
)
