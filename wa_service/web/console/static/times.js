// Show times, which the server writes in UTC, in the reader's time zone.
export const showTimes = (part) => {
  for (const time of part.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime()) || time.title) continue;
    const long = /^\d{4}-/.test(time.textContent);
    const seconds = (time.textContent.match(/:/g) ?? []).length > 1;
    const clock = { hour: "2-digit", minute: "2-digit", second: seconds ? "2-digit" : undefined };
    time.title = `${time.textContent} UTC`;
    time.textContent = at.toLocaleString(undefined, long ? { dateStyle: "medium", timeStyle: "short" } : clock);
  }
};
