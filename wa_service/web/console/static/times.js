// Show times, which the server writes in UTC, in the reader's time zone.
export const showTimes = (part) => {
  for (const time of part.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime()) || time.title) continue;
    const long = /^\d{4}-/.test(time.textContent);
    const seconds = (time.textContent.match(/:/g) ?? []).length > 1;
    const clock = { hour: "2-digit", minute: "2-digit", second: seconds ? "2-digit" : undefined };
    const moment = { dateStyle: "medium", timeStyle: seconds ? "medium" : "short" };
    time.title = `${time.textContent} UTC`;
    time.textContent = at.toLocaleString(undefined, long ? moment : clock);
  }
  showDays(part);
};

// Begin each day of a conversation at the reader's midnight.
const showDays = (part) => {
  for (const day of part.querySelectorAll(".thread .day")) day.remove();
  let before = "";
  for (const item of part.querySelectorAll(".thread ol > li")) {
    const name = new Date(item.querySelector("time")?.dateTime).toLocaleDateString(undefined, { dateStyle: "medium" });
    if (name === before) continue;
    before = name;
    const day = document.createElement("li");
    day.className = "day";
    day.textContent = name;
    item.before(day);
  }
};
