// The recogniser in this browser: loads the model, and has a worker run it. The sound is not sent anywhere.

import { decode } from "./decode.js";
import { ask } from "./server.js";

export class Device {
  /** Load the model; `onProgress(share)` is called as it arrives. */
  static async load(settings, key, onProgress) {
    const device = new Device(settings);
    const sizes = settings.downloads; // in bytes, before any compression
    const total = Object.values(sizes).reduce((sum, size) => sum + size, 0);
    let loaded = 0;
    const get = async (path, size) => download(await ask(path, key), size, (bytes) => onProgress((loaded += bytes) / total));
    const model = await get("/page/model.onnx", sizes.model);
    const languageModel = sizes.language_model ? await get("/page/language_model", sizes.language_model) : null;
    device.worker = new Worker("/page/recogniser.js", { type: "module" });
    await device.request({ type: "load", settings, model, languageModel }, "ready", {}, [model.buffer, ...(languageModel ? [languageModel.buffer] : [])]);
    return device;
  }

  constructor(settings) {
    this.settings = settings;
    this.job = 0; // number of the latest request; what belongs to another one is ignored
  }

  /** Post a message and wait for the one that answers it; `others` handle what comes before. */
  request(message, answer, others = {}, transferred = []) {
    this.job += 1;
    const { job } = this;
    return new Promise((resolve, reject) => {
      this.worker.onmessage = ({ data }) => {
        if (data.job !== job) return;
        if (data.type === answer) resolve(data);
        else if (data.type === "error") reject(new Error(data.message));
        else others[data.type]?.(data);
      };
      this.worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(`The model cannot be run in this browser (${event.message || "it has no support for it"}).`));
      };
      this.worker.postMessage({ ...message, job }, transferred);
    });
  }

  /** As `Server.transcribe`. */
  async transcribe(file, { hotWords, onWords, signal }) {
    const samples = await decode(file, this.settings.sample_rate);
    signal.throwIfAborted();
    const words = [];
    const add = (message) => {
      words.push(...message.words);
      onWords(words);
    };
    const cancelled = new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        this.worker.postMessage({ type: "cancel" });
        reject(signal.reason);
      });
    });
    const done = this.request({ type: "file", samples, hotWords }, "end", { words: add }, [samples.buffer]);
    const { duration_s } = await Promise.race([done, cancelled]);
    return { words, duration_s };
  }

  /** As `Server.live`. */
  async live({ hotWords, onUpdate, onError }) {
    const { worker } = this;
    const ended = this.request({ type: "live", hotWords }, "end", { update: onUpdate });
    const { job } = this;
    ended.catch(onError);
    return {
      feed: (samples) => worker.postMessage({ type: "feed", job, samples }),
      async finish() {
        worker.postMessage({ type: "finish", job });
        return (await ended).duration_s;
      },
      cancel: () => worker.postMessage({ type: "cancel" }),
    };
  }
}

/** The content of an answer, of `size` bytes, as a Uint8Array. */
async function download(answer, size, onProgress) {
  const content = new Uint8Array(size);
  const reader = answer.body.getReader();
  let place = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return content;
    content.set(value, place);
    place += value.length;
    onProgress(value.length);
  }
}
