// The page of `asr serve`: a recording or the microphone in, words out. `shared.js` has the helpers for elements.

import { decode } from "./decode.js";
import { Device } from "./device.js";
import { WRITERS } from "./formats.js";
import { record } from "./microphone.js";
import { Server, ServerError, ask } from "./server.js";
import { Waveform } from "./waveform.js";
import { Words } from "./words.js";

const KEY = "asr-api-key"; // in the storage of this tab
const LISTENING = "Listening. Speak; press Stop at the end.";
const LATE_S = 5; // words that come this long after they were spoken are late
const ON_DEVICE = "The sound never leaves this browser, which loads the model and does what the server would. Words are written as they are spoken, without punctuation and numbers.";
const BY_LETTERS = "It finds words by their letters; the server finds them by their phones, with fewer errors.";
const NO_RUNTIME = "Not available: whoever runs the server can add it with scripts/fetch_onnxruntime_web.";
const audio = byId("audio");
const waveform = new Waveform(byId("waveform"), play);
const words = new Words(byId("words"), play);

let settings = null; // of the model, from the server
let name = "recording"; // of the files to download
let duration = 0; // of what was transcribed, in seconds
let device = null; // the recogniser in this browser, once it is loaded
let running = null; // ends what is going on: {cancel()} for a file, {stop()} for the microphone
let link = null; // to the recording
let waiting = null; // a file that came before the settings

// What is said to the user

function say(text) {
  if (byId("status").textContent !== text) byId("status").textContent = text; // a screen reader reads what changes
}

function complain(error) {
  say("");
  byId("trouble").textContent = error ? error.message ?? String(error) : "";
  if (error instanceof ServerError && error.status === 401) askForKey();
}

// The key, and what the server has

function askForKey() {
  sessionStorage.removeItem(KEY);
  byId("access").hidden = false;
  byId("key").focus();
}

async function connect() {
  try {
    settings = await (await ask("/page/settings.json", sessionStorage.getItem(KEY))).json();
  } catch (error) {
    if (error.status !== 401 || sessionStorage.getItem(KEY)) complain(error);
    else askForKey();
    return;
  }
  words.settings = settings;
  byId("device-about").textContent = aboutDevice();
  complain(null);
  byId("access").hidden = true;
  byId("about").textContent = `Model ${settings.name}: ${settings.about}.`;
  enable();
  if (waiting) transcribeFile(waiting);
  waiting = null;
}

function aboutDevice() {
  if (!settings.runs_in_browser) return NO_RUNTIME;
  return settings.is_by_phones ? `${ON_DEVICE} ${BY_LETTERS}` : ON_DEVICE;
}

byId("access").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, byId("key").value.trim());
  connect();
});

// What may be pressed

function enable() {
  const isRecording = Boolean(running?.stop);
  document.body.classList.toggle("recording", isRecording);
  byId("speak").textContent = isRecording ? "Stop" : "Speak";
  byId("speak").disabled = !settings || Boolean(running && !isRecording);
  byId("choose").disabled = !settings || Boolean(running);
  byId("hot").disabled = byId("choose").disabled;
  byId("device").disabled = byId("choose").disabled || !settings.runs_in_browser;
  byId("cancel").hidden = !running?.cancel;
  for (const button of byId("downloads").children) button.disabled = !words.words.length;
  byId("legend").hidden = !words.words.length;
  byId("hear").hidden = audio.hidden;
}

/** What recognises: the server, or the browser, which loads the model the first time. */
async function engine() {
  const key = sessionStorage.getItem(KEY);
  if (!byId("device").checked) return new Server(key);
  device ??= await Device.load(settings, key, (share) => say(share < 1 ? `Loading the model: ${percent(share, 0)} …` : "Starting the model …"));
  return device;
}

const hotWords = () => byId("hot").value.split(/[\s,;]+/).filter(Boolean);

/** Forget the last recording. */
function begin(newName) {
  complain(null);
  name = newName;
  duration = 0;
  words.reset();
  waveform.reset();
  audio.hidden = true;
  audio.removeAttribute("src");
  if (link) URL.revokeObjectURL(link);
  link = null;
  byId("spoken").replaceChildren();
  byId("result").hidden = false;
}

function listenTo(blob) {
  link = URL.createObjectURL(blob);
  audio.src = link;
  audio.hidden = false;
}

// A file

async function transcribeFile(file) {
  if (running) return;
  if (!file.size) return complain(new Error("The file is empty."));
  if (!settings) {
    waiting = file;
    return say(`${file.name} waits for the connection to the server.`);
  }
  begin(file.name.replace(/\.[^.]*$/, "") || "recording");
  const ended = new AbortController();
  running = { cancel: () => ended.abort() };
  enable();
  listenTo(file);
  decode(file, settings.sample_rate).then((samples) => waveform.add(samples, settings.sample_rate), () => {}); // no waveform then
  try {
    const show = (all) => {
      words.update(all.slice(words.words.length));
      const total = Number.isFinite(audio.duration) ? ` of ${clock(audio.duration)}` : "";
      if (all.length) say(`Transcribed ${clock(all.at(-1).end_s)}${total} …`);
    };
    const recogniser = await engine();
    say(`Transcribing ${file.name} …`);
    const transcript = await recogniser.transcribe(file, { hotWords: hotWords(), signal: ended.signal, onWords: show });
    show(transcript.words);
    duration = transcript.duration_s;
    finished();
    announce(words.words);
  } catch (error) {
    if (error.name === "AbortError") say("Cancelled.");
    else complain(error);
  } finally {
    duration ||= words.words.at(-1)?.end_s ?? 0;
    running = null;
    enable();
  }
}

function finished() {
  say(words.words.length ? `Done: ${plural(words.words.length, "word")} in ${clock(duration)}.` : "Done: no words were recognised.");
}

/** Tell a screen reader the new words. */
function announce(added) {
  if (added.length) byId("spoken").append(el("p", {}, added.map((word) => word.text).join(" ")));
}

// The microphone

async function speak() {
  if (running?.stop) {
    await running.stop();
    return;
  }
  begin(`recording-${new Date().toISOString().slice(0, 16).replace(/[T:]/g, "-")}`);
  const unsaid = []; // words of the utterance, which a screen reader is told at its end
  let stream = null, microphone = null;
  const onUpdate = (update) => {
    const isAtEnd = innerHeight + scrollY > document.documentElement.scrollHeight - 80;
    words.update(update.words, update.tail);
    unsaid.push(...update.words);
    if (update.ends_utterance) {
      words.endUtterance();
      announce(unsaid.splice(0));
    }
    const late = microphone ? microphone.recording.duration - update.time_s : 0;
    if (running?.stop) say(late > LATE_S ? `The words are ${Math.round(late)} s late: ${byId("device").checked ? "this device" : "the server"} is too slow.` : LISTENING);
    if (isAtEnd) scrollTo(0, document.documentElement.scrollHeight);
    enable();
  };
  const end = async (error) => {
    if (!running) return;
    running = null;
    byId("speak").disabled = true;
    say("Finishing …");
    let problem = error;
    try {
      await microphone?.stop();
      if (!problem) duration = await stream.finish();
    } catch (failure) {
      problem = failure;
    }
    stream?.cancel();
    words.update([]);
    announce(unsaid.splice(0));
    waveform.grow(false);
    if (microphone) {
      listenTo(microphone.recording.toWav());
      duration ||= microphone.recording.duration;
    }
    finished();
    if (problem) complain(problem);
    enable();
  };
  running = {};
  enable();
  try {
    const recogniser = await engine();
    say("Waiting for the microphone …");
    stream = await recogniser.live({ sampleRate: settings.sample_rate, hotWords: hotWords(), onUpdate, onError: end });
    microphone = await record(settings.sample_rate, (samples) => {
      stream.feed(samples);
      waveform.add(samples, settings.sample_rate);
    });
    microphone.onEnded(() => end(new Error("The microphone was disconnected.")));
    if (!running) { // the server refused meanwhile
      await microphone.stop();
      return;
    }
    running = { stop: () => end(null) };
    waveform.grow(true);
    say(LISTENING);
    enable();
    scrollTo(0, document.documentElement.scrollHeight); // and stay there while words come, unless the user scrolls
  } catch (error) {
    running = null;
    stream?.cancel();
    complain(error);
    enable();
  }
}

// Listening to the recording

function play(time) {
  if (!link || audio.hidden) return;
  audio.currentTime = time;
  audio.play().catch(() => {});
}

let frame = null;
function follow() {
  words.mark(audio.currentTime, !audio.paused);
  waveform.moveTo(audio.currentTime);
  frame = audio.paused ? null : requestAnimationFrame(follow);
}
audio.addEventListener("play", () => frame ?? follow());
for (const event of ["seeked", "pause", "ended"]) audio.addEventListener(event, follow);
audio.addEventListener("error", () => {
  audio.hidden = true; // this browser cannot play it; the server may read it all the same
  enable();
});

// Buttons

byId("device").addEventListener("change", enable);
byId("speak").addEventListener("click", speak);
byId("choose").addEventListener("click", () => byId("file").click());
byId("cancel").addEventListener("click", () => running?.cancel?.());
byId("file").addEventListener("change", () => {
  const [file] = byId("file").files;
  byId("file").value = ""; // so that the same file can be chosen again
  if (file) transcribeFile(file);
});
for (const event of ["dragenter", "dragover"]) {
  addEventListener(event, (dragged) => {
    dragged.preventDefault();
    if (!running) document.body.classList.add("dropping");
  });
}
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  const [file] = event.dataTransfer.files;
  if (file) transcribeFile(file);
});
byId("downloads").addEventListener("click", ({ target }) => {
  const format = target.dataset.format;
  if (!format) return;
  const transcript = { words: words.words, duration_s: duration, source: name, model: settings.name };
  const url = URL.createObjectURL(new Blob([WRITERS[format](transcript, settings)], { type: "text/plain;charset=utf-8" }));
  el("a", { href: url, download: `${name}.${format}` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
});
addEventListener("beforeunload", (event) => {
  if (running?.stop) event.preventDefault(); // ask before a recording is lost
});
connect();
