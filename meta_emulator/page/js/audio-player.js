/** An audio player: play, a waveform to seek in, time, and speed for voice notes. */

import { button, el } from "./element.js";
import { drawing, icon } from "./icons.js";
import { length } from "./times.js";

const BARS = 44;
const SPEEDS = [1, 1.5, 2];
// Decoding needs the whole file in memory: larger files get a flat waveform.
const LARGEST_WAVEFORM = 4 * 1024 * 1024;

let playing = null;

/** `source`: URL of the file; `onFirstPlay` is called on the first play. */
export function audioPlayer({ source, voice, onFirstPlay = () => {} }) {
  const audio = el("audio", { src: source, preload: "metadata" });
  const name = voice ? "voice note" : "audio";
  const toggle = button({ class: "play", "aria-label": `Play ${name}` }, icon("play"));
  const seek = el("input", { type: "range", min: "0", max: "1000", step: "1", value: "0", "aria-label": "Position" });
  const time = el("span", { class: "length", "aria-hidden": "true" }, "0:00");
  const speed = button({ class: "speed", "aria-label": "Speed 1×" }, "1×");
  const wave = waveform();
  const player = el(
    "div",
    { class: voice ? "player voice" : "player", role: "group", "aria-label": voice ? "Voice note" : "Audio" },
    toggle,
    el("div", { class: "wave" }, wave.element, seek),
    time,
    speed,
    audio,
  );

  const show = () => {
    const share = audio.duration ? audio.currentTime / audio.duration : 0;
    seek.value = String(Math.round(share * 1000));
    seek.setAttribute("aria-valuetext", `${length(audio.currentTime)} of ${length(audio.duration)}`);
    wave.played(share);
    time.textContent = length(audio.paused && !audio.currentTime ? audio.duration : audio.currentTime);
  };
  const paused = () => {
    player.classList.toggle("playing", !audio.paused);
    toggle.setAttribute("aria-label", `${audio.paused ? "Play" : "Pause"} ${name}`);
    toggle.replaceChildren(icon(audio.paused ? "play" : "pause"));
    show();
  };

  toggle.addEventListener("click", () => {
    if (!audio.paused) return audio.pause();
    if (playing && playing !== audio) playing.pause();
    playing = audio;
    return audio.play().catch(() => player.classList.add("broken"));
  });
  seek.addEventListener("input", () => {
    if (audio.duration) audio.currentTime = (Number(seek.value) / 1000) * audio.duration;
  });
  speed.addEventListener("click", () => {
    audio.playbackRate = SPEEDS[(SPEEDS.indexOf(audio.playbackRate) + 1) % SPEEDS.length];
    speed.textContent = `${audio.playbackRate}×`;
    speed.setAttribute("aria-label", `Speed ${audio.playbackRate}×`);
  });
  for (const event of ["loadedmetadata", "timeupdate", "seeked"]) audio.addEventListener(event, show);
  for (const event of ["play", "pause", "ended"]) audio.addEventListener(event, paused);
  audio.addEventListener("playing", onFirstPlay, { once: true });
  audio.addEventListener("error", () => {
    player.classList.add("broken");
    time.textContent = "cannot be played";
  });
  drawWhenSeen(player, () => peaks(source).then(wave.draw, () => {}));
  return player;
}

function waveform() {
  const element = drawing(`0 0 ${BARS * 4} 32`, "", "");
  element.setAttribute("preserveAspectRatio", "none");
  element.setAttribute("aria-hidden", "true");
  const [whole, done] = element.children;
  done.classList.add("done");
  let heights = Array(BARS).fill(0.08);
  let share = 0;
  const lines = (count) =>
    heights
      .slice(0, count)
      .map((height, bar) => `M${bar * 4 + 2} ${(16 - height * 14).toFixed(1)}v${(height * 28).toFixed(1)}`)
      .join("");
  const render = () => {
    whole.setAttribute("d", lines(BARS));
    done.setAttribute("d", lines(Math.round(share * BARS)));
  };
  render();
  return {
    element,
    draw(found) {
      heights = found;
      render();
    },
    played(now) {
      share = now;
      render();
    },
  };
}

/** The loudness of each part, from 0 to 1. */
async function peaks(source) {
  const answer = await fetch(source);
  const bytes = await answer.arrayBuffer();
  if (!answer.ok || bytes.byteLength > LARGEST_WAVEFORM) throw new RangeError("no waveform");
  const sound = await new OfflineAudioContext(1, 1, 16_000).decodeAudioData(bytes);
  const samples = sound.getChannelData(0);
  const step = Math.max(1, Math.floor(samples.length / BARS));
  const loud = Array.from({ length: BARS }, (_, bar) => {
    let sum = 0;
    for (let at = bar * step; at < (bar + 1) * step && at < samples.length; at += 1) sum += samples[at] ** 2;
    return Math.sqrt(sum / step);
  });
  const most = Math.max(...loud, 0.01);
  return loud.map((level) => Math.max(0.08, level / most));
}

function drawWhenSeen(element, draw) {
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    draw();
  });
  observer.observe(element);
}
