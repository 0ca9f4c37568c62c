/** Inference fusions change how a network is computed and not what: on a whole reader, padding included. */
import { expect, test } from "vitest";
import { computeGraph, int64, type Numbers } from "../../../test/engine/compute-graph.js";
import { buildModel, models } from "../../models/index.js";
import { readerNetwork } from "../../tasks/extractive/head.js";
import { networkParameters } from "../block/block.js";
import { embedParameters } from "../block/embed-parameters.js";
import { joinNetwork } from "../block/inference-executor.js";
import type { Graph } from "../graph/graph.js";
import { randomGenerator } from "../random.js";
import { foldForInference, fuseForInference } from "./inference.js";

/** A tiny reader's graph with random weights inside. */
function tinyGraph(type: string): Graph {
  const { tiny } = models.find((model) => model.type === type)!;
  const network = readerNetwork(buildModel({ model_type: type, ...tiny }), { maskPadding: true });
  const weights = new Map(
    [...networkParameters(network)].map(([name, { shape, initialise }], stream) => {
      const random = randomGenerator(3, stream);
      const mean = initialise.kind === "ones" ? 1 : 0;
      return [name, Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => mean + 0.2 * random.normal())];
    }),
  );
  return embedParameters(joinNetwork(network, ["start_logits", "end_logits"]), (name) => weights.get(name)!);
}

const ids = int64([2, 5], [5, 6, 7, 8, 9, 10, 11, 12, 1, 1]);
const mask = int64([2, 5], [1, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
const types = int64([2, 5], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
const inputsOf = (graph: Graph): Numbers[] =>
  graph.inputs.map(({ name }) => ({ input_ids: ids, attention_mask: mask, token_type_ids: types })[name!]!);
const real = [0, 1, 2, 3, 4, 5, 6, 7];
const opsOf = (graph: Graph) => graph.nodes.map(({ op }) => op.name);

test.each(models.map(({ type }) => type))("%s: logits stay what they were", async (type) => {
  const graph = tinyGraph(type);
  const [plain, folded, fused] = await Promise.all(
    [graph, foldForInference(graph), fuseForInference(foldForInference(graph))].map((one) => computeGraph(one, inputsOf(one))),
  );
  for (const outputs of [folded, fused]) {
    outputs.forEach(({ data }, index) => {
      for (const place of real) expect(Math.abs(data[place] - plain[index].data[place])).toBeLessThan(2e-5);
    });
  }
});

test("the layers of BERT become what ONNX Runtime has operators for", () => {
  const graph = fuseForInference(foldForInference(tinyGraph("bert")));
  expect(opsOf(graph).filter((name) => name === "MultiHeadAttention")).toHaveLength(2);
  expect(opsOf(graph)).not.toContain("Attention");
});

test("a bias that is more than the mask keeps attention as it is", () => {
  const graph = fuseForInference(foldForInference(tinyGraph("deberta-v2")));
  expect(opsOf(graph)).toContain("Attention");
  expect(opsOf(graph)).not.toContain("MultiHeadAttention");
});

test("a query that is read elsewhere too is not scaled in place", () => {
  const before = tinyGraph("deberta-v2");
  const scales = (graph: Graph) => graph.nodes.filter(({ op }) => op.name === "Attention").map(({ attributes }) => attributes.scale);
  expect(scales(foldForInference(before))).toEqual(scales(before));
  expect(scales(foldForInference(tinyGraph("bert")))).toEqual([1, 1]);
});
