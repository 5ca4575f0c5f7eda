// A worker that runs the model in the browser. It receives samples and posts words; nothing leaves the machine.

import { BeamSearch } from "./beam.js";
import { FileDecoder, GreedySearch, Tokenizer, toWords } from "./ctc.js";
import { LiveDecoder } from "./live.js";
import { Ngram } from "./ngram.js";
import { open } from "./session.js";
import { Stitcher, WindowCutter, runWindow } from "./windows.js";

const CENTRES_S = [0.24, 0.48, 0.96, 1.92]; // of live windows; the shortest that the device is fast enough for
const LOAD = 0.6; // share of the time that it may take

let settings = null;
let run = null; // the model: from a waveform to rows of log-probs
let search = null; // without hot words
let hotSearch = null; // what hot words are added to
let live = null;
let current = null; // number of the latest job; others are over, or cancelled
let queue = Promise.resolve(); // what messages ask for is done one after the other

async function load(message) {
  const tokenizer = new Tokenizer(message.settings.tokenizer);
  settings = { ...message.settings, num_tokens: tokenizer.size };
  const ngram = message.languageModel && new Ngram(message.languageModel.buffer);
  hotSearch = new BeamSearch(settings, tokenizer, ngram);
  search = settings.is_greedy ? new GreedySearch() : hotSearch;
  run = await open(message.model, tokenizer.size).catch((error) => {
    throw new Error(`The model cannot be run in this browser (${error.message || error}).`);
  });
  const { context_s, centre_s, look_ahead_s, padding_s } = settings.live;
  const silence = new Float32Array(Math.round((context_s + centre_s + look_ahead_s + padding_s) * settings.sample_rate));
  await run(silence); // the first run is slower
  const started = performance.now();
  await run(silence);
  const needed = (performance.now() - started) / 1000 / LOAD;
  settings.live.centre_s = CENTRES_S.find((length) => length >= needed) ?? CENTRES_S.at(-1);
  postMessage({ type: "ready", job: message.job });
}

/** The log-probs of a window; null if the job was cancelled meanwhile. */
async function compute(window, job) {
  const rows = await runWindow(run, window, settings);
  await new Promise((resolve) => setTimeout(resolve)); // messages come in
  return job === current ? rows : null;
}

/** The search with hot words. Throws an Error for one that the model cannot write. */
function searchFor(hotWords) {
  const letters = new Set(settings.tokenizer.alphabet);
  const words = hotWords.map((word) => word.normalize("NFKC").toLowerCase().replace(/[\u2018\u2019]/g, "'"));
  const wrong = words.findIndex((word) => ![...word].every((letter) => letters.has(letter)));
  if (wrong >= 0) throw new Error(`The hot word '${hotWords[wrong]}' cannot be written in the model's alphabet: spell it as it is spoken.`);
  return words.length ? hotSearch.withHotWords(words, settings.boost) : search;
}

async function file({ samples, hotWords, job }) {
  const [cutter, stitcher, decoder] = [new WindowCutter(settings, settings.files), new Stitcher(settings, settings.files), new FileDecoder(settings, searchFor(hotWords))];
  const duration = samples.length / settings.sample_rate;
  const show = (segments) => {
    for (const tokens of segments) {
      const words = duration < settings.frame_shift_s ? [] : toWords(tokens, decoder.tokenizer, settings.frame_shift_s, duration);
      postMessage({ type: "words", job, words });
    }
  };
  function* windows() {
    yield* cutter.feed(samples);
    yield cutter.finish();
  }
  for (const window of windows()) {
    const rows = await compute(window, job);
    if (!rows) return;
    show(decoder.feed(stitcher.add(window, rows)));
  }
  show(decoder.finish());
  postMessage({ type: "end", job, duration_s: duration });
}

async function startLive({ hotWords, job }) {
  live = { job, cutter: new WindowCutter(settings, settings.live), stitcher: new Stitcher(settings, settings.live), decoder: new LiveDecoder(settings, searchFor(hotWords)), count: 0 };
}

async function feed({ samples, job }) {
  if (live?.job !== job) return; // it could not be started
  live.count += samples.length;
  for (const window of live.cutter.feed(Float32Array.from(samples, (sample) => sample / 32768))) {
    const rows = await compute(window, job);
    if (!rows) return;
    postMessage({ type: "update", job, ...live.decoder.feed(live.stitcher.add(window, rows)) });
  }
}

async function finish({ job }) {
  if (live?.job !== job) return;
  const duration = live.count / settings.sample_rate;
  if (live.count) {
    const last = live.cutter.finish();
    const rows = await compute(last, job);
    if (!rows) return;
    postMessage({ type: "update", job, ...live.decoder.finish(live.stitcher.add(last, rows), duration) });
  }
  postMessage({ type: "end", job, duration_s: duration });
}

const ACTIONS = { load, file, live: startLive, feed, finish };

addEventListener("message", ({ data }) => {
  const { type, job } = data;
  current = type === "cancel" ? null : job;
  if (type === "cancel") return;
  const act = () => (job === current ? ACTIONS[type](data) : null);
  queue = queue.then(act).catch((error) => postMessage({ type: "error", job, message: error.message || String(error) }));
});
