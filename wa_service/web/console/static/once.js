// Ignore the second click of a double click, which would submit a form again before its answer is there.
const PAUSE = 2_000;

export const submitOnce = (page) => {
  const submitted = new WeakMap();
  page.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    if (event.timeStamp - (submitted.get(event.target) ?? -PAUSE) < PAUSE) event.preventDefault();
    else submitted.set(event.target, event.timeStamp);
  });
};
