// The microphone: its samples as they come, and the whole recording as a WAV file.

const REASONS = {
  NotAllowedError: "The browser may not use the microphone: allow it for this page in the browser's settings, then try again.",
  NotFoundError: "There is no microphone: connect one, then try again.",
  NotReadableError: "The microphone cannot be read: another program may be using it.",
};
const JOINED_S = 10; // pieces are joined to blobs of this length, which a browser may keep on the disk

/** Record. `onSamples` receives an Int16Array at `rate`. Throws an Error that says why there is no microphone. */
export async function record(rate, onSamples) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Error("Browsers give the microphone only to pages that come by HTTPS, or from this computer (localhost).");
  }
  const context = new AudioContext(); // ready before the microphone is, so that no word is lost
  let stream;
  try {
    await context.audioWorklet.addModule("/page/worklet.js");
    // Models know speech as it is; what browsers do for calls makes it worse.
    stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
  } catch (error) {
    await context.close();
    throw new Error(REASONS[error.name] ?? `The microphone cannot be used (${error.message}).`);
  }
  const recording = new Recording(rate);
  const node = new AudioWorkletNode(context, "capture", { numberOfOutputs: 0, processorOptions: { rate } });
  const drained = new Promise((resolve) => {
    node.port.onmessage = ({ data }) => {
      if (data === null) resolve();
      else if (data.length) {
        recording.add(data);
        onSamples(data);
      }
    };
  });
  context.createMediaStreamSource(stream).connect(node);
  await context.resume();
  return {
    recording,
    /** Called when the microphone is unplugged or taken away. */
    onEnded: (call) => stream.getAudioTracks()[0].addEventListener("ended", call),
    async stop() {
      node.port.postMessage(null);
      await drained;
      stream.getTracks().forEach((track) => track.stop());
      await context.close();
    },
  };
}

class Recording {
  constructor(rate) {
    this.rate = rate;
    this.blobs = [];
    this.pieces = [];
    this.count = this.joined = 0;
  }

  add(samples) {
    this.pieces.push(samples);
    this.count += samples.length;
    if (this.count - this.joined >= JOINED_S * this.rate) this.join();
  }

  join() {
    this.blobs.push(new Blob(this.pieces));
    [this.pieces, this.joined] = [[], this.count];
  }

  get duration() {
    return this.count / this.rate;
  }

  /** A WAV file (16 bits, one channel). */
  toWav() {
    this.join();
    const view = new DataView(new ArrayBuffer(44));
    const text = (place, letters) => [...letters].forEach((letter, k) => view.setUint8(place + k, letter.charCodeAt(0)));
    const size = 2 * this.count;
    text(0, "RIFF");
    view.setUint32(4, 36 + size, true);
    text(8, "WAVEfmt ");
    view.setUint32(16, 16, true);
    [1, 1].forEach((value, k) => view.setUint16(20 + 2 * k, value, true));
    view.setUint32(24, this.rate, true);
    view.setUint32(28, 2 * this.rate, true);
    [2, 16].forEach((value, k) => view.setUint16(32 + 2 * k, value, true));
    text(36, "data");
    view.setUint32(40, size, true);
    return new Blob([view, ...this.blobs], { type: "audio/wav" });
  }
}
