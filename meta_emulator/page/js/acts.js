/** What a person can do with a message; everything a bubble and its content call. */

import { openLocation } from "./attach-dialog.js";
import { ControlError } from "./controls.js";
import { openList, openPhoto } from "./dialogs.js";
import { openJson } from "./json-dialog.js";
import { pickReaction } from "./reaction-picker.js";
import { copy, toast } from "./toast.js";

/** `show(id)`, `reply(message)`, `inspect(message)` and `answered()` (a choice was made) are the page's own. */
export function actsWith(controls, { show, reply, inspect, answered }) {
  const tell = (doing) =>
    doing.catch((error) => {
      if (!(error instanceof ControlError)) throw error;
      toast(error.message);
    });
  const write = (message, body) => controls.write(message.wa_id, message.number_id, { ...body, context: { id: message.id } });
  const react = (message, emoji) => tell(controls.react(message.wa_id, message.id, emoji));
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
      return tell(controls.press(message.wa_id, message.id, button));
    },
    /** Answer a message with content of one's own. */
    answer: (message, type, content) => tell(write(message, { type, [type]: content })),
    /** The same, after a look at the JSON. */
    compose: (message, type, content) => openJson({ type, [type]: content }, (body) => write(message, body)),
    /** Answer a message with a place. */
    locate: (message) => openLocation((body) => write(message, body)),
    openList: (message) =>
      openList(message, (row) => {
        answered();
        return tell(controls.pick(message.wa_id, message.id, row.id));
      }),
    played: (message) => message.status !== "played" && tell(controls.play(message.wa_id, message.id)),
    chooseReaction: (message, anchor) => pickReaction(anchor, message.reactions?.[message.wa_id], (emoji) => react(message, emoji)),
  };
}
