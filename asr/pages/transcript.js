// The page of one transcript: click a word to hear it; the word that is spoken is marked.

const transcript = embedded("transcript");
const UNSURE = 0.5;

const words = [];
const audio = el("audio", { controls: true, preload: "metadata", src: transcript.source.link, "aria-label": "Recording" });

function play(start) {
  audio.currentTime = start;
  audio.play().catch(() => {});
}

function phrase({ channel, words: spoken }) {
  const nodes = spoken.map(([text, start, end, confidence]) => {
    const unsure = confidence < UNSURE;
    const node = el("button", { type: "button", tabindex: "-1", class: unsure ? "unsure" : null,
      title: `${clock(start)}, confidence ${percent(confidence, 0)}`, onclick: () => play(start) }, text);
    words.push({ node, start, end });
    return [node, " "];
  });
  const start = spoken[0][1];
  const label = channel === null ? null : `${channel}: `;
  return el("p", { class: "phrase" },
    el("button", { type: "button", "aria-label": `Play from ${clock(start)}`, onclick: () => play(start) }, el("time", {}, clock(start))),
    el("span", { class: "words", dir: "auto" }, label, nodes));
}

function chooser(reason) {
  const input = el("input", { type: "file", id: "file", accept: "audio/*,video/*", onchange: () => {
    if (!input.files.length) return;
    audio.src = URL.createObjectURL(input.files[0]);
    byId("player").replaceChildren(audio);
  } });
  byId("player").replaceChildren(el("label", { for: "file" }, `${reason} `), input);
}

let marked = null;
let frame = null;

/** Mark the word at the time of the player. */
function mark() {
  const time = audio.currentTime;
  let low = 0;
  let high = words.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (words[middle].start <= time) low = middle + 1;
    else high = middle;
  }
  const word = low && time < words[low - 1].end + 0.3 ? words[low - 1].node : null;
  if (word !== marked) {
    marked?.classList.remove("now");
    word?.classList.add("now");
    if (word && !audio.paused) word.scrollIntoView({ block: "nearest" });
    marked = word;
  }
  frame = audio.paused ? null : requestAnimationFrame(mark);
}

byId("title").textContent = transcript.source.name;
const confidences = transcript.phrases.flatMap((item) => item.words.map((word) => word[3]));
const mean = confidences.length ? confidences.reduce((sum, value) => sum + value, 0) / confidences.length : null;
byId("about").textContent = [clock(transcript.duration_s), plural(confidences.length, "word"),
  ...(transcript.model ? [`model ${transcript.model}`] : []),
  ...(mean === null ? [] : [`mean confidence ${percent(mean, 0)}`])].join(" · ");
byId("text").replaceChildren(...(transcript.phrases.length ? transcript.phrases.map(phrase) : [el("p", { class: "soft" }, "No words were recognised.")]));
words.sort((a, b) => a.start - b.start);
audio.addEventListener("error", () => chooser("The recording cannot be played from here. Choose its file to listen:"));
audio.addEventListener("play", () => frame ?? mark());
for (const event of ["seeked", "pause", "ended"]) audio.addEventListener(event, mark);
if (transcript.source.link) byId("player").replaceChildren(audio);
else chooser("Choose the recording's file to listen:");
document.addEventListener("keydown", (event) => {
  if (event.key !== " " || event.ctrlKey || event.metaKey || event.altKey || /^(BUTTON|AUDIO|INPUT|A)$/.test(event.target.tagName)) return;
  event.preventDefault();
  if (audio.paused) audio.play().catch(() => {});
  else audio.pause();
});
