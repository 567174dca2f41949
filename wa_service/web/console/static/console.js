// Progressive enhancement: local times, live updates, progress of many replays. Everything works without scripts, too.
import { showTimes } from "./times.js";
import { followLive } from "./live.js";
import { replayMany } from "./many.js";
import { submitOnce } from "./once.js";
import { searchInPlace } from "./search.js";
import { tellMissingFiles } from "./files.js";

showTimes(document);
tellMissingFiles(document);
submitOnce(document);
followLive(document.body.dataset.live);
replayMany(document.querySelector("form[data-many]"));
searchInPlace(document.querySelector("form[role=search]"));
const end = document.querySelector("[data-follow] #end");
if (end && !location.hash) document.querySelector("[data-follow] li.this")?.scrollIntoView({ block: "center" });
