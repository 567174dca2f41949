/** An unused phone: a name, and a number that the regulator reserves for fiction. */

const NAMES = ["Chiara", "David", "Elif", "Fatima", "Goran", "Hana", "Ines", "Jonas", "Kofi", "Leila", "Mateo", "Nadia", "Omar", "Priya", "Quentin", "Rosa", "Samir", "Tove", "Uma", "Viktor", "Wanda", "Yusuf", "Zoe"];
const FIRST = 447_700_900_124;
const LAST = 447_700_900_999;

/** `{wa_id, name}` that none of these phones has. */
export function nextPhone(phones) {
  const used = new Set([...phones].map((phone) => phone.name));
  const taken = new Set([...phones].map((phone) => phone.wa_id));
  let number = FIRST;
  while (taken.has(String(number)) && number < LAST) number += 1;
  return { wa_id: String(number), name: NAMES.find((name) => !used.has(name)) ?? `Phone ${String(number).slice(-3)}` };
}
