/** The actions on a message, which a bubble and its content call. */

import { openLocation } from "./attach-dialog.js";
import { ControlError } from "./controls.js";
import { openList, openPhoto } from "./dialogs.js";
import { openJson } from "./json-dialog.js";
import { pickReaction } from "./reaction-picker.js";
import { copy, toast } from "./toast.js";

/** The page provides `show(id)`, `reply(message)`, `inspect(message)` and `answered()` (a choice was made). */
export function actsWith(controls, { show, reply, inspect, answered }) {
  const reported = (promise) =>
    promise.catch((error) => {
      if (!(error instanceof ControlError)) throw error;
      toast(error.message);
    });
  const write = (message, body) => controls.write(message.wa_id, message.number_id, { ...body, context: { id: message.id } });
  const react = (message, emoji) => reported(controls.react(message.wa_id, message.id, emoji));
  return {
    show,
    reply,
    inspect,
    copy,
    react,
    enlarge: openPhoto,
    /** Press a reply button: its position, id, payload or text. */
    press: (message, button) => {
      answered();
      return reported(controls.press(message.wa_id, message.id, button));
    },
    /** Answer a message with the given content. */
    answer: (message, type, content) => reported(write(message, { type, [type]: content })),
    /** The same, after the user has edited the JSON. */
    compose: (message, type, content) => openJson({ type, [type]: content }, (body) => write(message, body)),
    /** Answer a message with a location. */
    locate: (message) => openLocation((body) => write(message, body)),
    openList: (message) =>
      openList(message, (row) => {
        answered();
        return reported(controls.pick(message.wa_id, message.id, row.id));
      }),
    played: (message) => message.status !== "played" && reported(controls.play(message.wa_id, message.id)),
    chooseReaction: (message, anchor) => pickReaction(anchor, message.reactions?.[message.wa_id], (emoji) => react(message, emoji)),
  };
}
