// Show results on the page itself: they are the answer to a POST, to which no browser goes back.
// The page's history holds what was searched, so that the way back from a result leads to the results.
import { load } from "./load.js";
import { showTimes } from "./times.js";

export const searchInPlace = (form) => {
  if (!form) return;
  const field = form.elements.wanted;
  let latest = 0;
  const search = async () => {
    const wanted = field.value;
    const own = ++latest;
    let answer;
    try {
      answer = await load(form.action, new URLSearchParams(new FormData(form)));
    } catch {
      if (own === latest) form.submit();
      return;
    }
    if (own !== latest) return; // the answer to what was searched before
    const fresh = answer.response.querySelector("[data-part=found]");
    if (!fresh) {
      history.replaceState(null, "");
      location.assign(answer.responseURL);
      return;
    }
    const taken = document.importNode(fresh, true);
    taken.removeAttribute("data-part"); // a refresh would show the recent conversations again
    showTimes(taken);
    document.querySelector("[aria-labelledby=found]").replaceWith(taken);
    history.replaceState({ wanted }, "");
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    await search();
    const heading = document.querySelector("#found");
    heading.tabIndex = -1;
    heading.focus();
  });
  const before = history.state?.wanted;
  if (typeof before !== "string") return;
  field.value = before;
  search();
};
