// Decode a recording to samples of one channel, as far as the browser knows its format.

const LONGEST_S = 3600; // an hour needs 230 MB here, and more while it is decoded

/** A recording that is too long to be decoded in a browser. */
export class TooLong extends Error {}

/** Decode a file to a Float32Array at `rate`. Throws an Error with a sentence. */
export async function decode(file, rate) {
  const seconds = await durationOf(file);
  if (seconds > LONGEST_S) throw new TooLong("The recording is longer than an hour, which is too much for a browser: divide it, or let the server transcribe it.");
  let decoded;
  try {
    decoded = await new OfflineAudioContext(1, 1, rate).decodeAudioData(await file.arrayBuffer());
  } catch {
    throw new Error("This browser cannot read the recording: convert it to WAV or MP3, or let the server transcribe it.");
  }
  const samples = decoded.getChannelData(0).slice();
  for (let number = 1; number < decoded.numberOfChannels; number += 1) {
    const channel = decoded.getChannelData(number);
    for (let k = 0; k < samples.length; k += 1) samples[k] += channel[k];
  }
  return decoded.numberOfChannels > 1 ? samples.map((sample) => sample / decoded.numberOfChannels) : samples;
}

/** The duration in seconds, without decoding; 0 if it is not known. */
function durationOf(file) {
  return new Promise((resolve) => {
    const url = URL.createObjectURL(file);
    const probe = new Audio();
    const end = () => {
      resolve(Number.isFinite(probe.duration) ? probe.duration : 0);
      URL.revokeObjectURL(url);
    };
    probe.addEventListener("loadedmetadata", end);
    probe.addEventListener("error", end);
    probe.preload = "metadata";
    probe.src = url;
  });
}
