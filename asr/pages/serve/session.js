// A model in onnxruntime-web.

import * as ort from "./ort.wasm.min.mjs";

/** Load a model, a Uint8Array. Returns a function from a waveform to log-probs: a Float32Array of the first `columns`,
 * those of the tokens, per frame; a model may have more, of phones. */
export async function open(model, columns) {
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  return async (waveform) => {
    const samples = new ort.Tensor("float32", waveform, [1, waveform.length]);
    const length = new ort.Tensor("int64", BigInt64Array.of(BigInt(waveform.length)), [1]);
    const { log_probs: logProbs, output_lengths: lengths } = await session.run({ waveform: samples, lengths: length });
    const width = logProbs.dims[2];
    return Array.from({ length: Number(lengths.data[0]) }, (_, frame) => logProbs.data.slice(frame * width, frame * width + columns));
  };
}
