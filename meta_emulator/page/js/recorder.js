/** Records a voice note; the emulator converts the browser's format to ogg/opus. */

const FORMATS = ["audio/ogg;codecs=opus", "audio/webm;codecs=opus", "audio/mp4"];

/** Recording failed; the message is a sentence for people. */
export class RecordingError extends Error {}

export class Recorder {
  #stream = null;
  #recorder = null;
  #context = null;
  #chunks = [];

  /** Ask for the microphone and record; `onLevel` gets the loudness (0 to 1) about 20 times a second. */
  async start(onLevel) {
    if (!navigator.mediaDevices || !window.MediaRecorder) {
      throw new RecordingError("Recording needs https or a local address.");
    }
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch (error) {
      throw new RecordingError(
        error.name === "NotAllowedError" ? "The browser blocks the microphone: allow it for this page." : "No microphone found.",
      );
    }
    const mimeType = FORMATS.find((format) => MediaRecorder.isTypeSupported(format));
    this.#recorder = new MediaRecorder(this.#stream, { mimeType, audioBitsPerSecond: 32_000 });
    this.#recorder.addEventListener("dataavailable", (event) => this.#chunks.push(event.data));
    this.#recorder.start();
    this.#listen(onLevel);
  }

  /** Stop and return the recording as a file. */
  async stop() {
    const recorder = this.#recorder;
    await new Promise((resolve) => {
      recorder.addEventListener("stop", resolve, { once: true });
      recorder.stop();
    });
    const type = recorder.mimeType || "audio/webm";
    const file = new File(this.#chunks, `voice-note.${type.includes("ogg") ? "ogg" : type.includes("mp4") ? "m4a" : "webm"}`, { type });
    this.#release();
    return file;
  }

  /** Discard the recording. */
  cancel() {
    if (this.#recorder?.state === "recording") this.#recorder.stop();
    this.#release();
  }

  #listen(onLevel) {
    this.#context = new AudioContext();
    const analyser = this.#context.createAnalyser();
    analyser.fftSize = 512;
    this.#context.createMediaStreamSource(this.#stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const timer = setInterval(() => {
      if (!this.#context) return clearInterval(timer);
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, sample) => sum + sample ** 2, 0) / samples.length;
      return onLevel(Math.min(1, Math.sqrt(power) * 4));
    }, 50);
  }

  #release() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#context?.close();
    this.#stream = this.#recorder = this.#context = null;
    this.#chunks = [];
  }
}
