/** Formatted times. Timestamps are the emulated clock's seconds. */

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const CLOCK_SECONDS = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const SHORT_DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** 14:05 */
export const clock = (seconds) => CLOCK.format(seconds * 1000);

/** 14:05:09 */
export const clockWithSeconds = (seconds) => CLOCK_SECONDS.format(seconds * 1000);

/** A day as a comparable key. */
export const dayKey = (seconds) => new Date(seconds * 1000).toDateString();

/** Today, Yesterday, or the date in full. */
export function day(seconds, now = Date.now() / 1000) {
  if (dayKey(seconds) === dayKey(now)) return "Today";
  if (dayKey(seconds) === dayKey(now - 86400)) return "Yesterday";
  return DAY.format(seconds * 1000);
}

/** For lists: the time if it is today, otherwise the day. */
export function when(seconds) {
  return dayKey(seconds) === dayKey(Date.now() / 1000) ? clock(seconds) : SHORT_DAY.format(seconds * 1000);
}

/** 0:07, 12:30 */
export function length(seconds) {
  const whole = Number.isFinite(seconds) ? Math.floor(seconds) : 0;
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** 24 h, 12 min */
export function span(seconds) {
  return seconds >= 3600 ? `${Math.round(seconds / 3600)} h` : `${Math.max(1, Math.ceil(seconds / 60))} min`;
}
