// The recogniser on the server: files over OpenAI's interface, live audio over a WebSocket (docs/serve.md).

const UNREACHABLE = "The server cannot be reached: is it still running, and are you connected?";
const BROKEN = "The connection to the server broke. What was recognised before is kept.";

/** What the server refused, or could not do; `status` is that of HTTP. */
export class ServerError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Ask the server. Throws a ServerError with the sentence that it answers. */
export async function ask(path, key, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: key ? { Authorization: `Bearer ${key}` } : {} });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError(UNREACHABLE, 0);
  }
  if (answer.ok) return answer;
  const body = await answer.json().catch(() => null);
  throw new ServerError(body?.error?.message ?? `The server answered with the status ${answer.status}.`, answer.status);
}

export class Server {
  constructor(key) {
    this.key = key;
  }

  /** Transcribe a file: `onWords` receives all words so far. Returns the words and the duration. */
  async transcribe(file, { hotWords, onWords, signal }) {
    const form = new FormData();
    form.append("file", file, "recording");
    form.append("model", "default");
    form.append("stream", "true");
    form.append("include[]", "words");
    for (const word of hotWords) form.append("keywords[]", word);
    const answer = await ask("/v1/audio/transcriptions", this.key, { method: "POST", body: form, signal });
    const words = [];
    for await (const event of events(answer)) {
      if (event.error) throw new ServerError(event.error.message, 500);
      if (event.type === "transcript.text.done") return { words: event.words, duration_s: event.duration_s };
      words.push(...event.words);
      onWords(words);
    }
    throw new ServerError(BROKEN, 0);
  }

  /** Begin live audio: `onUpdate` receives the updates, `onError` what ends it before its time. */
  async live({ sampleRate, hotWords, onUpdate, onError }) {
    const url = new URL("/v1/audio/live", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    if (this.key) url.searchParams.set("api_key", this.key);
    return new LiveSocket(url, { type: "start", sample_rate: sampleRate, keywords: hotWords }, onUpdate, onError);
  }
}

class LiveSocket {
  constructor(url, start, onUpdate, onError) {
    this.socket = new WebSocket(url);
    this.socket.binaryType = "arraybuffer";
    this.waiting = [JSON.stringify(start)]; // what was sent before the connection was open
    this.isOpen = false;
    this.ended = new Promise((resolve, reject) => {
      const fail = (message) => {
        const error = new ServerError(message, 0);
        reject(error);
        onError(error);
      };
      this.socket.addEventListener("open", () => {
        this.isOpen = true;
        for (const message of this.waiting) this.socket.send(message);
      });
      this.socket.addEventListener("message", ({ data }) => {
        const message = JSON.parse(data);
        if (message.type === "update") onUpdate(message);
        else if (message.type === "end") resolve(message.duration_s);
        else fail(message.error.message);
      });
      this.socket.addEventListener("close", () => fail(this.isOpen ? BROKEN : UNREACHABLE));
    });
    this.ended.catch(() => {}); // `onError` has it
  }

  /** Send samples, an Int16Array. */
  feed(samples) {
    this.send(samples);
  }

  /** Wait for the last updates. Returns the duration in seconds. */
  async finish() {
    this.send(JSON.stringify({ type: "finish" }));
    const duration = await this.ended;
    this.socket.close();
    return duration;
  }

  cancel() {
    this.socket.close();
  }

  send(message) {
    if (!this.isOpen) this.waiting.push(message);
    else if (this.socket.readyState === WebSocket.OPEN) this.socket.send(message);
  }
}

/** The server-sent events of an answer, as objects. */
async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    let piece;
    try {
      piece = await reader.read();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ServerError(BROKEN, 0);
    }
    if (piece.done) return;
    const parts = (rest + piece.value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const data = part.split("\n").filter((line) => line.startsWith("data: ")).map((line) => line.slice(6)).join("\n");
      if (data && data !== "[DONE]") yield JSON.parse(data);
    }
  }
}
