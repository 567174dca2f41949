/** State that survives a reload: phone and number in the address, drafts and drawer in the tab's session storage. */

const LAST = "phone.last";

/** The phone and number in an address (by default the page's); otherwise the phone that was open last. */
export function place(hash = location.hash) {
  const [waId = "", numberId = ""] = hash.slice(1).split("/");
  return /^\d+$/.test(waId) ? { waId, numberId } : { waId: localStorage.getItem(LAST) ?? "", numberId: "" };
}

/** Put phone and number into the address; a link to it opens the same conversation. */
export function goTo(waId, numberId) {
  localStorage.setItem(LAST, waId);
  const hash = numberId ? `#${waId}/${numberId}` : `#${waId}`;
  if (location.hash !== hash) history.replaceState(null, "", hash);
}

/** The value stored under a name in this tab. */
export function remembered(name) {
  try {
    return JSON.parse(sessionStorage.getItem(`phone.${name}`));
  } catch {
    return null;
  }
}

/** Store a value; an empty one is removed. */
export function remember(name, value) {
  if (value === null || value === "" || value === undefined) sessionStorage.removeItem(`phone.${name}`);
  else sessionStorage.setItem(`phone.${name}`, JSON.stringify(value));
}
