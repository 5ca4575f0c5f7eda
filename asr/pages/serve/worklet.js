// Runs in the browser's audio thread: sends what the microphone gives, mixed to one channel at the model's sample rate.

import { Resampler } from "./resampler.js";

const PIECE_S = 0.05;

class Capture extends AudioWorkletProcessor {
  constructor({ processorOptions: { rate } }) {
    super();
    this.resampler = new Resampler(sampleRate, rate);
    this.piece = Math.round(PIECE_S * rate);
    this.pending = [];
    this.count = 0;
    this.isStopped = false;
    this.port.onmessage = () => {
      this.add(this.resampler.finish());
      this.send();
      this.port.postMessage(null); // the last one
      this.isStopped = true;
    };
  }

  process([channels]) {
    if (this.isStopped) return false;
    if (channels.length) {
      const mixed = channels[0].slice();
      for (const channel of channels.slice(1)) for (let k = 0; k < mixed.length; k += 1) mixed[k] += channel[k];
      this.add(this.resampler.feed(channels.length > 1 ? mixed.map((sample) => sample / channels.length) : mixed));
    }
    if (this.count >= this.piece) this.send();
    return true;
  }

  add(samples) {
    this.pending.push(samples);
    this.count += samples.length;
  }

  send() {
    const samples = new Int16Array(this.count);
    let place = 0;
    for (const part of this.pending) for (const sample of part) samples[place++] = Math.max(-32768, Math.min(32767, Math.round(32768 * sample)));
    [this.pending, this.count] = [[], 0];
    this.port.postMessage(samples, [samples.buffer]);
  }
}

registerProcessor("capture", Capture);
