"""Every log event: its name, the fact it tells, its fields. The documentation's table is made from this one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One line of the table; `fields` is Markdown, those of every line (`event`, `level`, `timestamp`) left out."""

    name: str
    fact: str
    fields: str = ""


LOG_EVENTS = (
    LogEvent("whatsapp.webhook.verified", "A handshake was answered with Meta's challenge."),
    LogEvent("whatsapp.webhook.handshake_refused", "A handshake came with another mode or verify token."),
    LogEvent("whatsapp.webhook.accepted", "A delivery was stored and answered 200 (debug).", "`ms`"),
    LogEvent(
        "whatsapp.webhook.refused",
        "A delivery was not taken.",
        "`reason`: missing, malformed, mismatch (with `size`, `peer`), not_stored (with `error`); one line a second "
        "and reason, `count`: how many it stands for",
    ),
    LogEvent(
        "whatsapp.webhook.odd",
        "A signed webhook brings nothing for us; one line a minute and kind.",
        "`kind`: other_object, empty, foreign_number, test_button; `count`, `meaning`, `number`",
    ),
    LogEvent(
        "whatsapp.webhook.dead_lettered",
        "A piece of a delivery went to the dead letters at once.",
        "`kind`: flood, malformed; `number`, `reason`",
    ),
    LogEvent(
        "whatsapp.message.received",
        "A worker took a message for the first time.",
        "`message`, `number`, `type`, `lag_ms`",
    ),
    LogEvent(
        "whatsapp.message.handled",
        "A message was handled and its replies are stored.",
        "`message`, `number`, `type`, `intent`, `replies`, `ms`",
    ),
    LogEvent(
        "whatsapp.message.retry_scheduled",
        "A message is handled again later.",
        "`message`, `number`, `reason`, `seconds`",
    ),
    LogEvent(
        "whatsapp.message.dead_lettered",
        "A message was given up and lies in the dead letters.",
        "`message`, `number`, `kind`, `reason`, `tries`",
    ),
    LogEvent(
        "whatsapp.message.failed",
        "Handling a message raised an unexpected error.",
        "`message`, `number`, `reason` and a traceback",
    ),
    LogEvent(
        "whatsapp.conversation.llm_takes_no_tools",
        "The language model's server refuses tools: it cannot hand over to a person.",
        "`message`, `number`",
    ),
    LogEvent(
        "whatsapp.conversation.reply_limit_reached",
        "A customer got as many automatic answers as `WA_REPLY_LIMIT` allows: the bot is quiet there.",
        "`message`, `number`",
    ),
    LogEvent("whatsapp.message.lease_lost", "Another worker has the conversation by now; this one stopped."),
    LogEvent(
        "whatsapp.message.result_discarded",
        "A message was handled, but the lease had passed to another worker, whose result counts.",
        "as of `whatsapp.message.handled`",
    ),
    LogEvent(
        "whatsapp.message.store_unavailable",
        "A result could not be stored; the message is handled again when its lease ends.",
    ),
    LogEvent("whatsapp.message.mark_read_failed", "A message could not be marked as read (debug).", "`reason`"),
    LogEvent(
        "whatsapp.media.resolved",
        "Meta told the address of a file, or deleted one (debug).",
        "`ms`",
    ),
    LogEvent("whatsapp.media.resolve_failed", "Meta did not (debug).", "`code`, `ms`"),
    LogEvent(
        "whatsapp.media.downloaded",
        "A file was fetched, both steps.",
        "`number`, `media_id`, `type`, `bytes`, `ms`",
    ),
    LogEvent("whatsapp.media.failed", "A file could not be fetched.", "`number`, `media_id`, `reason`, `ms`"),
    LogEvent(
        "whatsapp.console.changed",
        "Somebody changed something in the console; the event of kind `console` says in which conversation.",
        "`key` (its name), `action`, and what it was about",
    ),
    LogEvent("whatsapp.console.signed_in", "Somebody signed in to the console.", "`key` (its name)"),
    LogEvent("whatsapp.console.signed_out", "Somebody ended a session of the console.", "`key` (its name)"),
    LogEvent("whatsapp.console.trial_failed", "A sentence of the console's could not be tried on the script."),
    LogEvent("whatsapp.console.sign_in_refused", "Somebody typed no API key of this service."),
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
        "`id`, `seconds`, `code`, `reason`, `fbtrace_id`",
    ),
    LogEvent(
        "whatsapp.send.held",
        "Meta paused a message's template: it waits until that may be sent again.",
        "`id`, `seconds`, `code`, `reason`, `fbtrace_id`",
    ),
    LogEvent(
        "whatsapp.template.released",
        "A paused template may be sent again, or is to be tried again: what waited for it leaves.",
        "`messages`",
    ),
    LogEvent(
        "whatsapp.send.resent",
        "A send on which Meta stayed silent is sent once more (`WA_RESEND_UNKNOWN`).",
        "`id`, `reason`",
    ),
    LogEvent(
        "whatsapp.send.failed",
        "A message will not be sent.",
        "`id`, `code`, `reason` (a group, expired, not_owner, no_word_from_meta), `fbtrace_id`, "
        "`follows` (the fallback)",
    ),
    LogEvent("whatsapp.send.canceled", "A caller canceled a message that had not left.", "`id`"),
    LogEvent(
        "whatsapp.send.unknown",
        "Nobody knows whether Meta has a message.",
        "`id`, `code`, `reason`, `fbtrace_id`",
    ),
    LogEvent("whatsapp.send.outcome_not_stored", "The outcome of a send could not be stored: it is unknown.", "`id`"),
    LogEvent(
        "whatsapp.send.crashed", "Sending raised an unexpected error; the send becomes unknown.", "`id`, `reason`"
    ),
    LogEvent(
        "whatsapp.status",
        "Meta says that an accepted message failed; any other status (debug).",
        "`id`, `status`, `code`, `advice` (what to do about it), `ms` (since Meta accepted it)",
    ),
    LogEvent(
        "whatsapp.management",
        "Meta told something about an account or a number; an error that belongs to no message (a warning).",
        "`field` (Meta's, or error), `name` (of what happened), `waba_id`; `code`, `number`",
    ),
    LogEvent("whatsapp.contact.marketing", "A customer refused marketing, or wants it again.", "`word`, `by`"),
    LogEvent("whatsapp.limit.reported", "Meta told a limit.", "`per_second`, `daily`, `number`"),
    LogEvent("whatsapp.rate.lowered", "A number sends more slowly after Meta's 130429.", "`id`, `per_second`"),
    LogEvent(
        "whatsapp.number.paused",
        "All processes stop sending from a number.",
        "`reason`: meta_unwell, throttled, account; `seconds`, `code`",
    ),
    LogEvent("whatsapp.number.pause_not_stored", "A pause could not be stored: other processes go on."),
    LogEvent("whatsapp.management.breaker_opened", "Management calls fail at once for a while."),
    LogEvent("whatsapp.templates.fetch_failed", "The templates could not be fetched in the background.", "`error`"),
    LogEvent(
        "whatsapp.api",
        "A REST call was answered.",
        "`method`, `route`, `status`, `key` (its name), `ms`; without a known key one a second, with `count`",
    ),
    LogEvent("whatsapp.web.failed", "A view raised an unexpected error (500).", "a traceback"),
    LogEvent("whatsapp.settings", "Something about the settings, at start.", "`warning`"),
    LogEvent("whatsapp.store.unavailable", "Redis did not answer at start."),
    LogEvent(
        "whatsapp.store.failed_over", "Another server became the store's primary: every number pauses.", "`seconds`"
    ),
    LogEvent(
        "whatsapp.store.history_trimmed",
        "Memory is at 80 %: the oldest events, and what the oldest sends said, were forgotten before their time, so "
        "that intake goes on.",
        "`events`, `sends`",
    ),
    LogEvent("whatsapp.store.not_durable", "Redis would lose data.", "`warning`"),
    LogEvent("whatsapp.worker.started", "A worker process takes work.", "`consumer`, `numbers`"),
    LogEvent("whatsapp.worker.stopped", "A worker process ended in order.", "`ms`, `released` (conversations)"),
    LogEvent(
        "whatsapp.worker.died", "A worker process ended by itself; another one is started.", "`status`, `seconds`"
    ),
    LogEvent(
        "whatsapp.worker.replaced", "A successor works with the settings as they are now.", "`consumer`, `successor`"
    ),
    LogEvent("whatsapp.worker.replace_failed", "A successor could not start; the old process goes on.", "`reason`"),
    LogEvent("whatsapp.worker.took_over", "Conversations of a process that died are free again.", "`held`"),
    LogEvent("whatsapp.worker.takeover_failed", "They could not be freed; their leases run out."),
    LogEvent("whatsapp.worker.release_failed", "Conversations could not be freed at the end; their leases run out."),
    LogEvent("whatsapp.worker.consumer_died", "A loop that takes work raised an unexpected error; the process ends."),
    LogEvent("whatsapp.worker.metrics_served", "This worker serves the metrics of its machine.", "`port`"),
    LogEvent(
        "whatsapp.conversation.reply_failed",
        "A script's reply could not be filled in; `problems.failed` was sent.",
        "`intent`, `reason`",
    ),
    LogEvent(
        "whatsapp.conversation.responder_failed",
        "The http responder did not answer; the fallback was sent.",
        "`reason`",
    ),
    LogEvent(
        "whatsapp.conversation.responder_answer_unusable",
        "The http responder answered something that is no reply.",
        "`reason`",
    ),
    LogEvent(
        "whatsapp.conversation.speech_failed",
        "A voice note could not be heard for a reason of ours.",
        "`reason`",
    ),
    LogEvent(
        "whatsapp.conversation.semantic_failed",
        "Meanings could not be compared; words were.",
        "`reason`",
    ),
    LogEvent("whatsapp.conversation.speech_restarted", "The speech process ended; another one is started.", ""),
    LogEvent(
        "whatsapp.conversation.speech_unusable",
        "The speech process cannot be set up (weights missing, changed).",
        "`reason`",
    ),
    LogEvent("whatsapp.batch.taken", "A batch was stored and may begin.", "`id`, `items`, `refused`"),
    LogEvent(
        "whatsapp.batch.paused",
        "A batch lets nothing more leave until somebody resumes it.",
        "`id`, `reason`: asked, too_many_failed, spam_limited, withheld_by_meta, template_paused, template_disabled, "
        "quality_red",
    ),
    LogEvent(
        "whatsapp.batch.quality_not_told",
        "While a batch runs Meta was asked for its number's quality and did not say; asked again in five minutes.",
        "`number`, `error`",
    ),
    LogEvent("whatsapp.batch.resumed", "A paused batch goes on.", "`id`"),
    LogEvent("whatsapp.batch.canceled", "What has not left of a batch never will.", "`id`"),
    LogEvent("whatsapp.batch.done", "Every item of a batch has left or has ended.", "`id`"),
    LogEvent(
        "whatsapp.marketing.road_switched",
        "Meta took marketing off the Cloud API; this process sends it by the Marketing Messages API from now on.",
        "`number`, `code`",
    ),
    LogEvent(
        "whatsapp.costs.differ",
        "Of a settled day Meta charged for another number of messages than its statuses told us, by over a percent.",
        "`day`, `ours`, `metas`",
    ),
    LogEvent("whatsapp.costs.not_compared", "Meta could not be asked what it charged for.", "`error`"),
    LogEvent("whatsapp.costs.rate_card_unusable", "WA_RATE_CARD cannot be read; costs have no prices.", "`reason`"),
    LogEvent(
        "whatsapp.push.retry_scheduled",
        "A subscriber did not take an event; it is sent again later.",
        "`subscription`, `answer`, `cursor`, `tries`",
    ),
    LogEvent(
        "whatsapp.push.unwritable",
        "An event could not be written in the form that a subscriber wants: a defect. It counts as not taken.",
        "`subscription`, `cursor` and a traceback",
    ),
    LogEvent(
        "whatsapp.push.dropped",
        "A subscriber refused an event for the last time, while it took others.",
        "`subscription`, `answer`, `cursor`, `tries`",
    ),
    LogEvent(
        "whatsapp.push.paused",
        "A subscription was paused: it failed for five days, or answered 410.",
        "`subscription`, `answer`, `reason`: failing, gone",
    ),
    LogEvent(
        "whatsapp.push.event_urls_failed",
        "The subscriptions of WA_EVENT_URLS could not be made; the next start of a worker tries again.",
        "`reason`",
    ),
)
