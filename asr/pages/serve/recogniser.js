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
let job = 0; // number of what is worked on; what belongs to another one has been cancelled
let live = null;
let queue = Promise.resolve(); // live pieces are run one after the other

async function load(message) {
  const tokenizer = new Tokenizer(message.settings.tokenizer);
  settings = { ...message.settings, num_tokens: tokenizer.size };
  const ngram = message.languageModel && new Ngram(message.languageModel.buffer);
  hotSearch = new BeamSearch(settings, tokenizer, ngram);
  search = settings.is_greedy ? new GreedySearch() : hotSearch;
  run = await open(message.model);
  const { context_s, centre_s, look_ahead_s, padding_s } = settings.live;
  const silence = new Float32Array(Math.round((context_s + centre_s + look_ahead_s + padding_s) * settings.sample_rate));
  await run(silence); // the first run is slower
  const started = performance.now();
  await run(silence);
  const needed = (performance.now() - started) / 1000 / LOAD;
  settings.live.centre_s = CENTRES_S.find((length) => length >= needed) ?? CENTRES_S.at(-1);
  postMessage({ type: "ready", centre_s: settings.live.centre_s });
}

/** The search with hot words. Throws an Error for one that the model cannot write. */
function searchFor(hotWords) {
  const letters = new Set(settings.tokenizer.alphabet);
  const words = hotWords.map((word) => word.normalize("NFKC").toLowerCase().replace(/[\u2018\u2019]/g, "'"));
  const wrong = words.findIndex((word) => ![...word].every((letter) => letters.has(letter)));
  if (wrong >= 0) throw new Error(`The hot word '${hotWords[wrong]}' cannot be written in the model's alphabet: spell it as it is spoken.`);
  return words.length ? hotSearch.withHotWords(words, settings.boost) : search;
}

async function file(samples, hotWords, number) {
  const [cutter, stitcher, decoder] = [new WindowCutter(settings, settings.files), new Stitcher(settings, settings.files), new FileDecoder(settings, searchFor(hotWords))];
  const duration = samples.length / settings.sample_rate;
  const show = (segments) => {
    for (const tokens of segments) {
      const words = duration < settings.frame_shift_s ? [] : toWords(tokens, decoder.tokenizer, settings.frame_shift_s, duration);
      postMessage({ type: "words", words });
    }
  };
  for (const window of cutter.feed(samples)) {
    const rows = await runWindow(run, window, settings);
    if (number !== job) return;
    show(decoder.feed(stitcher.add(window, rows)));
  }
  const last = cutter.finish();
  const rows = await runWindow(run, last, settings);
  if (number !== job) return;
  show(decoder.feed(stitcher.add(last, rows)));
  show(decoder.finish());
  postMessage({ type: "end", duration_s: duration });
}

function startLive(hotWords) {
  live = { cutter: new WindowCutter(settings, settings.live), stitcher: new Stitcher(settings, settings.live), decoder: new LiveDecoder(settings, searchFor(hotWords)), count: 0 };
}

async function feed(samples) {
  live.count += samples.length;
  for (const window of live.cutter.feed(Float32Array.from(samples, (sample) => sample / 32768))) {
    const rows = await runWindow(run, window, settings);
    if (!live) return;
    postMessage({ type: "update", ...live.decoder.feed(live.stitcher.add(window, rows)) });
  }
}

async function finish() {
  const duration = live.count / settings.sample_rate;
  if (live.count) {
    const last = live.cutter.finish();
    const rows = await runWindow(run, last, settings);
    if (!live) return;
    postMessage({ type: "update", ...live.decoder.finish(live.stitcher.add(last, rows), duration) });
  }
  postMessage({ type: "end", duration_s: duration });
}

const failed = (error) => postMessage({ type: "error", message: error.message || String(error) });

addEventListener("message", ({ data }) => {
  if (data.type === "load") load(data).catch((error) => failed(new Error(`The model cannot be run in this browser (${error.message || error}).`)));
  if (data.type === "file") file(data.samples, data.hotWords, ++job).catch(failed);
  if (data.type === "live") queue = queue.then(() => startLive(data.hotWords)).catch(failed);
  if (data.type === "feed") queue = queue.then(() => live && feed(data.samples)).catch(failed);
  if (data.type === "finish") queue = queue.then(() => live && finish()).catch(failed);
  if (data.type === "cancel") [live, job] = [null, job + 1];
});
