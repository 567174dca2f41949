// What the pages gain where scripts run: times in the reader's zone, live parts, progress of many. Without them all works.
import { showTimes } from "./times.js";
import { followLive } from "./live.js";
import { replayMany } from "./many.js";
import { tellMissingFiles } from "./files.js";

showTimes(document);
tellMissingFiles(document);
followLive(document.body.dataset.live);
replayMany(document.querySelector("form[data-many]"));
const end = document.querySelector("[data-follow] #end");
if (end && !location.hash) document.querySelector("[data-follow] li.this")?.scrollIntoView({ block: "center" });
